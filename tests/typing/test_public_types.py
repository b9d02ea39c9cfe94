"""What a type checker makes of the public names; mypy is the judge of this file.

The `type: ignore` comments are expectations: without an error there, mypy reports
them as unused.
"""

from collections.abc import Iterator
from typing import Any, assert_type

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import ConditionalMixin
from drf_apikit.conf import apikit_settings
from drf_apikit.idempotency import idempotent
from drf_apikit.keyset import (
    Cursor,
    Ordering,
    count_rows,
    keyset_iterator,
    read_slice,
    resolve_ordering,
)
from drf_apikit.pagination import CursorPagination
from drf_apikit.problems import Problem, ProblemType
from tests.app.models import Article


class Articles(ConditionalMixin, ModelViewSet[Article]):
    queryset = Article.objects.all()
    pagination_class = CursorPagination

    @idempotent(required=True)
    def publish(self, _request: Request, edition: int) -> Response:
        return Response({"edition": edition})

    @idempotent
    def retract(self, _request: Request) -> Response:
        return Response()


def test_a_decorated_handler_keeps_its_signature() -> None:
    def calls(view: Articles, request: Request) -> None:
        assert_type(view.publish(request, edition=1), Response)
        assert_type(view.retract(request), Response)
        view.publish(request, edition="x")  # type: ignore[arg-type]
        view.retract(request, 1)  # type: ignore[call-arg]

    assert callable(calls)


def test_settings_have_types() -> None:
    assert_type(apikit_settings.pagination.max_page_size, int)
    assert_type(apikit_settings.pagination.page_size, int | None)


def test_the_engine_has_types() -> None:
    queryset = Article.objects.all()
    ordering = resolve_ordering(queryset, ["-score"])
    assert_type(ordering, Ordering)
    assert_type(Cursor((1, 2)).position, tuple[Any, ...] | None)

    def reads() -> None:
        assert_type(read_slice(queryset, ordering, 2).end, tuple[Any, ...] | None)
        assert_type(keyset_iterator(queryset), Iterator[Article])
        assert_type(count_rows(queryset).count, int | None)

    assert callable(reads)


def test_a_problem_needs_its_parts() -> None:
    kind = ProblemType("not-enough", "Not enough", 409)
    assert_type(Problem(problem_type=kind).problem_type, ProblemType)

    def wrong() -> None:
        ProblemType("not-enough", "Not enough", "409")  # type: ignore[arg-type]
        Problem(problem_type="not-enough")  # type: ignore[arg-type]

    assert callable(wrong)
