import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from tests.jose.minting import public_jwk
from tests.oidc.provider import JWKS, Provider, as_json


@pytest.mark.parametrize(
    ("kind", "found"), [("cold", ["RSA", "RSA"]), ("warm", ["P-256", "RSA"])]
)
def test_the_child_of_a_busy_process_has_keys(
    provider: Provider, kind: str, found: list[str]
) -> None:
    """One that was warm has those of its parent at once."""
    asked = threading.Event()
    held = 2 if kind == "warm" else 1

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if provider.fetches == held:
            asked.set()
            provider.stopped.wait(30)
        name = "P-256" if provider.fetches == 1 else "RSA"
        as_json({"keys": [public_jwk(name)]})(handler)

    provider.answers[JWKS] = answer
    command = [sys.executable, "-m", "tests.oidc.forking", provider.url, kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "busy\n"
        assert asked.wait(10)
        out, _ = parent.communicate("go\n", timeout=30)
    assert (out.split(), parent.returncode) == (found, 0)
