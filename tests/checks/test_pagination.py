import logging
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import F, JSONField, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Lower
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import clear_url_caches, include, path
from django.views import View
from pytest_django import DjangoDbBlocker
from rest_framework import pagination as drf
from rest_framework.decorators import action, api_view
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.generics import (
    GenericAPIView,
    ListAPIView,
    ListCreateAPIView,
    RetrieveAPIView,
)
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer, Serializer
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet

from drf_apikit.checks import check_pagination
from drf_apikit.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from tests.app.models import Article, Author, Book
from tests.conftest import Services

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}
NAME = f"{__name__}.Rows"
CREATED = 'models.Index(fields=["created", "id"])'
ADD = f"Add {CREATED} to Meta.indexes of tests_app.Article."

Checking = Callable[..., list[Any]]


@pytest.fixture(params=ENGINES)
def nowhere(
    request: pytest.FixtureRequest,
    django_db_blocker: DjangoDbBlocker,
    services: Services,
) -> Iterator[Any]:
    """Make `default` a database that is nowhere, and let whoever likes ask it."""
    services.require_driver(request.param)
    settings: Any = {"ENGINE": ENGINES[request.param], "NAME": "/nowhere/at/all"}
    before = connections[DEFAULT_DB_ALIAS]
    wrapper = ConnectionHandler({DEFAULT_DB_ALIAS: settings})[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = wrapper
    with django_db_blocker.unblock():
        yield wrapper
    assert wrapper.connection is None
    connections[DEFAULT_DB_ALIAS] = before


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Checking]:
    """Give a function that checks a URL configuration with these patterns."""

    def checking(*patterns: Any) -> list[Any]:
        module = ModuleType("lists_of_this_test")
        vars(module)["urlpatterns"] = list(patterns)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()
        return check_pagination()

    yield checking
    clear_url_caches()


def lists(base: Any = ListAPIView, **own: Any) -> Any:
    """Make a view of articles."""
    given = {"queryset": Article.objects.all(), "pagination_class": CursorPagination}
    namespace = {"__module__": __name__, "__qualname__": "Rows", **given, **own}
    return type("Rows", (base,), namespace)


def at(view: Any, **given: Any) -> Any:
    return path("rows/", view.as_view(**given))


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("drf_apikit.") for message in messages]


def paginator(base: Any = CursorPagination, **own: Any) -> Any:
    return type(
        "Pages", (base,), {"__module__": __name__, "__qualname__": "Pages", **own}
    )


BY_CREATED = paginator(ordering="-created")


def test_an_ordering_without_an_index(routed: Checking, nowhere: Any) -> None:
    del nowhere
    (warning,) = routed(at(lists(pagination_class=BY_CREATED)))
    assert ids([warning]) == ["W005"]
    assert warning.msg == (
        f"{NAME} orders tests_app.Article by -created, -id, and no index serves that:"
        " each page sorts all rows."
    )
    assert warning.hint == ADD


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, []),
        ({"queryset": Article.objects.order_by("created")}, ["W005"]),
        ({"queryset": Article.objects.order_by("pk")}, []),
        ({"queryset": Book.objects.all()}, []),
        ({"queryset": Book.objects.order_by("title")}, ["W005"]),
        ({"ordering": "created"}, []),
        ({"ordering": "created", "filter_backends": [SearchFilter]}, []),
        ({"ordering": "created", "filter_backends": [OrderingFilter]}, ["W005"]),
        ({"ordering": ["-created"], "filter_backends": [OrderingFilter]}, ["W005"]),
        (
            {
                "ordering": "id",
                "filter_backends": [SearchFilter, OrderingFilter],
                "pagination_class": BY_CREATED,
                "queryset": Article.objects.order_by("title"),
            },
            [],
        ),
        (
            {
                "filter_backends": [OrderingFilter],
                "pagination_class": paginator(ordering=("id",)),
                "queryset": Article.objects.order_by("title"),
            },
            [],
        ),
    ],
    ids=[
        "key",
        "queryset",
        "queryset-key",
        "related-model",
        "queryset-over-meta",
        "without-filter",
        "with-another-filter",
        "view",
        "view-list",
        "view-first",
        "paginator-before-queryset",
    ],
)
def test_the_ordering_that_is_used(
    own: dict[str, Any], expected: list[str], routed: Checking
) -> None:
    assert ids(routed(at(lists(**own)))) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["created"], ["W005"]),
        (("created", "score", "id"), ["W005", "W005"]),
        ([("created", "Time")], ["W005"]),
        (["id", "pk"], []),
        ([], []),
        (None, []),
        ("__all__", []),
        (["creatd"], ["E007"]),
        (["creatd", "extra", "shelves", "author__nam"], ["E007"] * 4),
        (["author__name"], []),
    ],
)
@pytest.mark.parametrize("place", ["view", "filter"])
def test_orderings_that_clients_choose(
    fields: Any, expected: list[str], place: str, routed: Checking
) -> None:
    own = {"ordering_fields": fields}
    backend: Any = type("Filter", (OrderingFilter,), own if place == "filter" else {})
    view = lists(filter_backends=[backend], **(own if place == "view" else {}))
    assert ids(routed(at(view))) == expected
    # Nobody reads them.
    assert routed(at(lists(ordering_fields=fields))) == []


