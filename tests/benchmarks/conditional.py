"""Conditional requests: 200 and 304 beside peers, and beside what a view must cost.

The peers are Django's ConditionalGetMiddleware, Django's `condition` with the
validators that projects write for it, and drf-extensions. The list is a page of
100 rows, each with a nested author and three nested tags, about 54 kB of JSON.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from time import monotonic, sleep
from typing import Any, Final

from django.apps import apps
from django.core.cache import caches
from django.db.models import Count, Max
from django.http import HttpResponseNotModified
from django.middleware.http import ConditionalGetMiddleware
from django.test import override_settings
from django.utils.decorators import method_decorator
from django.views.decorators.http import condition
from rest_framework.generics import ListAPIView, RetrieveUpdateAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from drf_apikit.conditional import (
    Aggregate,
    ConditionalMixin,
    Generation,
    PageDigest,
    Validator,
    VersionField,
)
from drf_apikit.conditional.generations import current, install
from drf_apikit.pagination import LimitOffsetPagination
from tests.app.models import Author, Document, Label
from tests.benchmarks.harness import (
    Goal,
    measure,
    options,
    respond,
    throw_away_database,
)
from tests.services import start

FACTORY: Final = APIRequestFactory()
PAGE: Final = 100
#: Seconds for which a new generation is not used.
MARK_LIFE: Final = 1
MODELS: Final = ("tests_app.Document", "tests_app.Author", "tests_app.Label")
RELATED: Final = ("author", "tags")

OPEN: Final[Any] = {"authentication_classes": (), "permission_classes": ()}

Call = Callable[[], Any]


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ("id", "name")


class LabelSerializer(ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ("id", "name", "version")


class DocumentSerializer(ModelSerializer[Document]):
    author = AuthorSerializer(read_only=True)
    tags = LabelSerializer(many=True, read_only=True)

    class Meta:
        model = Document
        fields = ("id", "slug", "title", "text", "amount", "author", "tags", "version")


class Pages(LimitOffsetPagination):
    page_size = PAGE
    max_page_size = PAGE


class Floor(APIView):
    """The least that a view with a query can do."""

    def get(self, _request: Request, pk: int) -> Response:
        Document.objects.get(pk=pk)
        return Response({})


class EmptyFloor(APIView):
    """The least that a view can do."""

    def get(self, _request: Request, **_kwargs: Any) -> HttpResponseNotModified:
        return HttpResponseNotModified()


class Plain(RetrieveUpdateAPIView[Document]):
    queryset = Document.objects.select_related("author").prefetch_related("tags")
    serializer_class = DocumentSerializer


class PlainList(ListAPIView[Document]):
    queryset = Plain.queryset.order_by("pk")
    serializer_class = DocumentSerializer
    pagination_class = Pages


class Single(RetrieveUpdateAPIView[Document]):
    """One object without relations: one query."""

    class _Serializer(ModelSerializer[Document]):
        class Meta:
            model = Document
            fields = ("id", "slug", "title", "text", "amount", "version")

    queryset = Document.objects.all()
    serializer_class = _Serializer


def version_of(_request: Any, pk: int) -> str:
    return f'"{Document.objects.values_list("version", flat=True).get(pk=pk)}"'


def newest(_request: Any) -> str:
    found = Document.objects.aggregate(last=Max("updated_at"), rows=Count("pk"))
    return f'"{found["rows"]}-{found["last"].timestamp()}"'


def ours(base: type[Any], **attributes: Any) -> type[Any]:
    return type(f"Our{base.__name__}", (ConditionalMixin, base), attributes)


def with_condition(base: type[Any], tag: Callable[..., str]) -> type[Any]:
    """Use Django's decorator, as projects do, with a tag that misses related rows."""
    decorate = method_decorator(condition(etag_func=tag), name="dispatch")
    return decorate(type(f"Condition{base.__name__}", (base,), {}))


def get(view: type[Any], tag: str = "", **kwargs: int) -> Call:
    handler = view.as_view(**OPEN)
    headers = {"If-None-Match": tag} if tag else {}
    return lambda: respond(handler, FACTORY.get("/", headers=headers), **kwargs)


def under_middleware(view: type[Any], tag: str, **kwargs: int) -> Call:
    handler = view.as_view(**OPEN)
    headers = {"If-None-Match": tag} if tag else {}
    wrapped = ConditionalGetMiddleware(
        lambda request: respond(handler, request, **kwargs)
    )
    return lambda: wrapped(FACTORY.get("/", headers=headers))


def patch(view: type[Any], pk: int, tag: str = "") -> Call:
    handler = view.as_view(**OPEN)
    headers = {"If-Match": tag} if tag else {}

    def send() -> object:
        request = FACTORY.patch("/", {"title": "x"}, format="json", headers=headers)
        return respond(handler, request, pk=pk)

    return send


def pair(name: str, make: Callable[[str], Call], cases: dict[str, Call]) -> None:
    """Add the case of the first GET, and that of the second with the tag."""
    again = make(make("")()["ETag"])
    if again().status_code != 304:
        sys.exit(f"{name} does not answer 304")
    cases[f"{name} 200"], cases[f"{name} 304"] = make(""), again


