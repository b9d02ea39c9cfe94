"""Orderings that cannot be: whose fault it is, and what is said of it."""

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, TextField
from django.db.models.functions import Lower
from django.urls import path
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from drf_apikit.pagination import CursorPagination
from drf_apikit.testing import assert_problem, walk_pages
from tests.app.models import Article, Author
from tests.pagination import api
from tests.pagination.asking import titles

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class BadDefault(api.OrderedList):
    ordering = ("extra",)


class OfUnion(api.OrderedList):
    def get_queryset(self) -> Any:
        return Article.objects.all().union(Article.objects.all())


class ByJson(api.Small):
    ordering = "extra"


class Plain:
    """An ordering filter that is not DRF's."""

    ordering_param = "by"

    def filter_queryset(self, _request: Any, queryset: Any, _view: Any) -> Any:
        return queryset

    def get_ordering(self, request: Request, _queryset: Any, _view: Any) -> Any:
        return request.query_params.get("by")


class OfPlain(api.ArticleList):
    filter_backends: Any = (Plain,)
    pagination_class = api.ByTitle


if TYPE_CHECKING:
    _Text = TextField[Any, Any]
else:
    _Text = TextField


class Opaque(_Text):
    """Values that no cursor can hold."""

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return object() if value else value

    def get_prep_value(self, value: Any) -> Any:
        return value


def opaque() -> Any:
    return Article.objects.annotate(shown=Lower("title", output_field=Opaque()))


class OpaqueList(api.OrderedList):
    ordering_fields = ("shown",)

    def get_queryset(self) -> Any:
        return opaque()


class Broken(Opaque):
    """A column whose values Python cannot read."""

    def from_db_value(self, value: Any, *_: Any) -> Any:
        raise ValueError(f"{value!r} is no colour")


class BrokenList(api.OrderedList):
    def get_queryset(self) -> Any:
        return Article.objects.annotate(colour=Lower("title", output_field=Broken()))


class Writers(api.ArticleList):
    pagination_class = api.Small

    def get_queryset(self) -> Any:
        return Author.objects.filter(articles__title__in=["x", "y"]).order_by("name")


class ByExpression(api.Small):
    ordering = F("title").desc()


urlpatterns = [
    *api.urlpatterns,
    path("bad-default/", BadDefault.as_view()),
    path("union/", OfUnion.as_view()),
    path("json/", api.listed(pagination_class=ByJson)),
    path("plain-filter/", OfPlain.as_view()),
    path("opaque/", OpaqueList.as_view()),
    path("broken/", BrokenList.as_view()),
    path("repeated/", Writers.as_view(serializer_class=api.AuthorSerializer)),
    path("by-expression/", api.listed(pagination_class=ByExpression)),
]


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("url", "order"),
    [
        ("/expression/", ["-title"]),
        ("/by-expression/", ["-title"]),
        ("/plain-filter/?by=title", ["title"]),
        ("/plain-filter/", ["-title"]),
        ("/opaque/", ["-title"]),
    ],
)
def test_any_ordering_of_a_queryset_can_be(
    client: APIClient, url: str, order: list[str]
) -> None:
    whole = Article.objects.order_by(*order).values_list("title", flat=True)
    assert titles(client, url) == "".join(whole)


@pytest.mark.usefixtures("database", "articles")
def test_rows_of_values_need_not_have_the_key(client: APIClient) -> None:
    pages = walk_pages(client, "/values-without-key/")
    rows = [row for page in pages for row in page]
    assert rows == [{"title": title} for title in "ihgfedcba"]


REMEDY = "Order a queryset by"


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("parameters", ["", "?ordering=unknown", "?ordering="])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/misspelt/", "ArticleList cannot be paginated: 'publshed' is no column"),
        ("/bad-default/", "BadDefault cannot be paginated: 'extra' is a JSON"),
        ("/union/", "OfUnion cannot be paginated: no position can be found in"),
        ("/json/", "'extra' is a JSONField"),
    ],
)
def test_the_view_s_own_fault_is_explained(
    url: str, message: str, parameters: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        APIClient().get(f"{url}{parameters}")
    assert message in str(caught.value)
    assert REMEDY in str(caught.value)


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/ordered/?ordering=extra", "ordering"),
        ("/ordered/?ordering=-extra,pk", "ordering"),
        ("/plain-filter/?by=extra", "by"),
        ("/plain-filter/?by=nothing", "by"),
        ("/plain-filter/?by=%3F", "by"),
        ("/opaque/?ordering=shown", "ordering"),
    ],
)
def test_the_client_s_own_choice_is_refused(
    client: APIClient, url: str, name: str
) -> None:
    problem = assert_problem(client.get(url), 400, "validation-error")
    (error,) = problem["errors"]
    assert error["detail"] == "The list cannot be ordered by this."
    assert (error["location"], error["name"]) == ("query", name)


def test_a_value_that_no_cursor_can_hold_is_the_view_s_fault() -> None:
    class ByShown(CursorPagination):
        ordering = "shown"
        page_size = 1

    Article.objects.bulk_create(Article(title=title) for title in "ab")
    request = Request(APIRequestFactory().get("/"))
    paginator = ByShown()
    rows = paginator.paginate_queryset(opaque(), request)
    with pytest.raises(ImproperlyConfigured, match="no cursor can hold a object"):
        paginator.get_paginated_response(rows)


def test_a_paginator_without_a_view_explains_itself_as_well() -> None:
    class Misspelt(CursorPagination):
        ordering = "x"

    request = Request(APIRequestFactory().get("/"))
    with pytest.raises(ImproperlyConfigured, match="'x' is no column of Article"):
        Misspelt().paginate_queryset(Article.objects.all(), request)


@pytest.mark.parametrize("rows", [[1, 2], "text", None], ids=type)
def test_only_a_queryset_has_positions(rows: Any) -> None:
    request = Request(APIRequestFactory().get("/"))
    with pytest.raises(ImproperlyConfigured, match="is no queryset"):
        CursorPagination().paginate_queryset(rows, request)


def test_rows_of_values_list_have_no_names() -> None:
    Article.objects.create(title="a")
    request = Request(APIRequestFactory().get("/"))
    with pytest.raises(ImproperlyConfigured, match=r"use values\(\)"):
        CursorPagination().paginate_queryset(Article.objects.values_list(), request)


@pytest.mark.parametrize("url", ["/broken/", "/broken/?ordering=pk"])
def test_a_fault_in_the_data_is_nobodys_ordering(client: APIClient, url: str) -> None:
    Article.objects.create(title="red")
    response: Any = client.get(url)
    assert response.status_code == 500
    assert isinstance(response.exc_info[1], ValueError)


@pytest.mark.usefixtures("database")
def test_a_row_that_a_filter_repeats_is_there_and_counted_once(
    client: APIClient,
) -> None:
    authors = [Author.objects.create(name=name) for name in "abc"]
    Article.objects.bulk_create(
        Article(title=title, author=author) for author in authors for title in "xyy"
    )
    pages = walk_pages(client, "/repeated/?page_size=1")
    assert [row["name"] for page in pages for row in page] == ["a", "b", "c"]
    assert client.get("/repeated/?page_size=1").json()["count"] == 3
