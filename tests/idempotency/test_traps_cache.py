"""What a cache may be told, and may tell."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection, connections
from django.db.utils import ConnectionHandler
from pytest_django import Settings

from drf_apikit.idempotency import replay_cache
from drf_apikit.idempotency.claims import Claim, Kept
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.counting import Counted, of_block, recorded
from tests.idempotency.calls import Call, outcome
from tests.idempotency.matrix_world import effects, told
from tests.idempotency.test_sealing import NEW
from tests.idempotency.test_traps import MEMORY

SCOPE: Final = "0f" * 32
CLAIM: Final = Claim(SCOPE, "a" * 64, "f" * 64, "POST", "route", 60)
COLUMNS: Final = {"status_code": 201, "has_body": True, "codec": 0}
#: No headers; then the body.
PLAIN: Final = b"\0\0\0\2[]"

pytestmark = pytest.mark.urls("tests.idempotency.urls")
committing = pytest.mark.django_db(transaction=True)


class Lists(LocMemCache):
    """Gives lists for tuples, as serializers do that know none."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        found = super().get(*args, **kwargs)
        return list(found) if isinstance(found, tuple) else found


@pytest.fixture(autouse=True)
def counted(settings: Settings) -> Counted:
    settings.CACHES = {"default": {**MEMORY, "LOCATION": __name__}}
    cache.clear()
    return recorded(settings, IDEMPOTENCY={"CACHE": "default"})


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """Give an alias for a second database, which nobody asks anything."""
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "other.sqlite3"}
    made = ConnectionHandler({"default": {}, "other": own})["other"]
    connections.settings["other"], connections["other"] = made.settings_dict, made
    yield "other"
    del connections["other"], connections.settings["other"]


def keep(alias: str, body: bytes = b"done") -> None:
    replay_cache.keep(CLAIM, {**COLUMNS, "answer": PLAIN + body}, alias)


def found(alias: str) -> bytes | None:
    kept = replay_cache.find(SCOPE, alias)
    return None if kept is None else bytes(kept.answer).removeprefix(PLAIN)


def test_a_cache_tells_two_aliases_apart(other: str) -> None:
    keep("default", b"of default")
    assert (found("default"), found(other)) == (b"of default", None)
    keep(other, b"of other")
    assert (found("default"), found(other)) == (b"of default", b"of other")
    replay_cache.forget(SCOPE, "default")
    assert (found("default"), found(other)) == (None, b"of other")
    replay_cache.forget(SCOPE, other)
    assert (found("default"), found(other)) == (None, None)


def test_a_cache_tells_aliases_of_one_database_apart(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections[other], "settings_dict", connection.settings_dict)
    keep("default")
    assert (found("default"), found(other)) == (b"done", None)


@pytest.mark.parametrize(
    ("name", "value"), [("NAME", "another"), ("HOST", "db.test"), ("PORT", 1)]
)
def test_a_cache_tells_databases_of_one_alias_apart(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("default")
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, name, value)
        assert found("default") is None
        keep("default", b"of another")
        replay_cache.forget(SCOPE, "default")
    assert found("default") == b"done"


def test_a_cache_tells_schemas_of_one_database_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As django-tenants has it.
    monkeypatch.setattr(connection, "schema_name", "public", raising=False)
    for name in ("acme", "bolt"):
        vars(connections["default"])["schema_name"] = name
        assert found("default") is None
        keep("default", name.encode())
    assert found("default") == b"bolt"
    replay_cache.forget(SCOPE, "default")
    vars(connections["default"])["schema_name"] = "acme"
    assert found("default") == b"acme"


def test_a_cache_whose_serializer_knows_no_tuples(settings: Settings) -> None:
    backend = f"{__name__}.{Lists.__name__}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "lists"}}
    caches["default"].clear()
    assert found("default") is None
    keep("default")
    assert found("default") == b"done"
    replay_cache.forget(SCOPE, "default")
    assert found("default") is None
    keep("default")
    assert found("default") is None


@pytest.fixture
def encrypted(settings: Settings, counted: Counted) -> Counted:
    block = {"CACHE": "default", "ENCRYPTION_KEYS": [NEW]}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "IDEMPOTENCY": block}
    return counted


def replays(counted: Counted) -> list[str]:
    """Tell where the answers came from."""
    events = of_block("idempotency.replayed", counted)
    return [labels["source"] for _, labels in events]


def changing(**columns: Any) -> Callable[[Kept], Kept]:
    """Make what gives a copy with other columns."""

    def change(kept: Kept) -> Kept:
        own = dict(zip(Kept.__annotations__, kept, strict=True))
        return Kept(**{**own, **columns})

    return change


FORGED: Final[dict[str, Any]] = {"status_code": 402, "answer": PLAIN + b"forged"}
SQUEEZED: Final = {**FORGED, "answer": zlib.compress(FORGED["answer"])}


FORGERIES: Final[dict[str, Callable[[Kept], Kept]]] = {
    "not encrypted": changing(codec=0, **FORGED),
    "not encrypted, compressed": changing(codec=1, **SQUEEZED),
    "another status": changing(status_code=402),
    "no body": changing(has_body=False),
}


@committing
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_where_answers_are_encrypted_a_cache_cannot_make_one_up(
    forge: Callable[[Kept], Kept], post: Call, encrypted: Counted
) -> None:
    first = post()
    key = replay_cache.key_of(IdempotencyRecord.objects.get().scope, "default")
    kept = Kept(*cache.get(key))
    cache.set(key, tuple(forge(kept)))
    assert outcome(post()) == outcome(first)
    cache.set(key, tuple(kept))
    assert outcome(post()) == outcome(first)
    assert replays(encrypted) == ["database", "cache"]
    assert effects() == 1


@committing
@pytest.mark.usefixtures("encrypted")
@pytest.mark.parametrize(
    "change", [{"status_code": 402}, {"has_body": False}], ids=["status", "body"]
)
def test_where_answers_are_encrypted_a_record_cannot_be_changed(
    change: dict[str, Any], post: Call
) -> None:
    post()
    cache.clear()
    record = IdempotencyRecord.objects.get()
    IdempotencyRecord.objects.update(**change)
    refused = post()
    assert_problem(refused, 409, "idempotency-response-not-kept")
    assert "cannot be read any more" in refused.json()["detail"]
    record.save()
    assert told(post()) == "201 replayed"
    assert effects() == 1
