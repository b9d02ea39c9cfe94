import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from drf_apikit.oidc.shared_value import (
    PausedError,
    SharedValue,
    Timed,
    UnobtainableError,
    begin_anew,
)
from tests.oidc.caches import Memory
from tests.oidc.provider import Clock

NAME = "drf_apikit:test:value"
#: Seconds of a life, and until renewal.
LIFE, RENEW = 100, 80
PATIENCE = 8


class SourceError(Exception):
    """The source gives nothing."""


@dataclass
class Source:
    """Where values come from: numbers in turn."""

    clock: Clock
    obtained: int = 0
    answer: Callable[[], object] = lambda: None
    values: list[SharedValue[str]] = field(default_factory=list)

    def __call__(self) -> Timed[str]:
        self.obtained += 1
        number, now = self.obtained, self.clock()
        self.answer()
        return Timed(f"value {number}", now + RENEW, now + LIFE)

    def process(self, **arguments: Any) -> SharedValue[str]:
        """Give the value as another process has it."""
        means: dict[str, Any] = {"dump": dump, "load": load, "clock": self.clock}
        value = SharedValue(NAME, self, **{**means, "patience": PATIENCE, **arguments})
        self.values.append(value)
        return value

    def fail(self) -> None:
        def answer() -> None:
            raise SourceError("nothing today")

        self.answer = answer

    def mend(self) -> None:
        self.answer = lambda: None


def dump(value: str) -> str:
    return f"<{value}>"


def load(text: str) -> str:
    if not text.startswith("<"):
        raise ValueError("no value")
    return text[1:-1]


@pytest.fixture
def source(clock: Clock) -> Iterator[Source]:
    made = Source(clock)
    yield made
    assert all(value.settle(30) for value in made.values)


@pytest.fixture
def one(source: Source, shared: Memory) -> SharedValue[str]:
    assert shared.values == {}
    return source.process()


@pytest.fixture
def other(source: Source, shared: Memory) -> SharedValue[str]:
    assert shared.values == {}
    return source.process()


def settled(value: SharedValue[str]) -> SharedValue[str]:
    assert value.settle(30)
    return value


def reason(value: SharedValue[str]) -> tuple[str, int]:
    with pytest.raises(UnobtainableError) as caught:
        value.get()
    assert str(caught.value) == caught.value.reason
    return caught.value.reason, caught.value.retry_after


def test_one_obtains_and_the_others_have_it(
    one: SharedValue[str], other: SharedValue[str], source: Source, shared: Memory
) -> None:
    assert one.get() == "value 1"
    settled(one)
    calls = len(shared.calls)
    assert one.get() == "value 1"
    assert len(shared.calls) == calls
    assert other.get() == "value 1"
    assert source.obtained == 1


