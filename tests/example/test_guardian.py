import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from demo import guardian as module
from demo.guardian import Guardian

SECONDS = 20.0
READY = "import os, signal, sys; print('ready', os.getppid(), flush=True)\n"
WAITS = f"{READY}signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    f"{READY}while True: signal.pause()"
)
TELLS = (
    "import os, signal, sys, time\n"
    "def tell(number, frame):\n"
    "    time.sleep(float(sys.argv[2]))\n"
    "    print(signal.Signals(number).name, os.path.exists(sys.argv[1]), flush=True)\n"
    "    sys.exit(7)\n"
    "signal.signal(signal.SIGINT, tell)\n"
    "signal.signal(signal.SIGTERM, tell)\n"
    f"{READY}signal.pause()"
)
# A starter in a process of its own. All that it starts holds its standard output:
# the end of that is the end of the last of them.
STARTER = """
import os, signal, subprocess, sys
from demo.guardian import Guardian
folder, extra, *command = sys.argv[1:]
keeper = Guardian().start(remove=[folder])
os.makedirs(folder + "/deep")
guardian = Guardian(grace=5)
if command:
    guardian.start(command, outlived_by=keeper)
silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
pids = []
if extra == "forks":
    if not (pid := os.fork()):
        os.close(1)
        signal.pause()
    pids.append(pid)
if extra == "executes":
    argv = [sys.executable, "-c", "import signal; signal.pause()"]
    pids.append(subprocess.Popen(argv, close_fds=False, **silent).pid)
print("started", *pids, flush=True)
signal.pause()
"""


def python(code: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


@contextmanager
def output() -> Iterator[tuple[IO[bytes], IO[str]]]:
    """A pipe: what commands write, and the end of file when all are gone."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as writer, os.fdopen(read_end) as reader:
        yield writer, reader


@contextmanager
def starter(
    folder: Path, *command: str, extra: str = ""
) -> Iterator[subprocess.Popen[str]]:
    root = str(Path(module.__file__).parents[1])
    with subprocess.Popen(
        python(STARTER, folder, extra, *command),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        start_new_session=True,
    ) as process:
        yield process


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The first lines, in order: starter and command write at the same time."""
    assert process.stdout is not None
    return sorted(process.stdout.readline().strip() for _ in range(count))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param(["sh", "-c", "exit 0"], 0, id="success"),
        pytest.param(["sh", "-c", "exit 3"], 3, id="failure"),
        pytest.param(["sh", "-c", "kill -KILL $$"], 137, id="signal"),
        pytest.param(["sh", "-c", "sleep 60 & exit 4"], 4, id="leaves-a-child"),
    ],
)
def test_exit_code_of_a_command_that_ends_by_itself(
    command: list[str], code: int
) -> None:
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(command, log=writer)
        writer.close()
        assert guardian.wait(SECONDS) == code
        assert not reader.read()


def test_missing_command() -> None:
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(["/no/such/command"], log=writer)
        writer.close()
        assert guardian.wait(SECONDS) == 127
        assert "/no/such/command" in reader.read()


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_stop_signal(name: str, tmp_path: Path) -> None:
    with output() as (writer, reader), Guardian(stop_signal=name) as guardian:
        guardian.start(python(TELLS, tmp_path, "0"), log=writer)
        writer.close()
        reader.readline()
        assert guardian.stop() == 7
        assert reader.read() == f"SIG{name} True\n"


def test_command_that_may_end_by_itself() -> None:
    code = f"{READY}import time; time.sleep(0.1); print('complete', flush=True)"
    with output() as (writer, reader), Guardian(stop_signal="CONT") as guardian:
        guardian.start(python(code), log=writer)
        writer.close()
        reader.readline()
        assert guardian.stop() == 0
        assert reader.read() == "complete\n"


def test_grace_ends_in_kill() -> None:
    with output() as (writer, reader), Guardian(grace=0.1) as guardian:
        guardian.start(python(STUBBORN), log=writer)
        writer.close()
        reader.readline()
        assert guardian.stop() == 128 + signal.SIGKILL
        assert not reader.read()


def test_command_that_is_suspended() -> None:
    code = f"{READY}os.kill(os.getpid(), signal.SIGSTOP)"
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(python(code), log=writer)
        writer.close()
        reader.readline()
        assert guardian.stop() == 128 + signal.SIGTERM


