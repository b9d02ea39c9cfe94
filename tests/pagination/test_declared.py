"""What a cursor is bound to: what the filters of a view declare, at each request."""

import gc
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from weakref import WeakSet

import django_filters
import pytest
from django.urls import path
from django_filters import rest_framework
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    permission_classes,
)
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_apikit.pagination.declared import belongs, declared_parameters
from tests.app.models import Article, Author
from tests.pagination import api
from tests.pagination.asking import cursor_of, link_of, refused

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def filter_set(*fields: str, **own: Any) -> Any:
    meta = type("Meta", (), {"model": Article, "fields": list(fields)})
    return type("Filters", (django_filters.FilterSet,), {"Meta": meta, **own})


BY_VERSION: Final = filter_set("version")
BY_TOKEN: Final = filter_set("token")
# django-filter has no types, so that nothing can be a subclass.
BASE: Final[Any] = type(
    "Base",
    (rest_framework.FilterSet,),
    {"more": django_filters.NumberFilter(field_name="score")},
)


class Filtered(api.ArticleList):
    pagination_class = api.Small
    filter_backends: Any = (DjangoFilterBackend,)
    filterset_fields: Any = None


class FilteredByWho(Filtered):
    @property
    def filterset_class(self) -> Any:
        return BY_TOKEN if "token" in self.request.headers else BY_VERSION


def dispatched(request: Any) -> Any:
    """Make a view for each request, as a dispatcher by version or tenant does."""
    fields = ["token" if "token" in request.headers else "version"]
    return Filtered.as_view(filterset_fields=fields)(request)


class Manual(APIView):
    """No queryset, and a paginator by hand."""

    authentication_classes = ()
    permission_classes = ()
    filter_backends: Any = (DjangoFilterBackend,)
    filterset_class: Any = None
    filterset_fields: Any = None
    told = True

    def get(self, request: Request) -> Response:
        rows = Article.objects.all()
        for backend in self.filter_backends:
            rows = backend().filter_queryset(request, rows, self)
        paginator = api.Small()
        view = self if self.told else None
        page = paginator.paginate_queryset(rows.values("id"), request, view=view)
        return paginator.get_paginated_response(page)


@api_view()
@authentication_classes([])
@permission_classes([])
def by_hand(request: Request, /, **_: Any) -> Response:
    paginator = api.Small()
    page = paginator.paginate_queryset(Article.objects.values("id"), request)
    return paginator.get_paginated_response(page)


urlpatterns = [
    path("who/", FilteredByWho.as_view()),
    path("dispatched/", dispatched),
    path("manual/", Manual.as_view()),
    path("manual-class/", Manual.as_view(filterset_class=BY_VERSION)),
    path("manual-fields/", Manual.as_view(filterset_fields=["version"])),
    path("manual-untold/", Manual.as_view(filterset_class=BY_VERSION, told=False)),
    path("o/<int:order>/", by_hand),
]


def at_hand(**own: Any) -> Any:
    """Make a view that is not asked over a URL."""
    return type("Hand", (), {"filter_backends": (DjangoFilterBackend,), **own})()


def declared(**own: Any) -> set[str]:
    return set(declared_parameters(at_hand(**own), Article.objects.all()))


# What is asked anew at each request


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("url", ["/who/", "/dispatched/"])
@pytest.mark.parametrize("first", ["version", "token"])
def test_what_is_declared_may_depend_on_the_request(
    client: APIClient, url: str, first: str
) -> None:
    """Whoever came first, and whichever process answered."""
    assert client.get(url, headers={first: "1"}).status_code == 200
    for name, other in (("version", "token"), ("token", "version")):
        headers = {name: "1"}
        token = Article.objects.values_list("token", flat=True)[0]
        value = "1" if name == "version" else str(token)
        text = cursor_of(client.get(url, headers=headers).json()["next"])
        following = f"{url}?cursor={text}"
        response = client.get(f"{following}&{other}=1", headers=headers)
        assert response.status_code == 200
        response = client.get(f"{following}&{name}={value}", headers=headers)
        refused(response, foreign=True)


def test_nothing_is_kept_of_what_is_made_for_a_request() -> None:
    made: WeakSet[Any] = WeakSet()

    def get_filterset_class(_: Any, view: Any, queryset: Any = None) -> Any:
        found = DjangoFilterBackend().get_filterset_class(view, queryset)
        made.add(found)
        return found

    own = {"get_filterset_class": get_filterset_class}
    backends = (type("Own", (DjangoFilterBackend,), own),)
    for name in ("version", "token"):
        names = declared(filter_backends=backends, filterset_fields=[name])
        assert names == {name}
        view = at_hand(filterset_class=filter_set(name))
        made.add(view.filterset_class)
        assert set(declared_parameters(view, None)) == {name}
        del view
    gc.collect()
    assert len(made) == 0


# Views that have no rows of their own


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    "name", ["manual", "manual-class", "manual-fields", "manual-untold"]
)
def test_a_view_without_a_queryset_is_not_asked_for_it(
    client: APIClient, name: str
) -> None:
    link = link_of(client, f"/{name}/")
    response = client.get(f"{link}&version=1")
    if name == "manual":
        assert response.status_code == 200
    else:
        refused(response, foreign=True)
    text = cursor_of(link_of(client, f"/{name}/?version=1&page_size=3"))
    response = client.get(f"/{name}/?version=1&cursor={text}")
    assert response.status_code == 200