def test_past_its_time_one_renews_and_the_old_one_is_given_meanwhile(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    assert [one.get(), other.get()] == ["value 1"] * 2
    clock.now += RENEW
    going, go_on = threading.Event(), threading.Event()

    def answer() -> None:
        going.set()
        assert go_on.wait(30)

    source.answer = answer
    assert one.get() == "value 1"
    assert going.wait(30)
    assert [one.get(), other.get()] == ["value 1"] * 2
    settled(other)
    go_on.set()
    settled(one)
    assert one.get() == "value 2"
    # It looks again after a second.
    assert other.get() == "value 1"
    clock.now += 1
    assert other.get() == "value 1"
    assert settled(other).get() == "value 2"
    assert source.obtained == 2


def test_a_failed_renewal_is_no_failure_and_not_repeated_at_once(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    assert [one.get(), other.get()] == ["value 1"] * 2
    clock.now += RENEW
    source.fail()
    for _ in range(PATIENCE):
        assert one.get() == "value 1"
        settled(one)
        assert other.get() == "value 1"
        settled(other)
        clock.now += 1
    assert source.obtained == 2
    source.mend()
    for value in (one, other):
        assert value.get() == "value 1"
        settled(value)
    assert [one.get(), other.get()] == ["value 3"] * 2
    assert source.obtained == 3


def test_after_its_end_a_value_is_not_given(
    one: SharedValue[str], source: Source, clock: Clock
) -> None:
    assert one.get() == "value 1"
    settled(one)
    clock.now += LIFE
    source.fail()
    assert reason(one) == ("nothing today", PATIENCE)
    clock.now += PATIENCE
    source.mend()
    assert one.get() == "value 3"


def test_a_failure_is_shared_with_its_reason(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    source.fail()
    assert reason(one) == ("nothing today", PATIENCE)
    settled(one)
    source.mend()
    for value in (one, other, source.process()):
        for _ in range(2):
            assert reason(value) == ("nothing today", PATIENCE)
    clock.now += PATIENCE - 0.5
    assert reason(other) == ("nothing today", 1)
    assert source.obtained == 1
    clock.now += 0.5
    assert other.get() == "value 2"
    assert settled(one).get() == "value 2"


@pytest.mark.parametrize(("pause", "waited"), [(60, 60), (1, PATIENCE), (999, 120)])
def test_a_failure_may_ask_for_a_pause(
    one: SharedValue[str], source: Source, clock: Clock, pause: int, waited: int
) -> None:
    """All processes keep to it."""

    def answer() -> None:
        raise PausedError("never again", pause)

    source.answer, began = answer, clock.now
    assert reason(one) == ("never again", waited)
    settled(one)
    for second in (1, waited / 2, waited - 1):
        clock.now = began + second
        for value in (one, source.process()):
            told, retry_after = reason(value)
            assert (told, retry_after) == ("never again", math.ceil(waited - second))
    source.mend()
    clock.now += 1
    assert one.get() == "value 2"


def test_a_pause_is_kept_to_with_a_value_too(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    """That is told by the lock alone, since there is a value."""

    def answer() -> None:
        raise PausedError("not again", LIFE - RENEW - 1)

    assert [one.get(), other.get()] == ["value 1"] * 2
    clock.now += RENEW
    source.answer = answer
    for _ in range(LIFE - RENEW - 1):
        for value in (one, other):
            assert value.get() == "value 1"
            settled(value)
        clock.now += 1
    assert source.obtained == 2
    one.get()
    settled(one)
    assert source.obtained == 3


def test_who_was_told_of_a_failure_sees_that_another_one_was_lucky(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    source.fail()
    reason(one)
    settled(one)
    source.mend()
    # The lock has gone: somebody has emptied the cache.
    shared.values.clear()
    assert source.process().get() == "value 2"
    assert reason(one) == ("nothing today", PATIENCE)
    clock.now += 1
    assert one.get() == "value 2"


def test_a_clock_that_is_set_back_ends_a_value(
    one: SharedValue[str], clock: Clock
) -> None:
    assert one.get() == "value 1"
    clock.now -= 60
    assert one.get() == "value 1"
    clock.now -= 1
    assert settled(one).get() == "value 2"


def test_who_has_nothing_waits_for_whoever_obtains_it(
    one: SharedValue[str], other: SharedValue[str], source: Source, shared: Memory
) -> None:
    """Threads of one process do, and so do others."""
    going, waiting = threading.Event(), threading.Event()

    def answer() -> None:
        going.set()
        assert waiting.wait(30)

    def before(call: str) -> None:
        # The lock is asked for again by nobody but the other one.
        if going.is_set() and call == "add":
            waiting.set()

    source.answer, shared.before = answer, before
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda value=value: found.append(value.get()))
        for value in (one, one, other, other)
    ]
    for thread in threads[:2]:
        thread.start()
    assert going.wait(30)
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == ["value 1"] * 4
    assert source.obtained == 1


def killed(source: Source, shared: Memory, **arguments: Any) -> None:
    """Leave what a process leaves that is killed while it obtains."""
    dead = source.process(**arguments)
    taken: list[dict[str, Any]] = []
    source.answer = lambda: taken.append(dict(shared.values))
    dead.get()
    settled(dead)
    source.mend()
    shared.values = taken[0]
    assert [name for name in shared.values if name.endswith(":lock")]


def test_a_process_that_was_killed_is_replaced(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    killed(source, shared)

    def before(call: str) -> None:
        clock.now += 1 if call == "add" else 0

    shared.before = before
    assert one.get() == "value 2"


def test_one_that_was_killed_is_not_waited_for_with_a_value(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    assert one.get() == "value 1"
    settled(one)
    clock.now += RENEW
    shared.values.clear()
    killed(source, shared)
    for _ in range(PATIENCE):
        assert one.get() == "value 1"
        settled(one)
        clock.now += 1
    assert source.obtained == 2
    one.get()
    assert settled(one).get() == "value 3"


def test_nobody_waits_for_ever(source: Source, clock: Clock, shared: Memory) -> None:
    """The clock stands still, and so the lock of the dead one does not expire."""
    one = source.process(patience=1)
    killed(source, shared, patience=1)
    assert reason(one) == ("another process takes too long", 1)
    assert reason(one) == ("another process takes too long", 1)
    clock.now += PATIENCE
    assert one.get() == "value 2"


def test_without_a_thread_there_is_no_value(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert reason(source.process()) == ("it takes too long", 1)


def test_another_value_than_a_refused_one(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    assert [one.get(), other.get()] == ["value 1"] * 2
    assert one.replace("value 1") == "value 2"
    settled(one)
    # Whoever comes with an old one gets what there is.
    assert [one.replace("value 1"), other.replace("value 1")] == ["value 2"] * 2
    assert [one.get(), other.get()] == ["value 2"] * 2
    # One in thirty seconds, of all processes.
    for value in (one, other):
        assert value.replace("value 2") is None
        assert settled(value).get() == "value 2"
    assert source.obtained == 2
    clock.now += 30
    assert other.replace("value 2") == "value 3"
    assert settled(other).get() == "value 3"
    assert one.get() == "value 2"
    assert one.replace("value 2") == "value 3"
    assert source.obtained == 3


def test_alone_a_process_keeps_to_the_limit_too(source: Source, clock: Clock) -> None:
    one = source.process()
    assert one.get() == "value 1"
    assert one.replace("value 1") == "value 2"
    assert one.replace("value 2") is None
    clock.now += 30
    assert one.replace("value 2") == "value 3"


def test_where_no_other_value_can_be_had_there_is_none(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    assert [one.get(), other.get()] == ["value 1"] * 2
    source.fail()
    for _ in range(2):
        assert [one.replace("value 1"), other.replace("value 1")] == [None, None]
        settled(one)
    assert [one.get(), other.get()] == ["value 1"] * 2
    assert source.obtained == 2
    source.mend()
    clock.now += LIFE
    # There is nothing left to be refused: it is obtained as ever.
    assert other.replace("value 1") == "value 3"


def test_a_source_that_gives_the_same_again(source: Source) -> None:
    value = source.process()
    value.get()

    def same() -> None:
        source.obtained -= 1

    source.obtained, source.answer = 0, same
    assert value.replace("value 1") is None
    assert source.obtained == 0


@pytest.mark.parametrize("life", [0, -1])
def test_what_has_ended_already_is_no_value(clock: Clock, life: int) -> None:
    def obtain() -> Timed[str]:
        return Timed("value", clock(), clock() + life)

    value = SharedValue(NAME, obtain, dump=dump, load=load, clock=clock)
    assert reason(value) == ("it has ended already", 10)


def test_an_error_without_a_text_has_a_name(source: Source) -> None:
    def answer() -> None:
        raise SourceError

    source.answer = answer
    assert reason(source.process()) == ("SourceError", PATIENCE)


def test_a_value_is_in_no_repr() -> None:
    assert "secret" not in repr(Timed("secret", 1, 2))


def test_what_is_older_is_not_taken(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    one.get()
    settled(one)
    before = dict(shared.values)
    clock.now += 1
    assert one.replace("value 1") == "value 2"
    settled(one)
    shared.values = before
    clock.now += RENEW
    assert one.get() == "value 2"
    assert settled(one).get() == "value 3"
    assert source.obtained == 3


def test_a_failure_of_others_takes_no_value_away(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    one.get()
    settled(one)
    clock.now += RENEW
    shared.values.clear()
    source.fail()
    reason(source.process())
    assert one.get() == "value 1"
    assert settled(one).get() == "value 1"
    assert source.obtained == 2


def test_a_failure_without_its_reason(
    one: SharedValue[str], source: Source, shared: Memory
) -> None:
    """The lock is there, and the text has gone."""
    source.fail()
    reason(one)
    settled(one)
    del shared.values[f":1:{NAME}"]
    assert reason(source.process()) == ("another process has failed", PATIENCE)


def test_a_lock_that_is_over_is_waited_for(
    one: SharedValue[str], source: Source, clock: Clock, shared: Memory
) -> None:
    """Caches are not exact to the millisecond."""
    source.fail()
    reason(source.process())
    source.mend()
    clock.now += PATIENCE
    ((name, (lock, _)),) = [
        item for item in shared.values.items() if item[0].endswith(":lock")
    ]
    shared.values[name] = (lock, float("inf"))

    def before(call: str) -> None:
        # It is asked for the second time.
        if call == "add" and shared.calls.count("add") > 2:
            shared.values.pop(name, None)

    shared.before = before
    assert one.get() == "value 2"


def test_a_reason_is_found_with_the_lock(
    one: SharedValue[str], other: SharedValue[str], source: Source, shared: Memory
) -> None:
    """Another process has failed after we had looked."""
    source.fail()

    def before(call: str) -> None:
        if call == "add":
            shared.before = lambda _: None
            reason(other)
            settled(other)

    shared.before = before
    assert reason(one) == ("nothing today", PATIENCE)
    assert source.obtained == 1


def test_who_was_too_slow_to_fail_takes_no_value_away(
    one: SharedValue[str], other: SharedValue[str], source: Source, clock: Clock
) -> None:
    def answer() -> None:
        source.mend()
        clock.now += PATIENCE
        assert other.get() == "value 2"
        settled(other)
        raise SourceError("too slow")

    source.answer = answer
    assert one.get() == "value 2"
    assert source.process().get() == "value 2"


GOOD = {"value": "<x>", "since": 1.8e9, "renew_at": 1.8e9 + 9, "expires_at": 2e9}
SORRY = {"failure": "sorry", "since": 1.8e9, "until": 1.8e9 + 9}


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 100_000,
        "7",
        "{}",
        *(
            json.dumps({**document, **change})
            for document, change in (
                (GOOD, {"value": 7}),
                (GOOD, {"value": "unreadable"}),
                (GOOD, {"since": True}),
                (GOOD, {"since": "1"}),
                (GOOD, {"since": 1.8e9 + 61}),
                (GOOD, {"expires_at": float("nan")}),
                (GOOD, {"expires_at": 10**400}),
                (GOOD, {"expires_at": 1.7e9}),
                (SORRY, {"failure": 7}),
                (SORRY, {"until": 1.8e9 + 121}),
                (SORRY, {"until": 1.7e9}),
                (SORRY, {"since": 1.8e9 + 61}),
            )
        ),
    ],
    ids=lambda text: text[:70],
)
def test_rubbish_is_no_value(one: SharedValue[str], shared: Memory, text: str) -> None:
    shared.values[f":1:{NAME}"] = (text, float("inf"))
    assert one.get() == "value 1"


def test_what_another_process_says_is_printable(
    one: SharedValue[str], shared: Memory
) -> None:
    text = json.dumps({**SORRY, "failure": "a\nb\x1b" + "c" * 999})
    shared.values[f":1:{NAME}"] = (text, float("inf"))
    told, _ = reason(one)
    assert told == "ab" + "c" * 296


def test_the_child_of_a_fork_begins_anew(source: Source, shared: Memory) -> None:
    value = source.process()
    assert value.get() == "value 1"
    settled(value)
    begin_anew()
    calls = len(shared.calls)
    assert value.get() == "value 1"
    assert len(shared.calls) == calls
