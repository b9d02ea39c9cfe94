"""Answers that no ledger gives: the worker stops, and says that it did."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from django.core.management.base import CommandError
from pytest_django import Settings

from worker.ledger_api import LedgerAPI
from worker.management.commands import worker

FILE: Final = "id,source,target,amount,currency,reference\na,1,2,1,EUR,x\n"
PAID: Final = {"id": 1}

Run = Callable[..., CommandError]


@pytest.fixture
def run(
    sick: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run the worker on one payment; give how it fails."""
    settings.MISSING, settings.LEDGER_URL = [], sick.url
    with_token = functools.partial(LedgerAPI, auth=lambda request: request)
    monkeypatch.setattr(worker, "LedgerAPI", with_token)
    path = tmp_path / "payments.csv"
    path.write_text(FILE)

    def build(status: int, *answers: object) -> CommandError:
        for answer in answers:
            sick.answers.append((status, {}, json.dumps(answer).encode()))
        with pytest.raises(CommandError) as raised:
            worker.Command().handle(file=path)
        return raised.value

    return build


@pytest.mark.parametrize(
    "answer", [{}, [1], "x", None, {"id": "1"}, {"id": True}, 10**18 + 0.5], ids=str
)
def test_what_is_no_transfer(run: Run, answer: object) -> None:
    failure = run(201, answer)
    assert failure.returncode == 2
    assert "Not at the end: The answer is no transfer." in str(failure)
    assert "Run it again within a day: what is paid stays paid once;" in str(failure)
    assert "later look into the books first." in str(failure)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[" * 100_000, b"9" * 5000, b"\xff"], ids=range(5)
)
def test_what_is_no_json(run: Run, sick: Any, body: bytes) -> None:
    sick.answers.append((200, {}, body))
    failure = run(200)
    assert failure.returncode == 2
    assert "The answer is no transfer." in str(failure)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"x": 1}, "no page of transfers"),
        ([], "no page of transfers"),
        ({"results": {"id": 1}, "next": None}, "no page of transfers"),
        ({"results": [1], "next": None}, "no transfer"),
        ({"results": [{"id": []}], "next": None}, "no transfer"),
        ({"results": []}, "Not in the books: [1]"),
        ({"results": [], "next": 5}, "not of the same origin"),
        ({"results": [], "next": ""}, "not of the same origin"),
    ],
    ids=str,
)
def test_what_is_no_page(run: Run, answer: object, says: str) -> None:
    failure = run(200, PAID, answer)
    assert failure.returncode == 2
    assert says in str(failure)


def test_errors_that_are_none_are_a_refusal(run: Run) -> None:
    assert run(422, {"title": "No", "errors": ["x", {"detail": 5}]}).returncode == 1


def test_books_that_may_not_be_read(run: Run, sick: Any) -> None:
    refusal = b'{"title": "No", "detail": "Not you."}'
    sick.answers += [(201, {}, b'{"id": 1}'), (403, {}, refusal)]
    failure = run(200)
    assert (failure.returncode, str(failure)) == (2, "The books: No: Not you.")


LINKS: Final = [
    "http://localhost:{port}/api/transfers/",
    "https://127.0.0.1:{port}/api/transfers/",
    "http://127.0.0.1:1/api/transfers/",
    "http://127.0.0.1/api/transfers/",
    "http://127.0.0.1:{port}@evil.example/",
    "http://127.0.0.1:99999/",
    "http://[::1",
    "//evil.example/",
    "/api/transfers/",
]


@pytest.mark.parametrize("link", LINKS)
def test_the_token_goes_to_no_other_origin(run: Run, sick: Any, link: str) -> None:
    link = link.format(port=sick.url.rpartition(":")[2])
    failure = run(200, PAID, {"results": [], "next": link}, {"results": [PAID]})
    assert failure.returncode == 2
    assert "The next page is not of the same origin." in str(failure)
    assert sick.paths == ["/api/transfers/"]


def test_a_host_that_can_be_read_in_two_ways_is_written_anew(sick: Any) -> None:
    """What comes before a backslash is the host for some, and for others is not."""
    own = sick.url.removeprefix("http://")
    pages: list[dict[str, Any]] = [
        {"results": [], "next": f"http://127.0.0.1:1\\@{own}/api/?cursor=b"},
        {"results": [], "next": f"HTTP://{own}/api/?cursor=c#x"},
        {"results": [PAID], "next": None},
    ]
    sick.answers += [(200, {}, json.dumps(page).encode()) for page in pages]
    hosts = []

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        hosts.append(str(request.url).partition("/api/")[0])
        return request

    assert list(LedgerAPI(sick.url, authorize).transfers()) == [[], [], [PAID]]
    assert sick.paths == ["/api/transfers/", "/api/?cursor=b", "/api/?cursor=c"]
    assert hosts == [sick.url] * 3
