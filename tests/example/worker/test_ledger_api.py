"""An API that is not well, or says no: what is asked again, and what is not."""

from typing import Any, Final

import pytest
import requests

from worker import ledger_api
from worker.ledger_api import LedgerAPI, Paid, RefusedError
from worker.payments import Payment

PAYMENT: Final = Payment(
    id="a", source=1, target=2, amount=1, currency="EUR", reference=""
)


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
        (422, b'{"errors": 5}', RefusedError),
        (422, b'{"errors": ["x", {"pointer": "#/amount", "detail": 5}]}', RefusedError),
    ],
)
def test_what_will_not_be_better_is_asked_once(
    sick: Any, status: int, body: bytes, error: type[Exception]
) -> None:
    sick.answers.append((status, {}, body))
    with pytest.raises(error):
        pay(sick)
    assert len(sick.keys) == 1


@pytest.mark.parametrize("wait", ["\N{SUPERSCRIPT TWO}", "-1", "soon"])
def test_a_wait_that_is_no_number_is_none(sick: Any, wait: str) -> None:
    sick.answers.append((503, {"Retry-After": wait}, b""))
    with pytest.raises(requests.HTTPError):
        pay(sick)
    assert len(sick.keys) == 1


def test_nobody_there(sick: Any) -> None:
    with pytest.raises(requests.ConnectionError):
        LedgerAPI("http://127.0.0.1:1", auth=lambda request: request).pay(PAYMENT)
    assert not sick.keys