def extensions() -> Any:
    """Give the mixin of drf-extensions, which does not install beside Django 6."""
    try:
        return import_module("rest_framework_extensions.etag.mixins").APIETAGMixin
    except ImportError:
        print("drf-extensions is missing: pip install drf-extensions (Django 5)")
        return None


def fill() -> int:
    authors = [Author.objects.create(name=f"author {n}") for n in range(10)]
    tags = [Label.objects.create(name=f"label {n}") for n in range(10)]
    for n in range(2 * PAGE):
        row = Document.objects.create(
            slug=f"d{n}", title=f"t{n}", text="x" * 200, author=authors[n % 10]
        )
        row.tags.set([tags[n % 10], tags[(n + 1) % 10], tags[(n + 2) % 10]])
    first = Document.objects.order_by("pk").first()
    return first.pk if first else 0


@contextmanager
def generations(vendor: str) -> Iterator[None]:
    """Keep generations in a real Redis while the database `vendor` is used."""
    service = start("redis")
    shared = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": service.url,
    }
    section = {
        "GENERATIONS": list(MODELS),
        "GENERATION_MARK_LIFE": MARK_LIFE,
        "CACHE": "shared",
    }
    settings = {
        "CACHES": {"default": shared, "shared": shared},
        "DRF_APIKIT": {"CONDITIONAL": section},
    }
    try:
        with override_settings(**settings), throw_away_database(vendor):
            install()
            yield
    finally:
        caches.close_all()
        service.stop()


def settle() -> None:
    """Wait until the generations can be used."""
    models = [apps.get_model(label) for label in MODELS]
    end = monotonic() + 10 * MARK_LIFE
    while current(models) is None:
        if monotonic() > end:
            sys.exit("the generations cannot be used")
        sleep(MARK_LIFE / 10)


def of_one(pk: int, cases: dict[str, Call]) -> None:
    declared: dict[str, Validator] = {
        "version": VersionField(),
        "generation": Generation(*MODELS),
    }
    for name, validator in declared.items():
        view = ours(Single, validator=validator)
        pair(f"one, {name}", partial(get, view, pk=pk), cases)
    pair("one, bytes", partial(get, ours(Single), pk=pk), cases)
    pair("one, middleware", partial(under_middleware, Single, pk=pk), cases)
    decorated = with_condition(Single, version_of)
    pair("one, condition", partial(get, decorated, pk=pk), cases)


def of_lists(cases: dict[str, Call]) -> None:
    declared: dict[str, Any] = {
        "page digest": {"list_validator": PageDigest(), "depends_on": RELATED},
        "aggregate": {"list_validator": Aggregate()},
        "generation": {"list_validator": Generation(*MODELS)},
        "bytes": {},
    }
    for name, attributes in declared.items():
        view = ours(PlainList, **attributes)
        pair(f"list, {name}", partial(get, view), cases)
    pair("list, middleware", partial(under_middleware, PlainList), cases)
    pair("list, condition", partial(get, with_condition(PlainList, newest)), cases)
    if mixin := extensions():
        extended = type("Extended", (mixin, PlainList), {})
        pair("list, drf-extensions", partial(get, extended), cases)


GOALS: Final = (
    Goal("one, version 304", "floor of one query", "at most 1.15"),
    Goal("one, generation 304", "floor without query", "at most 1.3"),
    Goal("one, condition 304", "floor of one query"),
    Goal("one, middleware 304", "floor of one query"),
    Goal("one, version 200", "one, plain 200", "at most 1.03"),
    Goal("one, bytes 200", "one, plain 200"),
    Goal("list, plain 200", "list, page digest 304", "at least 15"),
    Goal("list, plain 200", "list, aggregate 304"),
    Goal("list, plain 200", "list, generation 304", "at least 15"),
    Goal("list, plain 200", "list, condition 304"),
    Goal("list, plain 200", "list, middleware 304"),
    Goal("list, page digest 200", "list, plain 200"),
    Goal("list, bytes 200", "list, plain 200"),
    Goal("one, PATCH", "one, plain PATCH", "one statement, BEGIN and COMMIT more"),
    Goal("one, PATCH If-Match: *", "one, plain PATCH"),
)


def main() -> None:
    chosen = options(__doc__)
    with generations(chosen.database):
        pk = fill()
        settle()
        protected = ours(Single, validator=VersionField())
        cases: dict[str, Call] = {
            "floor of one query": get(Floor, pk=pk),
            "floor without query": get(EmptyFloor, pk=pk),
            "one, plain 200": get(Single, pk=pk),
            "list, plain 200": get(PlainList),
        }
        of_one(pk, cases)
        of_lists(cases)
        # What is written ends generations: after everything that reads them.
        title = f"Conditional requests on {chosen.database}"
        writes = {
            "one, plain PATCH": patch(Single, pk),
            "one, PATCH": patch(protected, pk),
            "one, PATCH If-Match: *": patch(protected, pk, "*"),
        }
        reads = [goal for goal in GOALS if goal.case in cases and goal.base in cases]
        measure(f"{title}: reads", cases, reads, chosen.rounds, repeat=3)
        rest = [goal for goal in GOALS if goal not in reads]
        measure(f"{title}: writes", writes, rest, chosen.rounds, repeat=3)


if __name__ == "__main__":
    main()
