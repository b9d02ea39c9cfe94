from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import caches
from django_redis import get_redis_connection

from drf_apikit.doctor import cache_races
from drf_apikit.doctor import caches as probed
from drf_apikit.doctor.caches import PROBE, used_caches
from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.running import examine
from tests.oidc.provider import Clock

LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
ISSUERS = {"https://id.example": {"AUDIENCE": "a"}}
REPLAYS = {"IDEMPOTENCY": {"CACHE": "default"}}
ALL = ["reachable", "values", "shared", "atomic", "expiry"]
JWKS: dict[str, Any] = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }
    ]
}


def told(timeout: float = 60) -> dict[str, Finding]:
    found = {one.id: one for one in examine([PROBE], Context(timeout=timeout))}
    return {name.removeprefix("caches."): one for name, one in found.items()}


def statuses(found: dict[str, Finding]) -> dict[str, str]:
    return {name: str(one.status) for name, one in found.items()}


@pytest.fixture
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time where they are not the point."""
    monkeypatch.setattr(cache_races, "_PROCESSES", 0)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let nobody wait for a key to expire."""
    clock = Clock(0)

    def sleep(seconds: float) -> None:
        clock.now += 100 * seconds

    times = SimpleNamespace(monotonic=clock, sleep=sleep)
    monkeypatch.setattr(probed, "time", times)
    return clock


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a key live for less than a second, where a cache can do that."""
    monkeypatch.setattr(probed, "_LIFE", 0.5)


@pytest.fixture(autouse=True)
def _replays(settings: Any) -> None:
    settings.DRF_APIKIT = REPLAYS


def use(settings: Any, tmp_path: Path, name: str) -> None:
    backend = f"tests.doctor.bad_caches.{name}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}


@pytest.mark.usefixtures("redis_cache", "_short")
def test_redis_is_in_order() -> None:
    found = told()
    assert statuses(found) == dict.fromkeys(["errors", *ALL], "ok")
    assert found["reachable"].seen == "RedisCache, for IDEMPOTENCY."
    assert found["shared"].seen == "Other processes see the same."
    seen = "`add` has one winner for each of 20 keys among threads and processes."
    assert found["atomic"].seen == seen
    assert get_redis_connection("default").keys("*") == []


@pytest.mark.usefixtures("redis_cache", "_no_processes", "_quick")
def test_what_ignores_errors_is_a_risk(settings: Any) -> None:
    settings.DJANGO_REDIS_IGNORE_EXCEPTIONS = True
    found = told()
    assert statuses(found)["errors"] == "risk"
    assert "IGNORE_EXCEPTIONS" in found["errors"].seen
    caches["default"].clear()
    given = {**settings.CACHES["default"], "OPTIONS": {"IGNORE_EXCEPTIONS": False}}
    settings.CACHES = {"default": given}
    assert statuses(told())["errors"] == "ok"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_redis_that_is_down(ignored: bool, settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://:canary@127.0.0.1:1/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": ignored},
        }
    }
    found = told()
    assert statuses(found) == {
        "errors": "risk" if ignored else "ok",
        "reachable": "risk",
    }
    assert ("keeps nothing" if ignored else "raises") in found["reachable"].seen
    assert "canary" not in str(found)


@pytest.mark.usefixtures("_short")
def test_memory_of_a_process_is_not_shared(settings: Any) -> None:
    settings.CACHES = {"default": LOCAL}
    found = told()
    assert statuses(found) == {**dict.fromkeys(ALL, "ok"), "shared": "risk"}
    assert found["shared"].seen == "LocMemCache: each process has its own."
    assert found["atomic"].seen.endswith("among threads.")


def test_what_keeps_nothing_is_told(settings: Any) -> None:
    settings.CACHES = {"default": DUMMY}
    found = told()
    assert statuses(found) == {"reachable": "risk"}
    assert found["reachable"].seen == "DummyCache keeps nothing of what it is given."


@pytest.mark.usefixtures("_short")
def test_files_are_shared_by_one_host(settings: Any, tmp_path: Path) -> None:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    found = told()
    assert found["shared"].status == "ok"
    assert "other hosts" in found["shared"].remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_quick")
def test_processes_with_keys_of_their_own(settings: Any, tmp_path: Path) -> None:
    use(settings, tmp_path, "Private")
    found = told()["shared"]
    assert found.status == "risk"
    assert found.seen.startswith("Another process does not see")


@pytest.mark.usefixtures("_no_processes", "_quick")
def test_lists_will_do_for_tuples(settings: Any, tmp_path: Path) -> None:
    use(settings, tmp_path, "Lists")
    assert told()["values"].status == "ok"


def test_an_alias_that_is_none(settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "nowhere"}}
    settings.CACHES = {"default": LOCAL}
    found = told()
    assert statuses(found) == {"reachable": "risk"}
    assert found["reachable"].remedy.endswith("name one of default.")


@pytest.mark.usefixtures("_no_processes", "_quick")
@pytest.mark.parametrize(
    ("name", "wrong", "seen"),
    [
        ("Unlocked", "atomic", "not one winner"),
        ("Eternal", "expiry", "seconds later"),
        ("Forgetful", "expiry", "gone at once"),
        ("Json", "values", "A tuple is refused: TypeError"),
        ("Picky", "values", "A float comes back as another one"),
    ],
)
def test_what_is_wrong_is_found(
    name: str, wrong: str, seen: str, settings: Any, tmp_path: Path
) -> None:
    use(settings, tmp_path, name)
    found = told()
    assert found[wrong].status == "risk"
    assert seen in found[wrong].seen
    others = {one: s for one, s in statuses(found).items() if one != wrong}
    assert {*others, wrong} == set(ALL)
    assert others.pop("shared") == "risk"
    # Its clock is not the one that is put forward.
    others.pop("expiry", None)
    assert set(others.values()) == {"ok"}


@pytest.mark.usefixtures("_no_processes", "_quick")
def test_values_matter_as_far_as_they_are_used(settings: Any, tmp_path: Path) -> None:
    use(settings, tmp_path, "Json")
    settings.DRF_APIKIT = {"CONDITIONAL": {"GENERATIONS": ["auth.User"]}}
    found = told()
    assert found["values"].status == "ok"
    assert found["reachable"].seen == "Json, for CONDITIONAL."


@pytest.mark.usefixtures("_no_processes")
def test_a_cache_that_breaks_half_way(settings: Any, tmp_path: Path) -> None:
    use(settings, tmp_path, "HalfBroken")
    found = told()
    assert statuses(found) == {"reachable": "ok", "values": "ok", "failed": "risk"}
    assert found["failed"].seen.startswith("ConnectionError: drf_apikit:doctor:")


@pytest.mark.parametrize(
    ("section", "more", "used"),
    [
        ({}, {}, {}),
        ({"AUTHENTICATION": {"ISSUERS": ISSUERS}}, {}, {"default": ["AUTHENTICATION"]}),
        (
            {
                "AUTHENTICATION": {
                    "ISSUERS": {"https://id.example": {"AUDIENCE": "a", "JWKS": JWKS}},
                }
            },
            {},
            {},
        ),
        (
            {
                "AUTHENTICATION": {"CACHE": "a"},
                "LOGIN": {"ISSUER": "https://id.example"},
            },
            {},
            {"a": ["AUTHENTICATION"]},
        ),
        (
            {
                "CONDITIONAL": {"CACHE": "a", "GENERATIONS": ["auth.User"]},
                "IDEMPOTENCY": {"CACHE": "a"},
                "CLIENTS": {
                    "CACHE": "b",
                    "CREDENTIALS": {
                        "x": {
                            "ISSUER": "https://id.example",
                            "CLIENT_ID": "x",
                            "CLIENT_SECRET": "canary",
                        }
                    },
                },
            },
            {},
            {"a": ["CONDITIONAL", "IDEMPOTENCY"], "b": ["CLIENTS"]},
        ),
        (
            {},
            {
                "SESSION_ENGINE": "django.contrib.sessions.backends.cached_db",
                "SESSION_CACHE_ALIAS": "s",
            },
            {"s": ["sessions"]},
        ),
        (
            {},
            {
                "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
                "MIDDLEWARE": [],
            },
            {},
        ),
    ],
    ids=["none", "issuers", "static", "login", "shared", "sessions", "no sessions"],
)
def test_caches_in_use(
    section: Any, more: Any, used: dict[str, Sequence[str]], settings: Any
) -> None:
    settings.DRF_APIKIT = section
    for name, value in more.items():
        setattr(settings, name, value)
    assert used_caches() == used


def test_without_caches_there_is_nothing(settings: Any) -> None:
    settings.DRF_APIKIT = {}
    assert statuses(told()) == {"nothing": "skipped"}


def test_several_caches_are_looked_at(settings: Any) -> None:
    settings.CACHES = {"default": DUMMY, "other": DUMMY}
    settings.DRF_APIKIT = {
        **REPLAYS,
        "CONDITIONAL": {"CACHE": "other", "GENERATIONS": ["auth.User"]},
    }
    found = [(one.subject, one.id) for one in examine([PROBE], Context())]
    assert sorted(found) == [
        ("default", "caches.reachable"),
        ("other", "caches.reachable"),
    ]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    caches.close_all()
