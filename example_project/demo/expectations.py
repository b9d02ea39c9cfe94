"""A step of the demo, and what makes its answer the right one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demo.exchange import TOKEN, Answer, Request

__all__ = [
    "BEARER",
    "JSON",
    "Expectation",
    "Step",
    "header",
    "member",
    "problem_document",
    "status",
]

JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that has to be so; `holds` gets this answer and the one before."""

    text: str
    holds: Callable[[Answer, Answer | None], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """A request, and what makes its answer the right one."""

    title: str
    request: Request
    expectations: Sequence[Expectation]


def status(code: int) -> Expectation:
    """Expect a status code."""
    return Expectation(f"status {code}", lambda answer, _: answer.status == code)


def header(name: str, value: str) -> Expectation:
    """Expect a header."""
    return Expectation(
        f"{name} is {value}",
        lambda answer, _: answer.headers.get(name.lower()) == value,
    )


def member(name: str, value: Any) -> Expectation:
    """Expect a member of the JSON body."""
    return Expectation(
        f"{name} is {value:,}" if isinstance(value, int) else f"{name} is {value}",
        lambda answer, _: answer.member(name) == value,
    )


def problem_document(code: int, slug: str) -> tuple[Expectation, ...]:
    """Expect a problem document of a type."""
    return (
        status(code),
        Expectation(PROBLEM, lambda answer, _: answer.media_type == PROBLEM),
        Expectation(
            f"type ends in {slug}",
            lambda answer, _: str(answer.member("type")).endswith(f"/{slug}"),
        ),
    )