@pytest.mark.parametrize(
    "name", ["queryset", "filter_backends", "ordering", "ordering_fields"]
)
def test_what_only_an_instance_has_is_left_alone(
    name: str, routed: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"filter_backends": [OrderingFilter], name: property(lambda _: 1 / 0)}
    assert routed(at(lists(**own))) == []
    assert caplog.text == ""


def test_who_offers_what_cannot_be_walked_is_told(routed: Checking) -> None:
    view = lists(filter_backends=[OrderingFilter], ordering_fields=["extra", "creatd"])
    unordered, unknown = routed(at(view))
    assert unordered.msg == (
        f"{NAME} cannot be paginated by 'extra': 'extra' is a JSONField, which has no"
        " order."
    )
    assert unknown.msg == (
        f"{NAME} cannot be paginated by 'creatd': 'creatd' is no column of Article."
    )
    for error, name in ((unordered, "extra"), (unknown, "creatd")):
        assert error.level == logging.ERROR
        assert error.hint == (
            "Take it out of `ordering_fields`: whoever asks for it is answered 400."
            f" ({NAME}, {name!r})"
        )


@pytest.mark.parametrize(
    ("ordering", "item"),
    [
        ("creatd", "'creatd'"),
        (["created", "creatd"], "'creatd'"),
        (["?"], "'?'"),
        ([Lower("titel")], "Lower(F(titel))"),
        (7, "7"),
    ],
)
def test_an_ordering_that_cannot_be_walked(
    ordering: Any, item: str, routed: Checking, nowhere: Any
) -> None:
    del nowhere
    view = lists(pagination_class=paginator(ordering=ordering))
    (error,) = routed(at(view))
    assert ids([error]) == ["E007"]
    assert f"{NAME} cannot be paginated by {item}: " in error.msg
    assert "Order by columns" in error.hint


def test_rows_that_cannot_be_walked(routed: Checking) -> None:
    slices = Article.objects.all()[:10]
    (error,) = routed(at(lists(queryset=slices)))
    assert ids([error]) == ["E007"]
    assert error.msg == (
        f"{NAME} cannot be paginated by its queryset: no position can be found in a"
        " slice."
    )
    # What is made for each request need not be what is declared.
    own = {"queryset": slices, "get_queryset": lambda _: Article.objects.all()}
    assert routed(at(lists(**own))) == []


