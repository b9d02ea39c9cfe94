"""The demo as a newcomer runs it, and as it ends: whole, killed, interrupted."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.management.commands.demo import Command
from demo.phone import PHONE_TRIED
from demo.tries import TRIED
from tests.conftest import in_ci
from tests.e2e.demonstration import MANAGE, finish, running

EDITORS = [200, 200, 412, 200, 200]
STATUSES = [200, 409, 304, 412, *EDITORS, 201, 201, 422, 401]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, deep enough that its name is like no other."""
    path = tmp_path / "demo"
    path.mkdir()
    return path


def test_the_check_is_right_in_every_step(folder: Path) -> None:
    code, text = finish(folder, "--check", "--rows", "2000")
    assert code == 0, text
    verdicts = re.findall(r"^\d+\. .* (ok|WRONG)$", text, re.MULTILINE)
    assert verdicts == ["ok"] * (len(STATUSES) + TRIED + PHONE_TRIED)
    answers = re.findall(r"^   < (\d{3}) ", text, re.MULTILINE)
    assert [int(answer) for answer in answers] == STATUSES
    assert '"count": 2000' in text
    assert "\x1b" not in text
    assert not list(folder.iterdir())


def test_the_printed_lines_work_and_a_kill_leaves_nothing(folder: Path) -> None:
    with running(folder, "--rows", "200") as demo:
        demo.read_until("Serving.")
        assert demo.remains()
        _paste(demo.text, folder)
        _paste_worker(demo.text, folder)
        _paste_mobile(demo.text, folder)
        demo.process.kill()
        assert demo.finish() == -signal.SIGKILL
        assert demo.remains() == []
    ports = set(re.findall(r"http://[a-z0-9.]+:(\d+)", demo.text))
    assert [_is_free(int(port)) for port in ports] == [True, True]


@pytest.mark.parametrize(
    ("until", "rows", "end", "code"),
    [
        pytest.param("Seeding", 500_000, os.killpg, 0, id="ctrl-c-while-seeding"),
        pytest.param("Seeded", 200, os.kill, 128 + 15, id="terminated"),
    ],
)
def test_an_early_end_leaves_nothing(
    folder: Path, until: str, rows: int, end: Callable[[int, int], None], code: int
) -> None:
    with running(folder, "--rows", str(rows)) as demo:
        demo.read_until(until)
        assert demo.remains()
        # Ctrl-C goes to the whole process group, an ordinary kill to one process.
        end(demo.process.pid, signal.SIGINT if end is os.killpg else signal.SIGTERM)
        assert demo.finish() == code
        assert demo.remains() == []
    assert "Traceback" not in demo.text


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        pytest.param([], "Django is missing", id="nothing"),
        pytest.param(
            ["django", "asgiref", "sqlparse"],
            "Not installed: dj_database_url",
            id="django",
        ),
    ],
)
def test_missing_packages_are_named(
    folder: Path, packages: list[str], says: str
) -> None:
    for name in packages:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (folder / name).symlink_to(Path(spec.origin).parent)
    done = subprocess.run(
        [sys.executable, "-S", str(MANAGE), "demo"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder)},
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert 'python -m pip install -e ".[example]"' in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--rows", "0"], "a whole number from 1 to", id="no-rows"),
        pytest.param(["--rows", "-1"], "a whole number from 1 to", id="less"),
        pytest.param(["--rows", "x"], "a whole number from 1 to", id="no-number"),
        pytest.param(["--rows", "9" * 5000], "a whole number from 1 to", id="endless"),
        pytest.param(["--rows", "5000001"], "from 1 to 5,000,000", id="too-many"),
        pytest.param(["--port", "0"], "from 1 to 65,535", id="port-zero"),
        pytest.param(["--port", "65536"], "from 1 to 65,535", id="port-beyond"),
        pytest.param(
            ["--port", "8000", "--identity-port", "8000"], "must differ", id="one-port"
        ),
        pytest.param(["--x"], "unrecognized arguments", id="unknown"),
        pytest.param(["5"], "unrecognized arguments", id="without-a-name"),
    ],
)
def test_bad_options_are_explained(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in _refusal(words, capsys)


@pytest.mark.parametrize("option", ["--port", "--identity-port"])
def test_a_taken_port_is_explained(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refusal = _refusal([option, str(port)], capsys)
    assert f"{option}: port {port} cannot be used" in refusal


def _refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as raised:
        Command().run_from_argv(["manage.py", "demo", *words])
    assert raised.value.code in {1, 2}
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def _paste(text: str, folder: Path) -> None:
    """Run the printed lines in a shell, as a person does."""
    if shutil.which("curl") is None:
        (pytest.fail if in_ci() else pytest.skip)("curl is missing")
    lines = text[text.index("TOKEN=") :].replace("\\\n", " ").splitlines()
    script = [line for line in lines if line.startswith(("TOKEN=", "ETAG=", "curl "))]
    assert len(script) == 2 + len(STATUSES)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        stdout=subprocess.PIPE,
        # There goes the answer whose tag is kept.
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        cwd=folder.parent,
        env={**os.environ, "no_proxy": "*"},
    )
    answers = re.findall(r"^HTTP/1\.1 (\d{3}) ", done.stdout, re.MULTILINE)
    assert [int(answer) for answer in answers] == STATUSES


def _paste_worker(text: str, folder: Path) -> None:
    """Run the printed command of the worker, twice, as it says."""
    for says in ("paid, transfer", "paid before, transfer"):
        assert _pasted("INSECURE_HTTP", text, folder).count(says) == 2


def _paste_mobile(text: str, folder: Path) -> None:
    """Run the printed command of the mobile app."""
    said = _pasted("PYTHONPATH", text, folder)
    assert "/api/accounts/: 4" in said
    assert "'current': True" in said
    assert said.endswith("Logged out.\n")


def _pasted(variable: str, text: str, folder: Path) -> str:
    """Run the printed command that begins with a variable; give what it says."""
    command = re.search(rf"^{variable}=(?:.*\\\n)+.*$", text, re.MULTILINE)
    assert command is not None
    done = subprocess.run(
        ["bash", "-c", command[0]],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder.parent,
        env={**os.environ, "no_proxy": "*"},
    )
    return done.stdout


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
