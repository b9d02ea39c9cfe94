import subprocess
import sys
import threading

import pytest

from tests.clients.servers import Asked, Endpoint, Reply


@pytest.mark.parametrize(
    ("kind", "found", "requests"),
    [("cold", "token-1", 2), ("warm", "token-1", 1), ("due", "token-1 token-2", 3)],
)
def test_the_child_of_a_busy_process_has_a_token(
    endpoint: Endpoint, kind: str, found: str, requests: int
) -> None:
    """One that was warm has that of its parent at once, and renews it by itself."""
    held = threading.Event()

    def hold(_: Asked) -> Reply | None:
        if endpoint.requests == (2 if kind == "due" else 1) and kind != "warm":
            # The parent's, which is under way when it forks.
            asked.set()
            held.wait(30)
            return Reply(503)
        return None

    asked, endpoint.before = threading.Event(), hold
    command = [sys.executable, "-m", "tests.clients.forking", endpoint.url, kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "busy\n"
        assert kind == "warm" or asked.wait(30)
        out, _ = parent.communicate("go\n", timeout=30)
    held.set()
    assert (out.split(), parent.returncode) == (found.split(), 0)
    assert endpoint.requests == requests