class Naming(BaseFilterBackend):
    """Gives the rows a column."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        del request, view
        return queryset.annotate(heat=F("score"))


class Renaming(OrderingFilter):
    def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
        del request, queryset, view
        return ["created"]


class Strict(OrderingFilter):
    def remove_invalid_fields(self, *_: Any) -> list[str]:
        return []


@pytest.mark.parametrize(
    "own",
    [
        {"get_queryset": lambda _: Article.objects.annotate(heat=F("score"))},
        {"filter_queryset": lambda _, queryset: queryset.annotate(heat=F("score"))},
        {"filter_backends": [Naming, OrderingFilter]},
        {"filter_backends": [Renaming]},
        {"filter_backends": [Strict]},
    ],
    ids=["queryset", "filtered", "backend", "ordering", "fields"],
)
def test_names_that_only_a_request_may_give(
    own: dict[str, Any], routed: Checking
) -> None:
    """What is no column may be made one; what is one stays what it is."""
    fields = ["heat", "-heat__x", "extra", "created"]
    given = {"filter_backends": [OrderingFilter], "ordering_fields": fields, **own}
    assert ids(routed(at(lists(**given)))) == ["E007", "W005"]
    given["ordering"] = [Lower("heat"), "created"]
    assert ids(routed(at(lists(**given)))) == ["E007", "W005"]


def test_annotations_of_the_queryset(routed: Checking) -> None:
    rows = Article.objects.annotate(heat=F("score"), lower=Lower("title"))
    fields = ["heat", "lower"]
    own = {"filter_backends": [OrderingFilter], "ordering_fields": fields}
    heat, lower = routed(at(lists(queryset=rows, **own)))
    assert ids([heat, lower]) == ["W005", "W005"]
    assert 'fields=["score", "id"]' in heat.hint
    assert 'models.Index(Lower("title"), "id", name="article_' in lower.hint


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["id"]


class Nobody(Serializer[Any]):
    pass


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"serializer_class": ArticleSerializer}, ["W005"]),
        ({"serializer_class": ArticleSerializer, "queryset": []}, ["W005"]),
        ({"serializer_class": Nobody}, []),
        ({"serializer_class": None}, []),
        ({"queryset": property(lambda _: 1 / 0)}, []),
    ],
    ids=["model", "no-queryset", "no-model", "none", "property"],
)
def test_rows_that_only_the_serializer_tells_of(
    own: dict[str, Any], expected: list[str], routed: Checking
) -> None:
    given = {"queryset": None, "pagination_class": BY_CREATED, **own}
    assert ids(routed(at(lists(**given)))) == expected


def test_what_a_url_gives_to_its_view(routed: Checking) -> None:
    view = lists(pagination_class=None)
    given = {"pagination_class": BY_CREATED}
    assert routed(at(view)) == []
    assert ids(routed(at(view, **given))) == ["W005"]
    given["queryset"] = Author.objects.order_by("name")
    (warning,) = routed(
        at(view),
        at(view, pagination_class=CursorPagination, queryset=given["queryset"]),
    )
    assert 'Add models.Index(fields=["name", "id"])' in warning.hint


def test_one_remedy_is_told_once(routed: Checking) -> None:
    first, second = lists(pagination_class=BY_CREATED), lists(ListCreateAPIView)
    second.pagination_class, second.__qualname__ = BY_CREATED, "Others"
    (warning,) = routed(at(first), at(second), at(first))
    assert warning.msg.startswith(NAME)
    fields = ["created", "title"]
    third = lists(filter_backends=[OrderingFilter], ordering_fields=fields)
    assert ids(routed(at(first), at(third))) == ["W005", "W005"]


def test_views_are_found_however_deep(routed: Checking) -> None:
    deep = include(
        [path("b/", include(([at(lists(pagination_class=BY_CREATED))], "n")))]
    )
    assert ids(routed(path("a/", deep))) == ["W005"]


def wrapped(view: Any) -> Any:
    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def test_a_decorated_view_is_found(routed: Checking) -> None:
    view = lists(pagination_class=BY_CREATED).as_view()
    assert ids(routed(path("rows/", wrapped(view)))) == ["W005"]


class Acting(RetrieveModelMixin, GenericViewSet[Any]):
    @action(detail=False)
    def recent(self, _request: Any) -> Any:
        """Return rows of its own making."""


@pytest.mark.parametrize(
    ("base", "expected"),
    [(ReadOnlyModelViewSet, ["W005"]), (ModelViewSet, ["W005"]), (Acting, [])],
)
def test_view_sets_that_list(base: Any, expected: list[str], routed: Checking) -> None:
    router = DefaultRouter()
    router.register("rows", lists(base, pagination_class=BY_CREATED))
    assert ids(routed(path("api/", include(router.urls)))) == expected


def test_a_view_set_whose_list_is_not_routed(routed: Checking) -> None:
    view = lists(ModelViewSet, pagination_class=BY_CREATED)
    assert routed(at(view, actions={"post": "create"})) == []
    assert ids(routed(at(view, actions={"get": "list"}))) == ["W005"]


class Plain(View):
    pagination_class = BY_CREATED

    def list(self) -> None:
        """Be no view of REST framework."""


@api_view()
def function(_request: Any) -> Any:
    """Return nothing."""


def test_views_that_do_not_list(routed: Checking) -> None:
    own = {"pagination_class": BY_CREATED}
    assert (
        routed(
            path("a", Plain.as_view()),
            path("b", function),
            path("c", lambda _: HttpResponse()),
            at(lists(RetrieveAPIView, **own)),
            at(lists(GenericAPIView, **own)),
            "no pattern at all",
        )
        == []
    )


def test_a_paginator_with_an_ordering_of_its_own(routed: Checking) -> None:
    class Own(CursorPagination):
        ordering = "creatd"

        def get_ordering(self, *_: Any) -> tuple[Any, ...]:
            return ("id",)

    assert routed(at(lists(pagination_class=Own))) == []


@pytest.mark.parametrize("value", [None, "no class", property(lambda _: 1 / 0)])
def test_lists_without_a_paginator(value: Any, routed: Checking) -> None:
    assert routed(at(lists(pagination_class=value))) == []


@pytest.mark.parametrize(
    ("base", "own", "found"),
    [
        (drf.PageNumberPagination, {}, None),
        (drf.PageNumberPagination, {"page_size_query_param": "n"}, "max_page_size"),
        (
            drf.PageNumberPagination,
            {"page_size_query_param": "n", "max_page_size": 9},
            None,
        ),
        (
            drf.PageNumberPagination,
            {"page_size_query_param": "n", "get_page_size": lambda *_: 9},
            None,
        ),
        (drf.CursorPagination, {"ordering": "nothing"}, None),
        (drf.CursorPagination, {"page_size_query_param": "n"}, "max_page_size"),
        (
            drf.CursorPagination,
            {"page_size_query_param": "n", "max_page_size": 9},
            None,
        ),
        (drf.LimitOffsetPagination, {}, "max_limit"),
        (drf.LimitOffsetPagination, {"max_limit": 9}, None),
        (drf.LimitOffsetPagination, {"limit_query_param": None}, None),
        (drf.LimitOffsetPagination, {"get_limit": lambda *_: 9}, None),
        (drf.BasePagination, {"page_size_query_param": "n"}, None),
        (PageNumberPagination, {}, None),
        (LimitOffsetPagination, {}, None),
        (CursorPagination, {}, None),
    ],
)
def test_sizes_without_a_maximum(
    base: Any, own: dict[str, Any], found: str | None, routed: Checking
) -> None:
    view = lists(pagination_class=paginator(base, **own))
    messages = routed(at(view), at(lists(pagination_class=view.pagination_class)))
    assert ids(messages) == ([] if found is None else ["W006"])
    for message in messages:
        assert message.msg.startswith(f"{NAME} lets clients choose")
        assert f"and no {found}" in message.msg
        assert message.hint.startswith(f"Set {found} in Pages")


@pytest.mark.parametrize(
    ("base", "own", "remedy"),
    [
        (CursorPagination, {"count_strategy": "bogus"}, "one of exact, bounded,"),
        (CursorPagination, {"count_choices": ("none", "x")}, "a list out of exact,"),
        (CursorPagination, {"page_size": "25"}, "a whole number from 1;"),
        (CursorPagination, {"max_page_size": 0}, "a whole number from 1;"),
        (PageNumberPagination, {"page_size": -1}, "a whole number from 1;"),
        (PageNumberPagination, {"max_offset": -1}, "a whole number from 0;"),
        (PageNumberPagination, {"count_bound": 0}, "a whole number from 1;"),
        (PageNumberPagination, {"count_timeout": 0.5}, "a whole number from 0;"),
        (LimitOffsetPagination, {"default_limit": True}, "a whole number from 1;"),
        (LimitOffsetPagination, {"max_limit": 1.0}, "a whole number from 1;"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_attributes_that_cannot_be_used(
    base: Any, own: dict[str, Any], remedy: str, routed: Checking
) -> None:
    view = lists(pagination_class=paginator(base, **own))
    (error,) = routed(at(view), at(lists(pagination_class=view.pagination_class)))
    ((attribute, value),) = own.items()
    assert ids([error]) == ["E008"]
    assert error.msg == f"{__name__}.Pages.{attribute} is {value!r}."
    assert error.hint.startswith(f"Make {__name__}.Pages.{attribute} {remedy}")


@pytest.mark.parametrize("size", [None, 1, 10_000, property(lambda _: "a secret")])
@pytest.mark.parametrize(
    "base", [CursorPagination, LimitOffsetPagination, PageNumberPagination]
)
def test_attributes_that_can_be_used(base: Any, size: Any, routed: Checking) -> None:
    names = ("page_size", "max_page_size", "default_limit", "max_limit", "max_offset")
    own = dict.fromkeys((*names, "count_bound", "count_timeout"), size)
    own |= {"count_strategy": "none", "count_choices": "bounded"}
    assert routed(at(lists(pagination_class=paginator(base, **own)))) == []
    own = {"max_offset": 0, "count_timeout": 0, "count_choices": ()}
    assert routed(at(lists(pagination_class=paginator(base, **own)))) == []


def test_each_fault_is_told_whatever_else_is_wrong(routed: Checking) -> None:
    own = {"page_size": 0, "count_strategy": "x", "ordering": "-created"}
    first = lists(pagination_class=paginator(**own))
    assert ids(routed(at(first))) == ["E008", "E008", "W005"]
    theirs = paginator(drf.PageNumberPagination, page_size=0, count_strategy="x")
    assert routed(at(lists(pagination_class=theirs))) == []


def test_faulty_settings_have_errors_of_their_own(
    routed: Checking, settings: Any
) -> None:
    view = at(lists(pagination_class=BY_CREATED))
    settings.DRF_APIKIT = {"PAGINATION": {"PAGE_SIZE": "many"}}
    assert routed(view) == []
    settings.DRF_APIKIT = {}
    assert ids(routed(view)) == ["W005"]


def test_a_project_without_routes() -> None:
    with override_settings():
        del django_settings.ROOT_URLCONF
        assert check_pagination() == []


@isolate_apps("tests.app")
def test_what_fails_is_left_alone(
    routed: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(models.Manager[Any]):
        def get_queryset(self) -> Any:
            raise LookupError("not before Tuesday")

    class Row(models.Model):
        objects = Broken()

        class Meta:
            app_label = "tests_app"

    meta = type("Meta", (), {"model": Row})
    serializer = type("RowSerializer", (Nobody,), {"Meta": meta})
    failing = lists(queryset=None, serializer_class=serializer)
    fine = at(lists(pagination_class=BY_CREATED))
    assert ids(routed(at(failing), fine)) == ["W005"]
    assert f"The pagination of {NAME} could not be checked." in caplog.text
    assert "not before Tuesday" in caplog.text


def test_no_server_is_asked_for_its_version(
    routed: Checking, nowhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """MariaDB and MySQL cast to JSON in different words, so Django would ask."""
    text = KeyTextTransform("key", Cast("title", JSONField()))
    ordering = Cast(text, TextField())
    found = routed(at(lists(pagination_class=paginator(ordering=ordering))))
    assert ids(found) == ([] if nowhere.vendor == "mysql" else ["W005"])
    assert "connect" not in vars(nowhere)
    assert caplog.text == ""


def test_how_to_connect_is_put_back(routed: Checking, nowhere: Any) -> None:
    own = vars(nowhere)
    own["connect"] = before = nowhere.connect
    assert ids(routed(at(lists(pagination_class=BY_CREATED)))) == ["W005"]
    assert own["connect"] is before


@pytest.mark.django_db
def test_the_check_is_run_by_manage_py(routed: Checking) -> None:
    routed(at(lists(pagination_class=BY_CREATED, required_scopes=[])))
    err = StringIO()
    call_command("check", stderr=err, stdout=StringIO())
    assert "(drf_apikit.W005)" in err.getvalue()
