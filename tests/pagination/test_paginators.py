"""The paginator as clients and projects meet it: over a URL."""

from typing import cast
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from pytest_django import Settings
from rest_framework import pagination
from rest_framework.test import APIClient

from drf_apikit.pagination import CursorPagination
from drf_apikit.testing import assert_problem, walk_pages
from tests.app.models import Article, Book, Seat, Shelf
from tests.pagination.asking import link_of, titles
from tests.pagination.walking import make_articles

pytestmark = [pytest.mark.urls("tests.pagination.api"), pytest.mark.django_db]


# The envelope and the links


@pytest.mark.usefixtures("database", "articles")
def test_a_page_has_count_links_and_rows(client: APIClient) -> None:
    first = client.get("/small/").json()
    assert list(first) == ["count", "count_relation", "next", "previous", "results"]
    assert (first["count"], first["count_relation"]) == (9, "exact")
    assert first["previous"] is None
    assert [row["title"] for row in first["results"]] == ["a", "b"]
    second = client.get(first["next"]).json()
    assert [row["title"] for row in second["results"]] == ["c", "d"]
    assert client.get(second["previous"]).json()["results"] == first["results"]
    last = client.get("/small/?page_size=4").json()
    while last["next"]:
        last = client.get(last["next"]).json()
    assert [row["title"] for row in last["results"]] == ["i"]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_list_that_fits_one_page_has_no_links(client: APIClient, rows: int) -> None:
    Article.objects.bulk_create(Article() for _ in range(rows))
    page = client.get("/small/").json()
    assert page["count"] == len(page["results"]) == rows
    assert (page["next"], page["previous"]) == (None, None)


@pytest.mark.usefixtures("articles")
def test_links_keep_the_other_parameters(client: APIClient) -> None:
    link = link_of(client, "/small/?flag=1&x=a%26b&page_size=1&x=%C3%A9")
    assert link.startswith("http://testserver/small/?")
    query = parse_qs(urlsplit(link).query)
    del query["cursor"]
    assert query == {"flag": ["1"], "x": ["a&b", "é"], "page_size": ["1"]}
    assert titles(client, "/small/?flag=1&page_size=1") == "acegi"
    assert client.get(link).json()["count"] == 5


@pytest.mark.usefixtures("articles")
def test_a_link_does_not_carry_the_former_cursor(client: APIClient) -> None:
    second = link_of(client, link_of(client, "/small/"))
    assert len(parse_qs(urlsplit(second).query)["cursor"]) == 1


@pytest.mark.usefixtures("articles")
def test_parameters_can_have_other_names(client: APIClient) -> None:
    link = link_of(client, "/renamed/?limit=3")
    assert set(parse_qs(urlsplit(link).query)) == {"after", "limit"}
    assert titles(client, "/renamed/?limit=4") == "abcdefghi"
    response = client.get("/renamed/?after=x")
    assert_problem(response, 400, "invalid-cursor", parameter="after")
    response = client.get("/renamed/?limit=5")
    assert_problem(response, 400, "invalid-page-size", parameter="limit", maximum=4)
    assert client.get("/renamed/?cursor=x&page_size=x").status_code == 200


@pytest.mark.usefixtures("articles")
def test_a_view_set_can_use_it(client: APIClient) -> None:
    by = Article.objects.order_by("-score", "-pk").values_list("title", flat=True)
    assert titles(client, "/viewset/") == "".join(by)


# The page size


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("size", ["1", "2", "3", "4", "0004"])
def test_a_page_size_up_to_the_maximum(client: APIClient, size: str) -> None:
    page = client.get(f"/small/?page_size={size}").json()
    assert len(page["results"]) == int(size)


@pytest.mark.parametrize(
    "size",
    [
        "0",
        "-1",
        "5",
        "abc",
        "1.5",
        "",
        "1e9",
        "1000000000",
        "9" * 5000,
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1_0",
        "²",
        "٣",
        "1\0",
        "None",
        "1&page_size=0",
    ],
    ids=lambda size: ascii(size)[:20],
)
def test_any_other_page_size_is_refused(client: APIClient, size: str) -> None:
    response = client.get(f"/small/?page_size={quote(size, safe='&=')}")
    assert_problem(response, 400, "invalid-page-size", parameter="page_size", maximum=4)


