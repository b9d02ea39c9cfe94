"""Exceptions that nobody should raise, made up from a seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, NoReturn

from django.core import exceptions as django
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.http import Http404
from django.test import RequestFactory
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy, ngettext_lazy
from rest_framework import exceptions
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from drf_apikit.problem_types import ProblemType
from drf_apikit.problems import Problem

__all__ = ["make_context", "make_error"]

DEPTH: Final = 5000
KIND: Final = ProblemType(
    "hostile", "Hostile", 418, extensions={"first": {}, "second": {}}
)


class Raising:
    def __str__(self) -> NoReturn:
        raise RuntimeError

    __repr__ = __str__


class RaisingText(str):
    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise RuntimeError


class OtherText(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "\ud800"

    def __len__(self) -> int:
        return 0


class RaisingDict(dict[Any, Any]):
    def items(self) -> NoReturn:
        raise RuntimeError


class RaisingList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError


class NoError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError


def _raise(*_: Any) -> NoReturn:
    raise RuntimeError


def _cyclic_list() -> list[Any]:
    cycle: list[Any] = ["x"]
    cycle += [cycle, cycle]
    return cycle


def _cyclic_dict() -> dict[str, Any]:
    cycle: dict[str, Any] = {"x": ["y"]}
    cycle["self"] = cycle
    return cycle


def _deep(make: Callable[[Any], Any], leaf: Any = "x") -> Any:
    for _ in range(DEPTH):
        leaf = make(leaf)
    return leaf


LEAVES: Final[Sequence[Callable[[], Any]]] = (
    lambda: "Bad.",
    lambda: "",
    lambda: "\ud800 \0 \u2028 </script>",
    lambda: "x" * 10_000,
    lambda: b"\xff\x00",
    lambda: None,
    lambda: True,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: Decimal("sNaN"),
    lambda: 10**5000,
    lambda: datetime.now(UTC),
    lambda: {1, 2},
    lambda: (n for n in range(3)),
    lambda: lazystr(Raising()),
    lambda: gettext_lazy("scope"),
    lambda: ngettext_lazy("%(n)d a", "%(n)d b", "n"),
    Raising,
    lambda: RaisingText("x"),
    lambda: OtherText("x"),
    lambda: RaisingDict(x=["y"]),
    lambda: RaisingList(["x"]),
    lambda: ErrorDetail("x", "code"),
    lambda: ErrorDetail("x", "\ud800"),
    lambda: ErrorDetail("x", None),
    lambda: object,
    lambda: NotImplemented,
    _cyclic_list,
    _cyclic_dict,
    lambda: _deep(lambda inner: [inner]),
    lambda: _deep(lambda inner: {"a": inner}),
    lambda: _deep(lambda inner: (inner,)),
)
KEYS: Final[Sequence[Any]] = (
    "name",
    "non_field_errors",
    "a/b~c%d",
    "\ud800",
    "",
    "é",
    0,
    -1,
    None,
    True,
    b"\xff",
    (1, 2),
    float("nan"),
    OtherText("k"),
    RaisingText("k"),
    Raising(),
    "__all__",
)
STATUSES: Final[Sequence[Any]] = (
    *(400, 404, 422, 500, 599, 0, -1, 99, 200, 204, 304, 600, 999, 10**30),
    *(None, "400", 404.5, float("nan"), True, HTTPStatus.CONFLICT, Raising(), [400]),
)
HEADERS: Final[Sequence[Any]] = (
    *("plain", "a\r\nX-Leak: b", "\u20ac", "\ud800", b"\xff", None, 5, Raising()),
)
API: Final = (
    exceptions.APIException,
    exceptions.ValidationError,
    exceptions.ParseError,
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.PermissionDenied,
    exceptions.NotFound,
    exceptions.MethodNotAllowed,
    exceptions.Throttled,
)


def make_error(rng: random.Random) -> Exception:
    """Make up an exception; its parts are whatever Python lets one put there."""
    makers = (
        *(_api_exception,) * 4,
        *(_problem,) * 2,
        *(_django_validation,) * 2,
        _other,
        _group,
    )
    error = rng.choice(makers)(rng)
    if rng.random() < 0.2:
        error.__cause__ = _other(rng)
    return error


def make_context(rng: random.Random) -> dict[str, Any]:
    """Make up what DRF hands over besides the exception."""
    if rng.random() < 0.3:
        return rng.choice(({}, {"request": None}))
    traces = ("", "00-\xff", f"00-{'ab' * 16}-{'cd' * 8}-01", "00-" + "0" * 5000)
    factory = RequestFactory()
    plain = factory.generic(
        rng.choice(("GET", "POST", "BREW")), "/", HTTP_TRACEPARENT=rng.choice(traces)
    )
    if rng.random() < 0.2:
        return {"request": plain, "view": None}
    request: Any = Request(plain, authenticators=[BasicAuthentication()])
    if rng.random() < 0.2:
        request.authenticators = [object(), Raising()]
    return {"request": request}


def _tree(rng: random.Random, depth: int = 3) -> Any:
    if depth == 0 or rng.random() < 0.4:
        return rng.choice(LEAVES)()
    children = range(rng.randrange(4))
    if rng.random() < 0.5:
        return {rng.choice(KEYS): _tree(rng, depth - 1) for _ in children}
    kind = rng.choice((list, tuple))
    return kind(_tree(rng, depth - 1) for _ in children)


def _api_exception(rng: random.Random) -> Exception:
    kind = rng.choice(API)
    error: Any = kind.__new__(kind)
    error.detail = _tree(rng)
    if rng.random() < 0.5:
        error.status_code = rng.choice(STATUSES)
    if rng.random() < 0.2:
        error.default_detail = rng.choice(LEAVES)()
    if rng.random() < 0.3:
        error.auth_header = rng.choice(HEADERS)
    if rng.random() < 0.3:
        error.wait = rng.choice((0, 7.2, -1, float("nan"), float("inf"), "x", []))
    return kind_of(error)


def kind_of(error: Any) -> Exception:
    assert isinstance(error, Exception)
    return error


def _problem(rng: random.Random) -> Exception:
    error: Any = Problem(problem_type=KIND)
    error.detail = _tree(rng, 1)
    error.extensions = {
        rng.choice(("first", "second")): _tree(rng) for _ in range(rng.randrange(3))
    }
    error.headers = {
        rng.choice(("Retry-After", "X-A", "X\r\nB", "")): rng.choice(HEADERS)
        for _ in range(rng.randrange(3))
    }
    if rng.random() < 0.2:
        error.status_code = rng.choice(STATUSES)
    return kind_of(error)


def _django_validation(rng: random.Random) -> Exception:
    code: Any = rng.choice(("code", None, 5, b"\xff", Raising()))
    params: Any = rng.choice((None, {}, {"a": Raising()}, {"a": 10**5000}, {1: 2}))
    error: Any = django.ValidationError(
        rng.choice(("%(a)s", "%(missing)s", "%d", "100%", "x", gettext_lazy("scope"))),
        code=code,
        params=params,
    )
    if rng.random() < 0.3:
        error = django.ValidationError({"name": [error, "No."], "__all__": [error]})
    elif rng.random() < 0.3:
        error.message = rng.choice(LEAVES)()
    elif rng.random() < 0.3:
        error.error_list = _tree(rng, 1)
    return kind_of(error)


def _other(rng: random.Random) -> Exception:
    text = rng.choice(LEAVES)()
    kinds = (ValueError, Http404, IntegrityError, django.PermissionDenied, NoError)
    if rng.random() < 0.2:
        return ProtectedError(text, text)
    return rng.choice(kinds)(text)


def _group(rng: random.Random) -> Exception:
    error = _other(rng)
    for _ in range(rng.choice((1, 3, DEPTH))):
        error = ExceptionGroup("group", [error])
    return error
