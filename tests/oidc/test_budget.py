import pytest

from drf_apikit.oidc.budget import Budget, VainSearches
from drf_apikit.oidc.sharing import SLOTS, WINDOW, SharedLevel
from tests.oidc.provider import Clock


@pytest.fixture
def alone() -> SharedLevel:
    """Give a shared level that has no session, and so no cache."""
    return SharedLevel("drf_apikit:test")


def test_there_are_so_many_in_any_window(alone: SharedLevel, clock: Clock) -> None:
    budget, taken = Budget(), []
    for second in range(5 * WINDOW):
        if budget.take(alone, clock.now + second):
            taken.append(second)
        assert budget.is_spent(clock.now + second) is (
            len([one for one in taken if one > second - WINDOW]) >= SLOTS
        )
    assert taken == [
        window * WINDOW + slot for window in range(5) for slot in range(SLOTS)
    ]


def test_a_clock_that_is_set_back_gives_it_back(
    alone: SharedLevel, clock: Clock
) -> None:
    budget = Budget()
    for _ in range(SLOTS):
        assert budget.take(alone, clock.now)
    assert not budget.take(alone, clock.now)
    assert budget.take(alone, clock.now - 1)


def test_vain_searches_are_remembered_for_a_while(clock: Clock) -> None:
    vain = VainSearches()
    vain.add("a", clock.now, 30)
    vain.add(None, clock.now, 10)
    assert vain.has("a", clock.now)
    assert vain.has("a", clock.now + 29.9)
    assert not vain.has("a", clock.now + 30)
    assert not vain.has("a", clock.now - 1)
    assert vain.has(None, clock.now + 9)
    assert not vain.has(None, clock.now + 10)
    assert not vain.has("b", clock.now)


def test_the_memory_is_small(clock: Clock) -> None:
    vain = VainSearches()
    for number in range(1000):
        vain.add("again", clock.now, 30)
        vain.add(f"{number}", clock.now, 30)
    remembered = [n for n in range(1000) if vain.has(f"{n}", clock.now)]
    assert remembered == list(range(1000 - 127, 1000))
    assert vain.has("again", clock.now)
