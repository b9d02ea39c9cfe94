"""What a transaction sees, and what it may take back, is nobody else's matter."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import KeyRingError, SigningRing, forget
from drf_apikit.tokens.keyring.rows import is_not_migrated, read
from drf_apikit.tokens.keyring.snapshots import Reader, at_commit
from drf_apikit.tokens.models import SigningKeyRecord
from tests.databases import in_threads
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import kids, ring_of
from tests.tokens.sessions.families import STRICTER, connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ring(settings: Any, clock: Clock) -> SigningRing:
    return ring_of(settings, clock)


@pytest.mark.parametrize(
    ("database", "options"), STRICTER.values(), ids=STRICTER, indirect=["database"]
)
def test_an_old_snapshot_brings_no_key_back(
    ring: SigningRing, clock: Clock, database: str, options: dict[str, Any]
) -> None:
    with connected(**options):
        first = ring.signing_key().kid
        with transaction.atomic():
            User.objects.count()
            in_threads(lambda: SigningRing(ring.settings, clock).retire(first))
            clock.now += 16
            (beside,) = in_threads(lambda: kids(ring))
            clock.now += 16
            assert kids(ring) == beside == [ring.signing_key().kid] != [first]
            clock.now += 600
            assert kids(ring) == beside
        assert (database, kids(ring)) == (
            connection.vendor.replace("mysql", "mariadb"),
            beside,
        )


def test_a_key_that_may_be_taken_back_is_for_its_transaction(
    ring: SigningRing,
) -> None:
    ring.keys()
    with transaction.atomic():
        first = ring.signing_key().kid
        assert kids(ring) == [first]
        assert in_threads(lambda: kids(ring)) == [[]]
        assert ring.refreshed("unknown").keys == ring.keys().keys
        transaction.set_rollback(True)
    assert kids(ring) == []


def test_requests_in_transactions_ask_no_more_than_others(
    ring: SigningRing, clock: Clock
) -> None:
    with transaction.atomic():
        ring.signing_key()
    ring.keys()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(10):
            clock.now += 1
            with transaction.atomic():
                ring.keys()
    assert not [one for one in queries if "signing_key" in one["sql"]]


def test_what_was_seen_stays_seen_within_a_transaction(ring: SigningRing) -> None:
    ring.signing_key()
    reader = Reader()
    seen = reader.read()
    SigningKeyRecord.objects.all().delete()
    with transaction.atomic():
        assert reader.read() == seen
        at_commit(lambda: None, "default")
        assert reader.read() == ()
    assert reader.read() == ()


def test_without_autocommit_changes_are_refused(ring: SigningRing) -> None:
    connection.ensure_connection()
    connection.set_autocommit(False)
    try:
        with pytest.raises(KeysUnavailableError, match="AUTOCOMMIT"):
            ring.signing_key()
        with pytest.raises(KeyRingError, match="AUTOCOMMIT"):
            ring.rotate()
        assert read() == ()
    finally:
        connection.rollback()
        connection.set_autocommit(True)


@pytest.mark.usefixtures("database")
def test_a_table_that_is_missing_is_told_once(
    ring: SigningRing,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(SigningKeyRecord._meta, "db_table", "nowhere")
    for _ in range(2):
        for ask in (ring.keys, ring.signing_key, ring.published, ring.entries):
            with pytest.raises(KeysUnavailableError):
                ask()
        clock.now += 1
    (told,) = caplog.messages
    assert "manage.py migrate" in told
    forget()
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        call_command("apikit_keys", "list")


def test_a_broken_transaction_is_no_missing_table() -> None:
    assert not is_not_migrated(transaction.TransactionManagementError("broken"))
