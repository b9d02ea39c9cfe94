"""Several processes, and threads of one, that want a key at the same time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import Change, KeyRingError, SigningRing, rows, stored
from drf_apikit.tokens.keyring.material import new_private_key
from drf_apikit.tokens.keyring.rows import read
from drf_apikit.tokens.models import SigningKeyRecord
from tests.databases import in_threads
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import DAY, HOUR, kids, ring_of, states

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("database"),
]
MANY = 8


@pytest.fixture
def ring(settings: Any, clock: Clock) -> SigningRing:
    return ring_of(settings, clock)


def processes(ring: SigningRing, clock: Clock) -> list[SigningRing]:
    return [SigningRing(ring.settings, clock) for _ in range(MANY)]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls when all of them are there, each with a connection that is open."""
    barrier = threading.Barrier(len(calls))

    def waiting(call: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        barrier.wait(30)
        return call()

    return in_threads(*[lambda call=call: waiting(call) for call in calls])


def test_processes_make_one_first_key(ring: SigningRing, clock: Clock) -> None:
    rings = processes(ring, clock)
    found = at_once(*[one.signing_key for one in rings])
    assert len({signer.kid for signer in found}) == 1
    assert SigningKeyRecord.objects.count() == 1
    assert all(kids(one) == [found[0].kid] for one in rings)


def test_threads_make_one_first_key(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counting(algorithm: str) -> str:
        made.append(algorithm)
        return new_private_key(algorithm)

    monkeypatch.setattr(stored, "new_private_key", counting)
    found = at_once(*[ring.signing_key] * MANY)
    assert len({id(signer.private_key) for signer in found}) == 1
    assert made == ["ES256"]


def test_the_schedule_makes_one_next_key(ring: SigningRing, clock: Clock) -> None:
    first = ring.signing_key().kid
    rings = processes(ring, clock)
    assert {kid for one in rings for kid in kids(one)} == {first}
    clock.now += 90 * DAY - HOUR
    at_once(*[one.signing_key for one in rings])
    assert states(ring) == ["active", "next"]
    clock.now += HOUR
    assert len({one.signing_key().kid for one in rings}) == 1


def test_commands_at_the_same_time_make_one_next_key(
    ring: SigningRing, clock: Clock
) -> None:
    ring.signing_key()
    changes = at_once(*[one.rotate for one in processes(ring, clock)])
    assert len([change for change in changes if change]) == 1
    assert states(ring) == ["active", "next"]


def test_commands_that_rotate_now_leave_one_key_that_signs(
    ring: SigningRing, clock: Clock
) -> None:
    ring.signing_key()
    rings = processes(ring, clock)
    changes = at_once(*[lambda one=one: one.rotate(now=True) for one in rings])
    done = len([change for change in changes if change])
    assert done >= 1
    assert states(ring) == [*["retired"] * done, "active"]


def test_a_key_is_retired_once(ring: SigningRing, clock: Clock) -> None:
    first = ring.signing_key().kid

    def retire(one: SigningRing) -> Change | None:
        try:
            return one.retire(first)
        except KeyRingError:
            return None

    changes = at_once(*[lambda one=one: retire(one) for one in processes(ring, clock)])
    assert len([change for change in changes if change]) == 1
    assert states(ring) == ["dead", "active"]


def test_to_retire_is_no_race_with_the_schedule(
    ring: SigningRing, clock: Clock
) -> None:
    first = ring.signing_key().kid
    one, other = processes(ring, clock)[:2]
    at_once(lambda: one.retire(first), other.rotate)
    clock.now += 15
    assert states(ring)[:2] == ["dead", "active"]
    assert ring.signing_key().kid != first


def behind(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody else act between the next read and what is made of it."""
    real = rows.read
    acted: list[bool] = []

    def reading(*, locking: bool = False) -> Any:
        found = real(locking=locking)
        if not acted:
            acted.append(True)
            in_threads(act)
        return found

    monkeypatch.setattr(rows, "read", reading)


@pytest.mark.parametrize("other", ["rotate", "now", "promote", "retire"])
def test_whoever_is_overtaken_looks_again(
    ring: SigningRing, clock: Clock, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    first = ring.signing_key().kid
    quick = SigningRing(ring.settings, clock)
    if other == "promote":
        ring.rotate()
    acts: dict[str, Callable[[], object]] = {
        "rotate": quick.rotate,
        "now": lambda: quick.rotate(now=True),
        "promote": lambda: quick.rotate(now=True),
        "retire": lambda: quick.retire(first),
    }
    behind(monkeypatch, acts[other])
    change = ring.rotate(now=True)
    # The next key of the other one signs; or its rotation will do.
    assert bool(change) is (other == "rotate")
    assert len(read()) == 2
    assert states(ring)[1] == "active"
    assert ring.signing_key().kid == read()[1].kid


@pytest.mark.parametrize("other", ["rotate", "retire"])
def test_an_emergency_is_seen_to_whatever_others_do(
    ring: SigningRing, clock: Clock, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    first = ring.signing_key().kid
    quick = SigningRing(ring.settings, clock)
    act = quick.rotate if other == "rotate" else lambda: quick.retire(first)
    behind(monkeypatch, act)
    if other == "rotate":
        assert ring.retire(first).retired == (first,)
    else:
        with pytest.raises(KeyRingError, match="dead already"):
            ring.retire(first)
    assert states(ring) == ["dead", "active"]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_the_first_key_may_be_made_behind_an_open_transaction(
    ring: SigningRing, clock: Clock
) -> None:
    """A snapshot that is older than the key does not keep it from being seen."""
    other = SigningRing(ring.settings, clock)
    with transaction.atomic():
        assert SigningKeyRecord.objects.count() == 0
        (first,) = in_threads(lambda: other.signing_key().kid)
        assert read(locking=True)[0].kid == first
        change = ring.rotate(now=True, if_due=True)
        assert not change
    assert ring.signing_key().kid == first


def test_others_may_get_in_the_way_for_too_long(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ring.signing_key().kid
    monkeypatch.setattr(rows, "end", lambda *_: False)
    with pytest.raises(KeyRingError, match="try again"):
        ring.retire(first)


@pytest.fixture
def nobody_there(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bool], None]:
    """Have connections that are made from now on go where there is no database."""
    there = dict(connections.settings["default"])
    gone = {**there, "HOST": "127.0.0.1", "PORT": 1}
    if database == "sqlite":
        gone = {**there, "NAME": tmp_path / "nowhere" / "db.sqlite3"}

    def switch(is_down: bool) -> None:
        chosen = gone if is_down else there
        monkeypatch.setitem(connections.settings, "default", chosen)

    return switch


def test_a_ring_goes_on_without_its_database(
    ring: SigningRing,
    clock: Clock,
    nobody_there: Callable[[bool], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = ring.signing_key().kid
    (second,) = ring.rotate().added
    keys = ring.keys()
    nobody_there(True)

    def outage() -> None:
        clock.now += 15
        assert ring.signing_key().kid == first
        assert ring.keys() is keys
        assert ring.refreshed("unknown") is keys
        clock.now += HOUR
        # What is to come is known as well.
        assert ring.signing_key().kid == second
        clock.now += 300 + 60
        assert kids(ring) == [second]
        # The schedule can wait, and no look is made more often than before.
        told = len(caplog.messages)
        clock.now += 90 * DAY
        assert ring.signing_key().kid == second
        assert ring.signing_key().kid == second
        assert len(caplog.messages) == told + 2
        assert "has to wait" in caplog.messages[-1]
        with pytest.raises(KeysUnavailableError, match="database cannot be asked"):
            ring.entries()
        with pytest.raises(KeysUnavailableError, match="database cannot be asked"):
            ring.retire(second)

    in_threads(outage)
    nobody_there(False)
    clock.now += 15
    assert in_threads(lambda: ring.signing_key().kid) == [second]
    assert states(ring) == ["dead", "active", "next"]


def test_without_keys_and_database_nothing_can_be_judged(
    ring: SigningRing, clock: Clock, nobody_there: Callable[[bool], None]
) -> None:
    nobody_there(True)

    def outage() -> None:
        for ask in (ring.keys, ring.signing_key, ring.published):
            with pytest.raises(KeysUnavailableError) as raised:
                ask()
            assert raised.value.issuer == "https://shop.test"
            assert raised.value.retry_after == 1

    in_threads(outage)
    nobody_there(False)
    # Who asks at once does not wait for a database that is down.
    with pytest.raises(KeysUnavailableError):
        ring.keys()
    clock.now += 1
    assert ring.signing_key().kid.startswith("k1-")


def test_a_table_that_is_missing_is_no_outage(
    ring: SigningRing,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = SigningRing(ring.settings, clock)
    first = ring.signing_key().kid
    monkeypatch.setattr(SigningKeyRecord._meta, "db_table", "nowhere")
    with pytest.raises(Exception, match="nowhere"):
        other.keys()
    clock.now += 15
    assert kids(ring) == [first]
    assert "Going on" in caplog.text