@pytest.mark.usefixtures("articles")
def test_a_view_function_is_bound_to_the_arguments_of_its_url(
    client: APIClient,
) -> None:
    text = cursor_of(link_of(client, "/o/0/"))
    assert client.get(f"/o/0/?cursor={text}").status_code == 200
    refused(client.get(f"/o/1/?cursor={text}"), foreign=True)


def test_the_rows_of_a_view_are_not_asked_for() -> None:
    def get_queryset(_: Any) -> Any:
        raise AssertionError("a query, or a tenant that is looked up")

    own = {"get_queryset": get_queryset}
    assert declared(filterset_class=BY_VERSION, **own) == {"version"}
    assert declared(filterset_fields=["version"], **own) == {"version"}


# What names there are


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({}, set()),
        ({"filterset_fields": ()}, set()),
        ({"filterset_fields": ["version", "token"]}, {"version", "token"}),
        ({"filterset_fields": ("author__name",)}, {"author__name"}),
        ({"filterset_fields": {"version": ["gt"]}}, {"version__gt"}),
        ({"filterset_fields": {"version": ("exact",)}}, {"version"}),
        ({"filterset_fields": {"version": "__all__"}}, {"version"}),
        ({"filterset_class": BY_VERSION, "filterset_fields": ["token"]}, {"version"}),
        ({"filterset_class": BASE}, {"more"}),
    ],
    ids=[
        "nothing",
        "no fields",
        "list",
        "tuple",
        "lookup",
        "exact",
        "lookups",
        "class first",
        "own",
    ],
)
def test_names_of_django_filter(own: dict[str, Any], names: set[str]) -> None:
    assert declared(**own) == names


@pytest.mark.parametrize(
    "fields",
    [
        ["version", "day"],
        {"version": ["gt", "exact"], "created": ["year", "year__exact", "date"]},
    ],
    ids=["list", "dict"],
)
@pytest.mark.parametrize("default", ["exact", "gt"])
def test_fields_are_named_as_by_django_filter(
    fields: Any, default: str, settings: Any
) -> None:
    """No class is made of them, so they are compared with the one that is."""
    settings.FILTERS_DEFAULT_LOOKUP_EXPR = default
    view = at_hand(filterset_fields=fields)
    rows = Article.objects.all()
    filters = DjangoFilterBackend().get_filterset_class(view, rows).base_filters
    assert declared(filterset_fields=fields) == set(filters)


def test_a_filter_set_of_other_rows_does_not_filter_these() -> None:
    def get_filterset_class(backend: Any, view: Any, queryset: Any = None) -> Any:
        return DjangoFilterBackend.get_filterset_class(backend, view, queryset)

    own = {"get_filterset_class": get_filterset_class}
    backend: Any = type("Own", (DjangoFilterBackend,), own)
    view = at_hand(filter_backends=[backend], filterset_class=BY_VERSION)
    assert declared_parameters(view, Article.objects.all()) == {"version"}
    assert declared_parameters(view, Author.objects.all()) == frozenset()


def test_a_filter_set_of_ones_own_is_asked() -> None:
    backend = type("Own", (DjangoFilterBackend,), {"filterset_base": BASE})
    names = declared(filter_backends=[backend], filterset_fields=["version"])
    assert names == {"version", "more"}


def test_all_fields_are_those_of_the_rows() -> None:
    view = at_hand(filterset_fields="__all__")
    assert declared_parameters(view, Author.objects.all()) == {"name"}


class Documented(BaseFilterBackend):
    def get_schema_operation_parameters(self, _: Any) -> list[dict[str, Any]]:
        return [{"name": "near"}]


class Silent:
    def filter_queryset(self, _request: Any, queryset: Any, _view: Any) -> Any:
        return queryset


def test_names_of_other_backends() -> None:
    backends = [SearchFilter, Silent, Documented, OrderingFilter, DjangoFilterBackend]
    names = declared(filter_backends=backends, filterset_fields=["version"])
    assert names == {"search", "near", "ordering", "version"}
    assert declared(filter_backends=None) == set()
    assert declared_parameters(None, Article.objects.all()) == frozenset()


# What belongs to a name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("price", True),
        ("price_min", True),
        ("price_", True),
        ("price__range_min", True),
        ("prices", False),
        ("pric", False),
        ("_price", False),
        ("Price", False),
        ("", False),
    ],
)
def test_what_belongs_to_a_declared_name(name: str, *, expected: bool) -> None:
    assert belongs(name, frozenset({"price", "other"})) is expected


class Counting(frozenset[str]):
    """Counts how often it is asked for a name or for all of them."""

    asked: ClassVar = 0

    def __contains__(self, name: object) -> bool:
        type(self).asked += 1
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        type(self).asked += 1
        return super().__iter__()


def test_a_long_name_costs_no_more_than_a_short_one() -> None:
    """Whoever sends it chooses it, and it may be as long as a URL can be."""
    names = Counting({"price", "other"})
    assert not belongs("_" * 60_000, names)
    assert Counting.asked <= 2
