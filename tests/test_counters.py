"""The hook itself, what it may be told, and what is said about that."""

import ast
import importlib
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import override_settings
from pytest_django import Settings

from drf_apikit import counters
from drf_apikit.conf import apikit_settings
from drf_apikit.counters import EVENTS, Event, count
from tests.counting import failing, recorded

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "drf_apikit"
REFERENCE: Final = ROOT / "docs" / "reference" / "metrics.md"
HOW_TO: Final = ROOT / "docs" / "how-to" / "count-what-happens.md"
#: What no label may be called: its values would be without end.
ENDLESS: Final = re.compile("user|principal|key|path|url|id|scope|token|cursor|tag")
PURGED: Final = "idempotency.purged"
#: What the module out of the guide is called here.
TYPED_IN: Final = "counting_as_in_the_guide"


def leaving(_event: str, _labels: dict[str, str]) -> None:
    raise SystemExit


def again(event: str, labels: dict[str, str]) -> None:
    count(event, **labels)


def hooked(hook: Callable[..., None]) -> dict[str, Any]:
    return {"METRICS": {"COUNTER": f"{hook.__module__}.{hook.__name__}"}}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "counters.py":
            name = str(path.relative_to(ROOT))
            yield name, ast.parse(path.read_text("utf-8"))


SOURCES: Final = dict(sources())


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Find all calls of `count` in modules that have imported ours."""
    for name, tree in SOURCES.items():
        if any(_is_import(node) for node in ast.walk(tree)):
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _is_count(node.func):
                    yield f"{name}:{node.lineno}", node


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == counters.__name__


def _is_count(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "count"


CALLS: Final = dict(calls())


# The hook.


def test_the_hook_gets_one_call_for_each_occurrence(settings: Settings) -> None:
    counted = recorded(settings)
    count(PURGED)
    count("idempotency.replayed", source="cache")
    count(PURGED)
    again = ("idempotency.replayed", {"source": "cache"})
    assert counted == [(PURGED, {}), again, (PURGED, {})]


def test_a_hook_may_keep_the_labels_that_it_gets(settings: Settings) -> None:
    counted = recorded(settings)
    for source in ("cache", "database"):
        count("idempotency.replayed", source=source)
    counted[0][1]["source"] = "changed"
    assert counted[1][1] == {"source": "database"}


def test_without_a_hook_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    assert apikit_settings.metrics.counter is None
    count(PURGED)
    assert not caplog.records


def test_settings_are_followed(settings: Settings) -> None:
    counted = recorded(settings)
    with override_settings(DRF_APIKIT={}):
        count(PURGED)
    assert not counted
    count(PURGED)
    # Of another setting it makes nothing.
    with override_settings(APPEND_SLASH=False):
        count(PURGED)
    assert counted == [(PURGED, {})] * 2


def test_a_hook_is_loaded_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(path: str) -> Any:
        loaded.append(path)
        return lambda _event, _labels: None

    monkeypatch.setattr(counters, "load", load)
    settings.DRF_APIKIT = hooked(failing)
    count(PURGED)
    count(PURGED)
    assert loaded == ["tests.counting.failing"]
    settings.DRF_APIKIT = hooked(again)
    count(PURGED)
    assert loaded[1:] == [f"{__name__}.again"]


@pytest.mark.parametrize(
    ("hook", "error"), [(failing, LookupError), (again, RecursionError)]
)
def test_a_hook_that_raises_decides_about_nothing(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    hook: Callable[..., None],
    error: type[Exception],
) -> None:
    settings.DRF_APIKIT = hooked(hook)
    count("idempotency.replayed", source="cache")
    count("idempotency.replayed", source="cache")
    first, second = caplog.records
    for record in (first, second):
        assert (record.name, record.levelno) == ("drf_apikit.counters", logging.ERROR)
        assert record.getMessage() == "The counter has failed at idempotency.replayed"
        assert record.exc_info
        assert record.exc_info[0] is error


def test_what_ends_the_process_is_not_held_up(settings: Settings) -> None:
    settings.DRF_APIKIT = hooked(leaving)
    with pytest.raises(SystemExit):
        count(PURGED)


@pytest.mark.parametrize(
    "section",
    [{"COUNTER": "nowhere.at_all"}, {"COUNTER": f"{__name__}.nothing"}, {"COUNTER": 7}],
    ids=["no module", "no name", "no path"],
)
def test_a_hook_that_cannot_be_loaded_is_logged_once(
    settings: Settings, caplog: pytest.LogCaptureFixture, section: dict[str, Any]
) -> None:
    settings.DRF_APIKIT = {"METRICS": section}
    count(PURGED)
    count(PURGED)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("drf_apikit.counters", logging.ERROR)
    assert "nothing is counted" in record.getMessage()


# What it may be told.


def test_the_events_are_frozen() -> None:
    events: Any = EVENTS
    with pytest.raises(TypeError):
        events["own.event"] = EVENTS[PURGED]
    with pytest.raises(TypeError):
        events[PURGED].labels["own"] = "a label"
    with pytest.raises(AttributeError):
        events[PURGED].documentation = "something else"


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_an_event_is_of_a_form(name: str, event: Event) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", name)
    assert (PACKAGE / name.partition(".")[0]).is_dir()
    assert re.fullmatch(r"[A-Z][^|\n]+\.", event.documentation)
    for label, values in event.labels.items():
        assert re.fullmatch("[a-z]+", label)
        assert not ENDLESS.fullmatch(label)
        assert re.fullmatch(r"[^|\n]+[^.]", values)


def test_nobody_imports_the_hook_in_another_way() -> None:
    """Otherwise the tests below would not see each call."""
    odd = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and re.search(r"\bcounters\b", ast.unparse(node))
        and ast.unparse(node) != "from drf_apikit.counters import count"
    ]
    assert not odd


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_of_an_event_with_its_labels(call: ast.Call) -> None:
    (event,) = map(ast.literal_eval, call.args)
    given = [str(keyword.arg) for keyword in call.keywords]
    assert sorted(given) == sorted(EVENTS[event].labels)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_counted_somewhere(name: str) -> None:
    counted = {ast.literal_eval(call.args[0]) for call in CALLS.values() if call.args}
    assert name in counted


# What is said about it.


def test_the_reference_shows_the_events() -> None:
    rows = [
        f"| `{name}` | {event.documentation} | {labels_of(event)} |"
        for name, event in EVENTS.items()
    ]
    text = REFERENCE.read_text("utf-8")
    shown = [line for line in text.splitlines() if line.startswith("| `")]
    assert shown == rows


def labels_of(event: Event) -> str:
    """Say of each label what its values are."""
    said = [f"`{name}`: {values}." for name, values in event.labels.items()]
    return " ".join(said) or "none"


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        yield server


@pytest.fixture
def how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the module for StatsD, typed in as it stands in the guide."""
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    (text,) = [block for block in blocks if "import socket" in block]
    (tmp_path / f"{TYPED_IN}.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module: Any = importlib.import_module(TYPED_IN)
    yield module
    del sys.modules[TYPED_IN]
    module.SOCKET.close()


def test_the_guide_counts_with_statsd(
    how_to: Any, statsd: socket.socket, settings: Settings
) -> None:
    how_to.ADDRESS = statsd.getsockname()
    settings.DRF_APIKIT = {"METRICS": {"COUNTER": f"{TYPED_IN}.count"}}
    count("problems.answered", type="not-found", status="404")
    assert statsd.recv(100) == b"drf_apikit.problems.answered.not-found.404:1|c"
    count(PURGED)
    assert statsd.recv(100) == b"drf_apikit.idempotency.purged:1|c"
