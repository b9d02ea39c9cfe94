import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drf_apikit.oidc.courier import Courier
from tests.databases import in_threads


class Errand:
    """Runs when it is let go, and remembers for what."""

    def __init__(self) -> None:
        self.runs: list[frozenset[str]] = []
        self.threads: list[threading.Thread] = []
        self.begun, self.let_go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, wishes: frozenset[str]) -> None:
        self.runs.append(wishes)
        self.threads.append(threading.current_thread())
        self.begun.release()
        assert self.let_go.acquire(timeout=30)


@pytest.fixture
def errand() -> Errand:
    return Errand()


@pytest.fixture
def courier(errand: Errand) -> Courier[str]:
    return Courier("courier", errand)


def never() -> bool:
    return False


@contextmanager
def quickly() -> Iterator[None]:
    """See that nobody has waited for the 30 seconds that a wait may take here."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < 20


def test_wishes_are_gathered_while_an_errand_runs(
    courier: Courier[str], errand: Errand
) -> None:
    assert courier.ask("a") == 1
    assert errand.begun.acquire(timeout=10)
    assert [courier.ask(wish) for wish in "bcb"] == [2, 2, 2]
    errand.let_go.release(2)
    courier.wait(2, never, 10)
    assert errand.runs == [{"a"}, {"b", "c"}]
    assert courier.settle(10)
    # One thread, which is gone when there is nothing to do.
    (thread,) = set(errand.threads)
    assert (thread.name, thread.daemon) == ("courier", True)
    thread.join(10)
    assert not thread.is_alive()


def test_few_of_very_many_wishes_are_kept(
    courier: Courier[str], errand: Errand
) -> None:
    """Strangers may send any number while an errand takes long."""
    courier.ask("a")
    assert errand.begun.acquire(timeout=10)
    assert {courier.ask(str(number)) for number in range(1000)} == {2}
    errand.let_go.release(2)
    assert courier.wait(2, never, 10)
    assert len(errand.runs[1]) == 256
    assert courier.settle(10)


def test_one_waits_no_longer_than_need_be(
    courier: Courier[str], errand: Errand
) -> None:
    number = courier.ask("a")
    assert errand.begun.acquire(timeout=10)
    assert not courier.wait(number, never, 0.01)
    found = threading.Event()

    def wait() -> None:
        assert courier.wait(number, found.is_set, 30)

    def find() -> None:
        found.set()
        courier.tell()

    with quickly():
        in_threads(wait, find)
    assert not courier.settle(0)
    errand.let_go.release()
    assert courier.settle(10)
    # It is over.
    assert courier.wait(number, never, 30)


def test_nobody_waits_behind_what_takes_long_already(
    courier: Courier[str], errand: Errand, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("drf_apikit.oidc.courier.time.monotonic", lambda: now)
    courier.ask("a")
    assert errand.begun.acquire(timeout=10)
    now = 30.0
    with quickly():
        assert not courier.wait(courier.ask("b"), never, 30)
    assert errand.runs == [{"a"}]
    errand.let_go.release(2)
    assert courier.settle(10)


@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_an_errand_that_fails_is_logged_and_over(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_wishes: frozenset[str]) -> None:
        raise error

    courier = Courier("courier", fail)
    for _ in range(2):
        with quickly():
            assert courier.wait(courier.ask("a"), never, 30)
        assert courier.settle(10)
    assert caplog.messages == ["An errand has failed"] * 2


def test_without_a_thread_nobody_waits(
    courier: Courier[str],
    errand: Errand,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as few:
        few.setattr(threading.Thread, "start", fail)
        with quickly():
            assert courier.wait(courier.ask("a"), never, 30)
    assert caplog.messages == ["Cannot start a thread"]
    assert courier.settle(0)
    errand.let_go.release()
    courier.wait(courier.ask("b"), never, 30)
    assert errand.runs == [{"b"}]


def test_what_is_wished_at_the_very_end_is_done(
    errand: Errand, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks: list[Callable[[], int]] = []

    def at_the_end() -> None:
        while asks:
            asks.pop()()

    monkeypatch.setattr("drf_apikit.oidc.courier.close_connections", at_the_end)
    courier = Courier("courier", errand)
    asks.append(lambda: courier.ask("b"))
    errand.let_go.release(2)
    courier.ask("a")
    assert courier.settle(10)
    assert errand.runs == [{"a"}, {"b"}]


def test_the_child_of_a_fork_has_neither_thread_nor_lock(
    courier: Courier[str], errand: Errand
) -> None:
    courier.ask("a")
    assert errand.begun.acquire(timeout=10)
    courier.begin_anew()
    assert courier.settle(0)
    errand.let_go.release(2)
    courier.wait(courier.ask("b"), never, 30)
    assert {"b"} in errand.runs
    assert courier.settle(10)
