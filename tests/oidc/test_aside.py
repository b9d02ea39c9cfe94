import threading

import pytest
from django.core.cache import caches
from django.db import connections

from drf_apikit.oidc.aside import Aside, close_connections
from tests.oidc.caches import Memory


def test_calls_are_made_in_one_other_thread() -> None:
    aside = Aside("aside")
    threads = [aside.call(threading.current_thread, 10) for _ in range(2)]
    assert threads[0] is threads[1]
    assert (threads[0].name, threads[0].daemon) == ("aside", True)
    aside.end()
    threads[0].join(10)
    assert not threads[0].is_alive()


def test_what_a_call_raises_is_raised() -> None:
    error = KeyError("x")

    def fail() -> None:
        raise error

    aside = Aside("aside")
    with pytest.raises(KeyError) as raised:
        aside.call(fail, 10)
    assert raised.value is error
    assert aside.call(lambda: 7, 10) == 7
    assert not aside.is_stuck
    aside.end()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_a_thread_is_an_error_of_the_call(
    kind: type[BaseException],
) -> None:
    def fail() -> None:
        raise kind

    aside = Aside("aside")
    with pytest.raises(RuntimeError, match=kind.__name__) as raised:
        aside.call(fail, 10)
    assert isinstance(raised.value.__cause__, kind)
    assert aside.call(lambda: 7, 10) == 7
    aside.end()


def test_nobody_waits_for_a_call_that_hangs() -> None:
    let_go, ended = threading.Event(), threading.Event()
    aside = Aside("aside", ended.set)
    with pytest.raises(TimeoutError):
        aside.call(lambda: let_go.wait(30), 0.01)
    stuck = [aside.is_stuck]
    aside.end()
    let_go.set()
    assert ended.wait(10)
    assert [*stuck, aside.is_stuck] == [True, False]


def test_connections_of_a_thread_are_closed(
    shared: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    def use() -> None:
        assert caches["default"].get("x") is None
        close_connections()

    user = threading.Thread(target=use, name="user")
    user.start()
    user.join()
    assert shared.closed_by == ["user"]
    assert not caplog.records


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_a_connection_that_cannot_be_closed_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    closed: list[bool] = []

    def fail() -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(caches, "close_all", fail)
        broken.setattr(connections, "close_all", lambda: closed.append(True))
        close_connections()
    assert closed == [True]
    assert "Cannot close a connection" in caplog.text
