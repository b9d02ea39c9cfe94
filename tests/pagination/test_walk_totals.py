"""What a total costs in a walk, and what it holds for."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from tests.app.models import Article
from tests.pagination import api
from tests.pagination.asking import link_of, links_of, selects, total_of

pytestmark = [pytest.mark.urls("tests.pagination.kinds"), pytest.mark.django_db]


# Queries


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    "path", ["/cursor/", "/by-title/", "/by-title/?page_size=1", "/default-ordered/"]
)
def test_a_walk_counts_once_and_reads_once_for_each_page(
    client: APIClient, database: str, path: str
) -> None:
    response, reads, counts = selects(client, path)
    assert (reads, counts) == (1, 1)
    pages = 1
    while url := response.json()["next"]:
        response, reads, counts = selects(client, url)
        pages += 1
        assert counts == 0
        assert reads in READS.get((database, path.partition("?")[0]), {1})
        assert total_of(response) == (9, "exact")
    while url := response.json()["previous"]:
        response, _, counts = selects(client, url)
        pages -= 1
        assert (counts, total_of(response)) == (0, (9, "exact"))
    assert pages == 1


#: Elsewhere it is one. A position of n columns has up to n ranges in SQLite, and
#: one more for NULL.
READS: Final = {
    ("sqlite", "/by-title/"): {1, 2},
    ("sqlite", "/default-ordered/"): {1, 2, 3, 4},
    ("postgresql", "/default-ordered/"): {1, 2, 3},
}


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("name", ["first", "last"])
def test_the_ends_are_counted_anew_only_without_a_cursor(
    client: APIClient, name: str
) -> None:
    response, _, _ = selects(client, links_of(client.get("/cursor/"))[name])
    _, reads, counts = selects(client, links_of(response)[name])
    assert (reads, counts) == (1, int(name == "first"))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("suffix", ["", "-bounded", "-choice"])
def test_a_list_that_fits_one_page_is_never_counted(
    client: APIClient, kind: str, rows: int, suffix: str
) -> None:
    Article.objects.bulk_create(Article() for _ in range(rows))
    response, reads, counts = selects(client, f"/{kind}{suffix}/")
    assert (reads, counts) == (1, 0)
    assert total_of(response) == (rows, "exact")


@pytest.mark.usefixtures("database", "articles")
def test_by_offset_each_page_but_the_last_is_counted(client: APIClient) -> None:
    for name in ("offset", "page"):
        url, costs = f"/{name}/?page_size=4&limit=4", []
        while url:
            response, reads, counts = selects(client, url)
            costs.append((reads, counts))
            assert total_of(response) == (9, "exact")
            url = response.json()["next"]
        assert costs == [(1, 1), (1, 1), (1, 0)]


@pytest.mark.usefixtures("articles")
def test_nothing_is_counted_where_nobody_wants_it(client: APIClient, kind: str) -> None:
    url = f"/{kind}-choice/?count=none"
    while url:
        response, reads, counts = selects(client, url)
        assert (reads, counts) in {(1, 0), (2, 0)}
        assert total_of(response) == (None, None)
        url = response.json()["next"]


# What a total holds for


@pytest.mark.usefixtures("database", "articles")
def test_a_total_is_of_the_beginning_of_the_walk(client: APIClient) -> None:
    link = link_of(client, "/cursor/")
    Article.objects.filter(title__in=["h", "i"]).delete()
    assert total_of(client.get(link)) == (9, "exact")
    assert total_of(client.get("/cursor/")) == (7, "exact")
    Article.objects.filter(title__gt="d").delete()
    assert total_of(client.get(link)) == (9, "exact")


@dataclass(frozen=True)
class Token:
    """A token of a machine, or some other credential."""

    issuer: str | None = None
    client_id: str | None = None
    key: str = ""


def known(pk: Any, label: str = "auth.user") -> Any:
    """Give a user without a table, as authentication classes can."""
    return SimpleNamespace(pk=pk, _meta=label, is_authenticated=True)


NOBODY: Final = SimpleNamespace(pk=None, is_authenticated=True)
ISSUER: Final = "https://id.example"
PRINCIPALS: Final[dict[str, tuple[Any, Any]]] = {
    "one": (User(pk=1, username="one"), None),
    "two": (User(pk=2, username="two"), None),
    "text": (known("1"), None),
    "another model": (known(1, "shop.customer"), None),
    "no model": (SimpleNamespace(pk=1, is_authenticated=True), None),
    "machine": (NOBODY, Token(ISSUER, "a")),
    "other machine": (NOBODY, Token(ISSUER, "b")),
    "other issuer": (NOBODY, Token("https://other.example", "a")),
    "anybody": (AnonymousUser(), None),
}
SAME: Final = {("one", "text"), ("text", "one")}


def login(client: APIClient, name: str) -> None:
    user, token = PRINCIPALS[name]
    client.force_authenticate(user, token)


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("name", PRINCIPALS)
def test_a_total_is_kept_for_whom_it_was_counted(client: APIClient, name: str) -> None:
    login(client, name)
    link = link_of(client, "/cursor/")
    for other in PRINCIPALS:
        login(client, other)
        response, _, counts = selects(client, link)
        assert response.status_code == 200
        same = name == other or (name, other) in SAME
        assert counts == int(not same), other


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("user", "token"),
    [
        (NOBODY, None),
        (NOBODY, Token()),
        (NOBODY, Token(ISSUER)),
        (NOBODY, Token(client_id="a")),
        (AnonymousUser(), Token(key="x")),
    ],
)
def test_whose_total_it_is_must_be_known(
    client: APIClient, user: Any, token: Any
) -> None:
    client.force_authenticate(user, token)
    link = link_of(client, "/cursor/")
    for _ in range(2):
        response, _, counts = selects(client, link)
        assert (counts, total_of(response)) == (1, (9, "exact"))
        link = response.json()["next"]


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("parameters", "total"),
    [
        ("page_size=3", (9, "exact", 0)),
        ("format=json", (9, "exact", 0)),
        ("flag=1", (5, "exact", 1)),
        ("expand=author", (9, "exact", 1)),
        ("count=bounded", (9, "exact", 1)),
        ("count=none", (None, None, 0)),
    ],
)
def test_what_may_change_the_total_counts_it_anew(
    client: APIClient, parameters: str, total: tuple[int | None, str | None, int]
) -> None:
    link = link_of(client, "/cursor-choice/")
    response, _, counts = selects(client, f"{link}&{parameters}")
    assert (*total_of(response), counts) == total


@pytest.mark.usefixtures("articles")
def test_a_filter_may_be_called_count(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where clients have no choice, the parameter is not the paginator's."""

    def get_queryset(view: Any) -> Any:
        count = view.request.query_params.get("count", "9")
        return Article.objects.filter(title__lt="abcdefghi~"[int(count)])

    monkeypatch.setattr(api.ArticleList, "get_queryset", get_queryset)
    link = link_of(client, "/cursor/")
    assert total_of(client.get(link)) == (9, "exact")
    assert total_of(client.get(f"{link}&count=6")) == (6, "exact")


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("path", "headers"), [("/small/", {}), ("/cursor/", {"host": "localhost"})]
)
def test_a_total_of_another_url_is_not_taken_over(
    client: APIClient, path: str, headers: dict[str, str]
) -> None:
    query = link_of(client, "/cursor/").partition("?")[2]
    response, _, counts = selects(client, f"{path}?{query}", headers=headers)
    assert (response.status_code, counts) == (200, 1)


