"""Two editors of one account, such as two windows of one person."""

import json

from demo.exchange import ETAG, Answer, Request
from demo.expectations import (
    BEARER,
    JSON,
    Expectation,
    Step,
    header,
    member,
    problem_document,
    status,
)

__all__ = ["two_editors"]

FIRST, SECOND, BOTH = "Office", "Travel", "Office and travel"


def two_editors(url: str, read: str) -> tuple[Step, ...]:
    """Let both write what they have read; `read` is its tag by then."""
    return (
        Step(
            "Two editors, two windows: both read this account",
            Request("GET", url, BEARER),
            (status(200), header("ETag", read)),
        ),
        Step(
            "The first one saves, with If-Match, and wins",
            _rename(url, FIRST, read),
            (status(200), member("name", FIRST), _tag_moved(read)),
        ),
        Step(
            "The second one saves what it read before: refused, nothing is lost",
            _rename(url, SECOND, read),
            (
                *problem_document(412, "precondition-failed"),
                Expectation("ETag is the first one's new tag", _is_tag_of_before),
            ),
        ),
        Step(
            "It reads again, and keeps the tag",
            Request("GET", url, BEARER, keeps_etag=True),
            (
                status(200),
                member("name", FIRST),
                Expectation("ETag is that of the refusal", _is_tag_of_before),
            ),
        ),
        Step(
            "It puts both changes together, tries again, and wins",
            _rename(url, BOTH, ETAG),
            (status(200), member("name", BOTH), _tag_moved(read)),
        ),
    )


def _rename(url: str, name: str, tag: str) -> Request:
    headers = {**BEARER, **JSON, "If-Match": tag}
    return Request("PATCH", url, headers, json.dumps({"name": name}))


def _tag_moved(read: str) -> Expectation:
    return Expectation(
        "ETag is a new one",
        lambda answer, _: answer.headers.get("etag", read) != read,
    )


def _is_tag_of_before(answer: Answer, before: Answer | None) -> bool:
    tag = answer.headers.get("etag")
    return before is not None and tag is not None and tag == before.headers.get("etag")
