import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from drf_apikit.oidc.shared_value import SharedValue, Timed, UnobtainableError
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
