"""The guide for those who come from mozilla-django-oidc, followed to the letter."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import mozilla_django_oidc
import pytest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend as MozillaBackend

from drf_apikit.login import backend, registration

ROOT: Final = Path(__file__).resolve().parents[2]
MOVING: Final = Path(__file__).resolve().parent / "moving"
GUIDE: Final = (ROOT / "docs/how-to/move-from-mozilla-django-oidc.md").read_text(
    "utf-8"
)
MOVE: Final = re.findall(r"<!-- test: move -->\n```diff\n(.*?)```", GUIDE, re.DOTALL)[0]
#: Of mozilla's settings for Django.
SETTING: Final = re.compile(r'"((?:OIDC|LOGIN|LOGOUT|ALLOW)_[A-Z_]+)"')


def applied(text: str, hunk: str) -> str:
    """Change the one place that a hunk speaks of."""
    lines = hunk.splitlines()
    was = "\n".join(line[1:] for line in lines if line[0] in " -")
    becomes = "\n".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(was) == 1, was
    return text.replace(was, becomes)


def move(project: Path) -> None:
    """Do what the guide says."""
    for part in re.split(r"^--- ", MOVE, flags=re.MULTILINE)[1:]:
        header, *hunks = part.split("@@\n")
        name, target = header.splitlines()
        assert target == f"+++ {name}"
        path = project / name
        text = path.read_text("utf-8")
        for hunk in hunks:
            text = applied(text, hunk)
        path.write_text(text, "utf-8")


def walked(project: Path) -> Any:
    paths = os.pathsep.join([str(project), str(ROOT)])
    run = subprocess.run(
        [sys.executable, "-P", MOVING / "walk.py"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": paths, "DATABASE": str(project / "db")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Walk through the project before and after, with the same database."""
    project = tmp_path_factory.mktemp("moving")
    shutil.copytree(MOVING / "shop", project / "shop")
    before = walked(project)
    move(project)
    return before, walked(project)


@pytest.fixture
def before(outcomes: tuple[Any, Any]) -> Any:
    return outcomes[0]


@pytest.fixture
def after(outcomes: tuple[Any, Any]) -> Any:
    return outcomes[1]


def test_the_move_is_ten_lines_at_the_most() -> None:
    lines = MOVE.splitlines()
    added = [line for line in lines if re.match(r"\+(?!\+\+ )", line)]
    removed = [line for line in lines if re.match(r"-(?!-- )", line)]
    assert len(removed) <= len(added) <= 10


def test_people_log_in_as_before_and_are_found(before: Any, after: Any) -> None:
    assert before["alice"]["account"]["username"] == "alice@example.com"
    for name in ("alice", "bob"):
        assert after[name]["account"] == before[name]["account"]
        assert (after[name]["status"], after[name]["to"]) == (302, "/account/")
    assert before["greeting"]
    assert after["greeting"]
    assert not after["greeting after logout"]


def test_sessions_that_are_there_go_on(before: Any, after: Any) -> None:
    assert before["former session"] is None
    assert after["former session"] == "Carol"


def test_hooks_decide_as_before(before: Any, after: Any) -> None:
    banned = "bob, banned"
    assert (before[banned]["status"], before[banned]["account"]) == (302, None)
    assert (after[banned]["status"], after[banned]["account"]) == (403, None)


@pytest.mark.parametrize("token", ["of another client", "of another issuer"])
def test_tokens_that_were_believed_are_refused(
    before: Any, after: Any, token: str
) -> None:
    assert before[token]["account"]["first_name"] == "Alice"
    assert (after[token]["status"], after[token]["account"]) == (400, None)


def test_what_was_an_error_of_the_server_is_a_page(before: Any, after: Any) -> None:
    assert before["provider down"]["status"] == 500
    assert after["provider down"]["status"] == 503


def test_it_asks_with_pkce_and_logs_out_at_the_provider(
    before: Any, after: Any
) -> None:
    assert not before["alice"]["asked_with_pkce"]
    assert after["alice"]["asked_with_pkce"]
    assert before["logout"] == {"status": 302, "to": "/"}
    assert after["logout"]["status"] == 302
    assert "/end_session?" in after["logout"]["to"]


def rows(heading: str) -> set[str]:
    """Give what the first column of a table of the guide names."""
    section = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([A-Za-z_]+)[`(]", cell)}


def test_the_guide_has_every_setting() -> None:
    package = Path(inspect.getfile(mozilla_django_oidc)).parent
    read = {
        name
        for path in package.rglob("*.py")
        for name in SETTING.findall(path.read_text("utf-8"))
    }
    assert len(read) > 35
    assert rows("Settings") == read


def test_the_guide_has_every_hook() -> None:
    assert rows("Hooks of the backend") == set(vars(MozillaBackend)) - {
        *("__init__", "__module__", "__doc__"),
        *("__firstlineno__", "__static_attributes__"),
    }


def test_the_guide_refuses_what_is_refused() -> None:
    refused = set(vars(registration)["_REFUSED"])
    told = {
        name
        for line in GUIDE.splitlines()
        if "refused" in line
        for name in re.findall(r"`([A-Za-z_]+)[`(]", line)
    }
    assert refused | set(vars(backend)["_GONE"]) <= told