@pytest.mark.usefixtures("articles")
def test_without_a_parameter_nobody_can_ask_for_a_size(client: APIClient) -> None:
    assert len(client.get("/fixed/?page_size=0").json()["results"]) == 2
    link = link_of(client, "/fixed/?page_size=3")
    assert len(client.get(link).json()["results"]) == 2


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("own", "of_drf", "rows"),
    [
        ({}, None, 9),
        ({"MAX_PAGE_SIZE": 7}, None, 7),
        ({"PAGE_SIZE": 3}, None, 3),
        ({"PAGE_SIZE": 3}, 5, 3),
        ({}, 5, 5),
        ({"MAX_PAGE_SIZE": 4}, 5, 4),
    ],
    ids=["none", "maximum", "ours", "both", "DRF's", "DRF's above the maximum"],
)
def test_the_settings_say_how_large_a_page_is(
    client: APIClient,
    settings: Settings,
    own: dict[str, int],
    of_drf: int | None,
    rows: int,
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": own}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "PAGE_SIZE": of_drf}
    assert len(client.get("/plain/").json()["results"]) == rows
    maximum = own.get("MAX_PAGE_SIZE", 100)
    assert client.get(f"/plain/?page_size={maximum}").status_code == 200
    assert_problem(
        client.get(f"/plain/?page_size={maximum + 1}"),
        400,
        "invalid-page-size",
        parameter="page_size",
        maximum=maximum,
    )


# Where the ordering comes from


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("url", "order"),
    [
        ("/small/", ["pk"]),
        ("/by-title/", ["-title", "-pk"]),
        ("/queryset/", ["-score", "-pk"]),
        ("/ordered/", ["-title", "-pk"]),
        ("/ordered/?ordering=unknown", ["-title", "-pk"]),
        ("/ordered/?ordering=", ["-title", "-pk"]),
        ("/ordered/?ordering=--score", ["-title", "-pk"]),
        ("/ordered/?ordering=score", ["score", "pk"]),
        ("/ordered/?ordering=-author__name,score", ["-author__name", "score", "pk"]),
        ("/ordered/?ordering=score,-score,score", ["score", "pk"]),
        ("/ordered/?ordering=-pk,score", ["-pk"]),
        ("/default-ordered/", ["-score", "title", "pk"]),
        ("/default-ordered/?ordering=-created", ["-created", "-pk"]),
        ("/foreign-filter/?ordering=-score", ["-score", "-pk"]),
        ("/values/", ["-title", "-pk"]),
    ],
)
def test_the_ordering_comes_from(client: APIClient, url: str, order: list[str]) -> None:
    whole = "".join(Article.objects.order_by(*order).values_list("title", flat=True))
    assert titles(client, url) == whole


@pytest.mark.usefixtures("database")
def test_the_model_orders_unless_the_queryset_forbids_it(client: APIClient) -> None:
    shelves = [Shelf.objects.create(name=name) for name in "ba"]
    Book.objects.bulk_create(
        Book(title=title, shelf=shelves[n % 2]) for n, title in enumerate("abcde")
    )
    assert titles(client, "/books/") == "ecadb"
    assert titles(client, "/unordered/") == "abcde"


def test_a_composite_key_pages(client: APIClient) -> None:
    Seat.objects.bulk_create(Seat(line="a", number=n) for n in range(5))
    pages = walk_pages(client, "/seats/")
    assert [[row["number"] for row in page] for page in pages] == [[0, 1], [2, 3], [4]]


# A drop-in for DRF's own class


def test_it_is_one_of_drfs_paginators() -> None:
    assert issubclass(cast("type", CursorPagination), pagination.CursorPagination)


@pytest.mark.usefixtures("articles")
def test_a_client_of_drfs_class_finds_all_it_knows(client: APIClient) -> None:
    ours, theirs = (client.get(url).json() for url in ("/small/", "/of-drf/"))
    assert set(theirs) < set(ours)
    assert ours["results"] == theirs["results"]
    assert titles(client, "/small/") == titles(client, "/of-drf/")


@pytest.mark.usefixtures("database")
def test_text_of_any_kind_pages(client: APIClient) -> None:
    make_articles(30)
    walked = [row for page in walk_pages(client, "/by-title/") for row in page]
    by = Article.objects.order_by("-title", "-pk").values_list("pk", flat=True)
    assert [row["id"] for row in walked] == list(by)
