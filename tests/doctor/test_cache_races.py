import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from drf_apikit.doctor import cache_races
from drf_apikit.doctor.cache_child import Race, contend, take_part
from drf_apikit.doctor.cache_races import Outcome, run

FILES = "django.core.cache.backends.filebased.FileBasedCache"
LOCAL = "django.core.cache.backends.locmem.LocMemCache"


def race(name: str, keys: int = 5) -> Race:
    return Race("default", f"{name}:known", [f"{name}:{n}" for n in range(keys)], 60)


@pytest.fixture
def _files(settings: Any, tmp_path: Path) -> None:
    settings.CACHES = {"default": {"BACKEND": FILES, "LOCATION": str(tmp_path)}}


@pytest.mark.usefixtures("_files")
def test_processes_see_what_this_one_has_put_there() -> None:
    caches["default"].set("seen:known", "here")
    outcome = run(race("seen", 1), 60)
    assert outcome.known == ["here", "here"]
    assert len(outcome.by_processes) == 2
    assert outcome.failure == ""


def test_each_process_wins_in_a_memory_of_its_own(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL}}
    outcome = run(race("own"), 60)
    assert outcome == Outcome([1] * 5, [[True] * 5] * 2, [None, None])


def test_settings_that_no_process_can_be_given(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL, "KEY_FUNCTION": lambda *_: "x"}}
    settings.DJANGO_REDIS_LOCK = threading.Lock()
    outcome = run(race("unpicklable"), 60)
    assert outcome.known == outcome.by_processes == []
    assert "pickle" in outcome.failure


def test_a_process_that_does_not_answer_in_time(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL}}
    outcome = run(race("late"), 0)
    assert outcome.known == []
    assert outcome.failure == "a process did not answer in time"


def answering(*answers: Any) -> Any:
    """Be a process that says these, and ends."""

    def take_part(_race: Race, _configuration: Any, pipe: Any) -> None:
        for answer in answers:
            pipe.send(answer)
        pipe.close()

    return take_part


class Inline:
    """A context whose processes run at once, in this one."""

    Pipe = staticmethod(multiprocessing.Pipe)

    class Process:
        def __init__(self, *, target: Any, args: Any, daemon: bool) -> None:
            assert daemon
            self._call = target, args

        def start(self) -> None:
            target, args = self._call
            target(*args)

        def kill(self) -> None: ...

        def join(self, timeout: float | None = None) -> None: ...

        def close(self) -> None: ...


@pytest.mark.parametrize(
    ("answers", "known", "by_processes", "failure"),
    [
        ((), [], [], "a process has ended"),
        ((RuntimeError("no"),), [], [], "no"),
        (("here",), ["here"] * 2, [], "a process has ended"),
        (("here", RuntimeError("no")), ["here"] * 2, [], "no"),
        (("here", [True]), ["here"] * 2, [[True]] * 2, ""),
    ],
    ids=["silent", "failing", "dying", "failing later", "good"],
)
def test_what_processes_say(
    answers: Any,
    known: Any,
    by_processes: Any,
    failure: str,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL}}
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Inline)
    monkeypatch.setattr(cache_races, "take_part", answering(*answers))
    outcome = run(race(f"said:{tmp_path}", 1), 60)
    assert (outcome.known, outcome.by_processes) == (known, by_processes)
    assert outcome.failure == failure
    assert outcome.by_threads == [1]


def test_what_a_thread_raises_is_raised(settings: Any) -> None:
    backend = "tests.doctor.bad_caches.HalfBroken"
    settings.CACHES = {"default": {"BACKEND": backend}}
    with pytest.raises(ConnectionError, match="raised:0"):
        run(race("raised"), 60)


def test_a_child_races_when_it_is_told_to(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL, "LOCATION": "child"}}
    ours, theirs = multiprocessing.Pipe()
    caches["default"].set("child:known", 7)
    thread = threading.Thread(target=take_part, args=(race("child", 2), {}, theirs))
    thread.start()
    with ours:
        assert ours.recv() == 7
        ours.send("go")
        assert ours.recv() == [True, True]
    thread.join()
    assert contend(race("child", 3)) == [False, False, True]


def test_a_child_tells_what_it_cannot_do(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "nowhere.at.All"}}
    ours, theirs = multiprocessing.Pipe()
    take_part(race("broken"), {}, theirs)
    with ours:
        assert str(ours.recv()).startswith("InvalidCacheBackendError: ")


def test_a_child_whose_parent_has_gone_ends(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": LOCAL}}
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    take_part(race("alone"), {}, theirs)
    assert theirs.closed