class OfTenant(api.Small):
    def get_scope(self, request: Request, _view: Any) -> Any:
        return request.headers.get("X-Tenant")


@pytest.mark.usefixtures("articles")
def test_a_total_is_of_one_tenant() -> None:
    """Be it named by a header, and nobody logged in."""

    def page(url: str, **headers: str) -> OfTenant:
        request = Request(APIRequestFactory().get(url, headers=headers))
        paginator = OfTenant()
        paginator.paginate_queryset(Article.objects.all(), request)
        return paginator

    first = page("/", **{"X-Tenant": "a"})
    with CaptureQueriesContext(connection) as queries:
        second = page(first.get_next_link() or "", **{"X-Tenant": "a"})
    assert (len(queries), second.total.count) == (1, 9)
    assert second.witness == first.witness
    others = {first.witness, page("/", **{"X-Tenant": "b"}).witness, page("/").witness}
    assert len(others) == 3


@pytest.mark.usefixtures("articles")
def test_a_new_bound_counts_anew(client: APIClient, settings: Settings) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"COUNT": "bounded", "COUNT_BOUND": 4}}
    link = link_of(client, "/cursor/")
    assert total_of(client.get(link)) == (4, "at_least")
    settings.DRF_APIKIT = {"PAGINATION": {"COUNT": "bounded", "COUNT_BOUND": 6}}
    assert total_of(client.get(link)) == (6, "at_least")
