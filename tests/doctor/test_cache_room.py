from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from drf_apikit.doctor import caches as probed
from drf_apikit.doctor.cache_room import shortage
from drf_apikit.doctor.caches import PROBE
from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.running import examine
from tests.oidc.provider import Clock

BACKENDS = "django.core.cache.backends"
#: Entries of the project's own, and how many a cache may have so that all stay.
OWN, ENOUGH = 12, 12 + 22


def told() -> dict[str, Finding]:
    found = examine([PROBE], Context(timeout=60))
    return {one.id.partition(".")[2]: one for one in found}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for a key to expire."""
    clock = Clock(0)

    def sleep(seconds: float) -> None:
        clock.now += 100 * seconds

    monkeypatch.setattr(probed, "time", SimpleNamespace(monotonic=clock, sleep=sleep))


@pytest.fixture(params=["db.DatabaseCache", "filebased.FileBasedCache"])
def given(
    request: pytest.FixtureRequest, settings: Any, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """Give the settings of a cache that counts its entries."""
    in_files = request.param.startswith("file")
    found: dict[str, Any] = {
        "BACKEND": f"{BACKENDS}.{request.param}",
        "LOCATION": str(tmp_path) if in_files else "doctor_entries",
        "OPTIONS": {"MAX_ENTRIES": ENOUGH},
    }
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    settings.CACHES = {"default": found}
    if not in_files:
        call_command("createcachetable")
    caches["default"].set_many({f"own:{n}": n for n in range(OWN)}, None)
    yield found
    if not in_files:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE doctor_entries")


def survivors() -> int:
    return len(caches["default"].get_many([f"own:{n}" for n in range(OWN)]))


@pytest.mark.django_db(transaction=True)
def test_nothing_of_others_is_evicted(
    given: dict[str, Any], settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    found = told()
    statuses = {name: str(one.status) for name, one in found.items()}
    # The clock is put forward; and an `add` of files looks before it writes.
    del statuses["expiry"], statuses["atomic"]
    assert statuses == dict.fromkeys(["reachable", "values", "shared"], "ok")
    assert "threads and processes" in found["atomic"].seen
    assert survivors() == OWN
    # The processes know no apps, and need not be told so.
    assert capfd.readouterr().err == ""
    fewer = {**given, "OPTIONS": {"MAX_ENTRIES": ENOUGH - 1}}
    settings.CACHES = {"default": fewer}
    found = told()
    assert list(found) == ["reachable", "values", "shared", "atomic", "expiry"]
    assert {str(one.status) for one in found.values()} == {"skipped"}
    seen = f"Nearly full: {OWN} of {ENOUGH - 1} entries; a race would evict some."
    assert {one.seen for one in found.values()} == {seen}
    assert survivors() == OWN


@pytest.mark.django_db
def test_rows_are_counted_in_each_database(database: str, settings: Any) -> None:
    table = MigrationRecorder.Migration._meta.db_table
    number = MigrationRecorder(connection).migration_qs.count()
    backend = f"{BACKENDS}.db.DatabaseCache"
    assert database
    for most, expected in ((number + 1, ""), (number, f"{number} of {number} entries")):
        options = {"MAX_ENTRIES": most}
        given = {"BACKEND": backend, "LOCATION": table, "OPTIONS": options}
        settings.CACHES = {"default": given}
        seen = shortage(caches["default"], 1)
        assert expected in seen
        assert bool(seen) is bool(expected)


@pytest.mark.django_db
def test_a_table_that_is_not_there_is_told_by_who_writes(settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    backend = f"{BACKENDS}.db.DatabaseCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "nowhere"}}
    found = told()
    assert list(found) == ["reachable"]
    assert "nowhere" in found["reachable"].seen


def test_memory_of_this_process_has_nothing_to_lose(settings: Any) -> None:
    options = {"MAX_ENTRIES": 1}
    backend = f"{BACKENDS}.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "OPTIONS": options}}
    assert shortage(caches["default"], 20) == ""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    caches.close_all()
