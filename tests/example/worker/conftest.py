"""An API that is not well."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from worker import ledger_api


class Sick(BaseHTTPRequestHandler):
    """Answers what the test says, one after the other."""

    answers: list[tuple[int, dict[str, str], bytes]]
    keys: list[str]
    paths: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        self.answer()

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.answer()

    def answer(self) -> None:
        status, headers, body = self.answers.pop(0)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def sick(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Sick]]:
    monkeypatch.setattr(ledger_api, "LONGEST_WAIT", 0)
    handler = type("Handler", (Sick,), {"answers": [], "keys": [], "paths": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        vars_of: Any = handler
        vars_of.url = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()
        thread.join()
