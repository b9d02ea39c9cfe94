"""An API that is not well, or says no: what is asked again, and what is not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
import requests

from worker import ledger_api
from worker.ledger_api import LedgerAPI, Paid, RefusedError
from worker.payments import Payment

PAYMENT: Final = Payment(
    id="a", source=1, target=2, amount=1, currency="EUR", reference=""
)


class Sick(BaseHTTPRequestHandler):
    """Answers what the test says, one after the other."""

    answers: list[tuple[int, dict[str, str], bytes]]
    keys: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
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
    handler = type("Handler", (Sick,), {"answers": [], "keys": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        vars_of: Any = handler
        vars_of.url = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()
        thread.join()


SOON: Final = {"Retry-After": "0"}
AGAIN: Final = (201, {"Idempotent-Replayed": "true"}, b'{"id": 7}')


def pay(sick: Any) -> Paid:
    return LedgerAPI(sick.url, auth=lambda request: request).pay(PAYMENT)


@pytest.mark.parametrize("status", [409, 429, 503])
def test_it_asks_again_with_the_same_key(sick: Any, status: int) -> None:
    sick.answers += [(status, SOON, b""), (status, SOON, b""), AGAIN]
    assert pay(sick) == Paid(7, before=True)
    assert sick.keys == [PAYMENT.key] * 3


def test_it_gives_up_in_the_end(sick: Any) -> None:
    sick.answers += [(503, SOON, b'{"title": "Unavailable", "detail": "Later."}')] * 9
    with pytest.raises(requests.HTTPError, match=r"Unavailable: Later\."):
        pay(sick)
    assert len(sick.keys) == ledger_api.ATTEMPTS


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, b'{"title": "Poor", "detail": "No money."}', RefusedError),
        (404, b"<html>", RefusedError),
        (422, b"[]", RefusedError),
        (401, b"", requests.HTTPError),
        (500, b"", requests.HTTPError),
        (302, b"", requests.HTTPError),
    ],
)
def test_what_will_not_be_better_is_asked_once(
    sick: Any, status: int, body: bytes, error: type[Exception]
) -> None:
    sick.answers.append((status, {}, body))
    with pytest.raises(error):
        pay(sick)
    assert len(sick.keys) == 1


def test_nobody_there(sick: Any) -> None:
    with pytest.raises(requests.ConnectionError):
        LedgerAPI("http://127.0.0.1:1", auth=lambda request: request).pay(PAYMENT)
    assert not sick.keys