def test_terminal_signals_pass_the_guardian_by(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = f"{READY}sys.exit(int(open(sys.argv[1]).read()))"
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(python(code, fifo), log=writer)
        writer.close()
        pid = int(reader.readline().split()[1])
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
        fifo.write_text("5")
        assert guardian.wait(SECONDS) == 5


def test_sigterm_to_the_guardian_stops() -> None:
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(python(WAITS), log=writer)
        writer.close()
        os.kill(int(reader.readline().split()[1]), signal.SIGTERM)
        assert guardian.wait(SECONDS) == 128 + signal.SIGTERM
        assert not reader.read()


def test_session_and_group_of_its_own() -> None:
    code = "import os; print(os.getsid(0), os.getpgid(0), os.getpid(), os.getppid())"
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(python(code), log=writer)
        session, group, command, parent = map(int, reader.readline().split())
    assert session == parent
    assert group == command
    assert os.getsid(0) not in {session, group}


def test_command_has_no_part_in_the_pipe() -> None:
    # Standard streams, and the descriptor that lists the folder.
    code = "import os, sys; print(sorted(os.listdir('/dev/fd')), sys.stdin.read())"
    with output() as (writer, reader), Guardian() as guardian:
        with Guardian().start() as other:
            guardian.start(python(code), log=writer, outlived_by=other)
            writer.close()
            assert guardian.wait(SECONDS) == 0
        assert reader.read() == "['0', '1', '2', '3'] \n"


@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_killed_starter_leaves_nothing(tmp_path: Path, whole_group: bool) -> None:
    folder = tmp_path / "guarded"
    child = f"import subprocess, sys; subprocess.Popen(sys.argv[1:]); {WAITS}"
    with starter(folder, *python(child, *python(WAITS))) as process:
        assert [line.split()[0] for line in lines(process, 3)] == [
            *("ready", "ready", "started")
        ]
        assert (folder / "deep").is_dir()
        kill = os.killpg if whole_group else os.kill
        kill(process.pid, signal.SIGKILL)
        assert process.communicate(timeout=SECONDS)[0] == ""
    assert not folder.exists()


def test_folder_goes_after_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "guarded"
    # It takes its time to stop, in which a hasty removal would show.
    with starter(folder, *python(TELLS, folder, "0.2")) as process:
        lines(process, 2)
        process.kill()
        assert process.communicate(timeout=SECONDS)[0] == "SIGTERM True\n"
    assert not folder.exists()


@pytest.mark.parametrize("extra", ["forks", "executes"])
def test_other_children_of_the_starter_do_not_hold_it_up(
    tmp_path: Path, extra: str
) -> None:
    folder = tmp_path / "guarded"
    with starter(folder, *python(WAITS), extra=extra) as process:
        pid = int(lines(process, 2)[1].split()[1])
        process.kill()
        try:
            assert process.communicate(timeout=SECONDS)[0] == ""
            assert not folder.exists()
        finally:
            # Fails when it is gone, and so proves that it was there all along.
            os.kill(pid, signal.SIGKILL)


def test_folders_without_a_command(tmp_path: Path) -> None:
    with Guardian() as guardian:
        guardian.start(remove=[tmp_path / "a", tmp_path / "b", tmp_path / "never"])
        (tmp_path / "a" / "deep").mkdir(parents=True)
        (tmp_path / "b").symlink_to(tmp_path)
        assert guardian.poll() is None
        assert guardian.stop() == 0
    assert not list(tmp_path.iterdir())


def test_environment_and_folder_of_the_command(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['COLOUR'])"
    with output() as (writer, reader), Guardian() as guardian:
        environment = {**os.environ, "COLOUR": "blue"}
        guardian.start(python(code), env=environment, cwd=tmp_path, log=writer)
        assert reader.readline() == f"{tmp_path.resolve()} blue\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_user_of_the_command() -> None:
    with output() as (writer, reader), Guardian() as guardian:
        guardian.start(["sh", "-c", "id -u; id -g; id -G"], user=65534, log=writer)
        writer.close()
        assert reader.read().split() == ["65534"] * 3


def test_life_of_the_object() -> None:
    guardian = Guardian()
    assert guardian.poll() is None
    assert guardian.stop() is None
    with pytest.raises(RuntimeError, match="not started"):
        guardian.wait()
    with pytest.raises(RuntimeError, match="not started"):
        guardian.fileno()
    guardian.start()
    with pytest.raises(RuntimeError, match="started before"):
        guardian.start()
    assert guardian.stop() == 0
    assert guardian.stop() == 0
