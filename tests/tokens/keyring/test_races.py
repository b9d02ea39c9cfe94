"""Several processes, and threads of one, that want a key at the same time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import Change, KeyRingError, SigningRing, rows, stored
from drf_apikit.tokens.keyring.material import new_private_key
from drf_apikit.tokens.keyring.rows import read
from drf_apikit.tokens.keyring.timeline import Phase, phase_at
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
    came_to = states(ring)
    assert came_to[0] == "dead"
    assert came_to[1:] in (["active"], ["active", "next"], ["dead", "active"])
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
        assert ring.retire(first).retired[0] == first
    else:
        with pytest.raises(KeyRingError, match="dead already"):
            ring.retire(first)
    ended = ["dead", "dead"] if other == "rotate" else ["dead"]
    assert states(ring) == [*ended, "active"]


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
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drf_apikit.tokens.keyring.ring._PATIENCE", 0)


class Reading:
    """A read that waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.free = threading.Event(), threading.Event()
        self._real = rows.read
        monkeypatch.setattr(rows, "read", self)

    def __call__(self, *, locking: bool = False) -> Any:
        found = self._real(locking=locking)
        if not self.begun.is_set():
            self.begun.set()
            assert self.free.wait(60)
        return found


def test_while_one_thread_reads_the_others_go_on(
    ring: SigningRing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ring.signing_key().kid
    (second,) = ring.rotate().added
    clock.now += 15
    reading = Reading(monkeypatch)

    def beside() -> list[str | None]:
        assert reading.begun.wait(60)
        found = [*kids(ring), ring.signing_key().kid]
        # What changes with time does so at its time.
        clock.now += HOUR
        found.append(ring.signing_key().kid)
        clock.now += 300 + 60
        found.extend(kids(ring))
        reading.free.set()
        return found

    found, _ = in_threads(beside, ring.keys)
    assert found == [first, second, first, second, second]
    assert kids(ring) == [second]


def test_a_look_is_not_forgotten_over_what_time_changes(
    ring: SigningRing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.signing_key()
    (second,) = ring.rotate().added
    clock.now += HOUR - 1
    ring.keys()
    clock.now += 1
    added: list[str] = []

    def slow(*arguments: Any) -> Phase:
        phase = phase_at(*arguments)
        if not added:
            added.append("")
            added[:] = in_threads(ring.rotate)[0].added
        return phase

    monkeypatch.setattr("drf_apikit.tokens.keyring.ring.phase_at", slow)
    assert ring.signing_key().kid == second
    assert kids(ring)[1:] == [second, *added]
    assert added[0].startswith("k3-")


@pytest.mark.usefixtures("hasty")
def test_nobody_waits_for_ever_for_a_first_look(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(monkeypatch)

    def beside() -> str:
        assert reading.begun.wait(60)
        with pytest.raises(KeysUnavailableError) as raised:
            ring.keys()
        reading.free.set()
        return str(raised.value)

    told, keys = in_threads(beside, lambda: ring.keys().keys)
    assert (told, keys) == ("reading the keys takes too long", ())


def test_a_look_is_not_made_twice(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had to wait for another one's look has what that one has found."""
    reads = []
    reading = Reading(monkeypatch)

    def counting(*, locking: bool = False) -> Any:
        reads.append(locking)
        return reading(locking=locking)

    class Lock:
        """Tells when somebody waits."""

        def __init__(self) -> None:
            self.real = threading.Lock()
            self.release = self.real.release

        def acquire(self, timeout: float) -> bool:
            if reading.begun.is_set():
                reading.free.set()
            return self.real.acquire(timeout=timeout)

    monkeypatch.setattr(rows, "read", counting)
    vars(ring)["_looking"] = Lock()

    def beside() -> object:
        assert reading.begun.wait(60)
        return ring.keys()

    first, second = in_threads(beside, ring.keys)
    assert first is second
    assert len(reads) == 1


@pytest.mark.usefixtures("hasty")
def test_nobody_waits_for_ever_for_a_first_key(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free = threading.Event(), threading.Event()

    def slow(algorithm: str) -> str:
        begun.set()
        assert free.wait(60)
        return new_private_key(algorithm)

    monkeypatch.setattr(stored, "new_private_key", slow)

    def beside() -> str:
        assert begun.wait(60)
        with pytest.raises(KeysUnavailableError) as raised:
            ring.signing_key()
        free.set()
        return str(raised.value)

    told, kid = in_threads(beside, lambda: ring.signing_key().kid)
    assert told == "making the first key takes too long"
    assert kid.startswith("k1-")


def contention() -> OperationalError:
    """Make what PostgreSQL says of a deadlock."""
    cause = Exception()
    vars(cause)["sqlstate"] = "40P01"
    error = OperationalError("deadlock")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("times", [1, 100])
def test_locks_of_others_are_waited_for_a_few_times(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    real, tried = rows.insert, []

    def locked(record: SigningKeyRecord, _gone: object) -> None:
        tried.append(record)
        if len(tried) <= times:
            raise contention()
        real(record)

    monkeypatch.setattr(rows, "insert", locked)
    if times == 1:
        assert ring.signing_key().kid == read()[0].kid
        assert len(tried) == 2
    else:
        with pytest.raises(KeysUnavailableError, match="try again"):
            ring.signing_key()
        assert len(tried) == 5


def test_a_mistake_is_no_contention(
    ring: SigningRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise OperationalError(1364, "no default")

    monkeypatch.setattr(rows, "insert", wrong)
    with pytest.raises(OperationalError, match="no default"):
        ring.signing_key()


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
