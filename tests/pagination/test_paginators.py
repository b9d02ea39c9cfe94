"""The paginator as clients and projects meet it: over a URL."""

import json
import random
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from drf_apikit.pagination import CursorPagination
from drf_apikit.testing import assert_problem, walk_pages
from tests.app.models import Article, Author, Book, Seat, Shelf
from tests.pagination.walking import make_articles

pytestmark = [pytest.mark.urls("tests.pagination.api"), pytest.mark.django_db]


@pytest.fixture
def client() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def articles() -> None:
    """Nine articles: titles a to i, scores with ties and NULLs, three authors."""
    authors = [Author.objects.create(name=name) for name in ("Ada", "Bo", "Cy")]
    Article.objects.bulk_create(
        Article(
            title="abcdefghi"[n],
            score=None if n % 3 == 0 else n % 2,
            flag=n % 2 == 0,
            author=authors[n % 3],
        )
        for n in range(9)
    )


def titles(client: APIClient, url: str) -> str:
    pages = walk_pages(client, url, limit=20)
    return "".join(row["title"] for page in pages for row in page)


def link_of(client: APIClient, url: str, name: str = "next") -> str:
    return str(client.get(url).json()[name])


def cursor_of(link: str, name: str = "cursor") -> str:
    return parse_qs(urlsplit(link).query)[name][0]


# The envelope and the links


@pytest.mark.usefixtures("database", "articles")
def test_a_page_has_count_links_and_rows(client: APIClient) -> None:
    first = client.get("/small/").json()
    assert list(first) == ["count", "next", "previous", "results"]
    assert (first["count"], first["previous"]) == (9, None)
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


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    "path", ["/small/", "/related/", "/ordered/?ordering=author__name", "/by-title/"]
)
def test_a_page_takes_two_queries(client: APIClient, path: str) -> None:
    url: str | None = path
    while url:
        with CaptureQueriesContext(connection) as queries:
            url = client.get(url).json()["next"]
        selects = [query["sql"] for query in queries]
        assert len(selects) == 2
        assert "COUNT(" in selects[0]


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


# Cursors that were not given out for this list


def hostile() -> dict[str, str]:
    payload = Signer(salt="x", sep=".").sign_object([1, "a", 0, 0, [1]])
    return {
        "empty": "",
        "word": "x",
        "dots": "...",
        "nul": "\0",
        "non-ascii": "é日本🦆",
        "huge": "A" * 200_000,
        "of DRF": "cD0yMDI2LTExLTIyKzA2JTNBMjE=",
        "offset of DRF": "bz0xMDAwMDAwMDAw",
        "json": '[1, "a"]',
        "other key": payload,
        "sql": "' OR 1=1 --",
        "bad padding": "====",
        "line feed": "a\nb",
    }


def refused(response: Any) -> None:
    assert_problem(response, 400, "invalid-cursor", parameter="cursor")


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("text", hostile().values(), ids=hostile())
def test_a_malformed_cursor_is_refused(client: APIClient, text: str) -> None:
    refused(client.get("/ordered/", {"cursor": text, "ordering": "created"}))


@pytest.mark.parametrize("raw", ["%ff", "%ed%a0%80", "%", "%00%00", "a%2"])
def test_octets_that_are_no_text_are_refused(client: APIClient, raw: str) -> None:
    refused(client.get(f"/small/?cursor={raw}"))


@pytest.mark.usefixtures("database", "articles")
def test_a_cursor_that_was_changed_anywhere_is_refused(client: APIClient) -> None:
    rng = random.Random(1)
    text = cursor_of(link_of(client, "/by-title/"))
    for position in rng.sample(range(len(text)), 12):
        other = rng.choice("ABCabc019-_.".replace(text[position], ""))
        changed = text[:position] + other + text[position + 1 :]
        refused(client.get("/by-title/", {"cursor": changed}))


@pytest.mark.usefixtures("articles")
def test_a_cursor_of_another_format_version_is_refused(client: APIClient) -> None:
    signer = Signer(salt="drf_apikit.keyset.cursor", sep=".")
    text = cursor_of(link_of(client, "/small/"))
    payload = signer.unsign_object(text)
    again = signer.sign_object(payload)
    assert client.get("/small/", {"cursor": again}).status_code == 200
    payload[0] = 0
    refused(client.get("/small/", {"cursor": signer.sign_object(payload)}))


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("origin", "target"),
    [
        ("/ordered/?ordering=score", "/ordered/?ordering=-score"),
        ("/ordered/?ordering=score", "/ordered/?ordering=created"),
        ("/ordered/?ordering=score", "/ordered/"),
        ("/small/?flag=1", "/small/?flag=0"),
        ("/small/?flag=1", "/small/"),
        ("/small/?x=1&x=2", "/small/?x=2&x=1"),
        ("/small/", "/other/"),
        ("/small/", "/writers/"),
        ("/authors/{0}/", "/authors/{1}/"),
        ("/small/", "/by-title/"),
    ],
    ids=[
        "direction",
        "ordering",
        "default ordering",
        "filter",
        "no filter",
        "order of values",
        "URL",
        "model",
        "argument in the URL",
        "view",
    ],
)
def test_a_cursor_of_another_list_is_refused(
    client: APIClient, origin: str, target: str
) -> None:
    keys = Author.objects.order_by("pk").values_list("pk", flat=True)
    origin, target = origin.format(*keys), target.format(*keys)
    text = cursor_of(link_of(client, origin))
    joint = "&" if "?" in target else "?"
    refused(client.get(f"{target}{joint}cursor={text}"))
    joint = "&" if "?" in origin else "?"
    assert client.get(f"{origin}{joint}cursor={text}").status_code == 200


@pytest.mark.usefixtures("articles")
def test_order_of_parameters_and_page_size_do_not_matter(client: APIClient) -> None:
    text = cursor_of(link_of(client, "/small/?flag=1&x=1"))
    url = f"/small/?cursor={text}&page_size=4&x=1&flag=1&format=json"
    assert [row["title"] for row in client.get(url).json()["results"]] == list("egi")


@pytest.mark.usefixtures("articles")
def test_a_new_secret_key_ends_or_keeps_the_cursors(
    client: APIClient, settings: Settings
) -> None:
    link = link_of(client, "/small/")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a new key, which is long enough"
    refused(client.get(link))
    settings.SECRET_KEY_FALLBACKS = [old]
    assert client.get(link).status_code == 200


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


REMEDY = "Order by columns"
PAGER = '<ul class="pager">'


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/misspelt/", "ArticleList cannot be paginated: 'publshed' is no column"),
        ("/expression/", "is no name of a column"),
        ("/values-without-key/", "Values cannot be paginated: the rows have no 'id'"),
        ("/ordered/?ordering=extra", "no cursor can hold a dict"),
    ],
)
def test_an_ordering_that_cannot_be_is_explained(url: str, message: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        APIClient().get(url)
    assert message in str(caught.value)
    assert REMEDY in str(caught.value)


def test_a_paginator_without_a_view_explains_itself_as_well() -> None:
    class Misspelt(CursorPagination):
        ordering = "x"

    request = Request(APIRequestFactory().get("/"))
    with pytest.raises(ImproperlyConfigured, match="'x' is no column of Article"):
        Misspelt().paginate_queryset(Article.objects.all(), request)


# A drop-in for DRF's own class


def test_it_is_one_of_drfs_paginators() -> None:
    assert issubclass(cast("type", CursorPagination), pagination.CursorPagination)


@pytest.mark.usefixtures("articles")
def test_the_browsable_api_has_its_links(client: APIClient) -> None:
    page = client.get("/browsable/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert PAGER in page.content.decode()
    link = link_of(client, "/browsable/?format=json")
    html = client.get(link.replace("format=json", "format=api")).content.decode()
    for name in ("next", "previous"):
        assert cursor_of(link_of(client, link, name)) in html


@pytest.mark.parametrize("rows", [0, 2])
def test_one_page_alone_shows_no_controls(client: APIClient, rows: int) -> None:
    Article.objects.bulk_create(Article() for _ in range(rows))
    page = client.get("/browsable/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert PAGER not in page.content.decode()


@pytest.mark.usefixtures("articles")
def test_a_client_of_drfs_class_finds_all_it_knows(client: APIClient) -> None:
    ours, theirs = (client.get(url).json() for url in ("/small/", "/of-drf/"))
    assert set(theirs) < set(ours)
    assert ours["results"] == theirs["results"]
    assert titles(client, "/small/") == titles(client, "/of-drf/")
    refused(client.get("/small/", {"cursor": cursor_of(theirs["next"])}))


def test_the_schema_hooks_of_drf_describe_it() -> None:
    parameters = CursorPagination().get_schema_operation_parameters(APIView())
    assert {parameter["name"]: parameter["schema"] for parameter in parameters} == {
        "cursor": {"type": "string"},
        "page_size": {"type": "integer"},
    }
    schema = CursorPagination().get_paginated_response_schema({"type": "array"})
    assert schema["required"] == ["count", "next", "previous", "results"]
    assert json.dumps(schema)


@pytest.mark.usefixtures("database")
def test_text_of_any_kind_pages(client: APIClient) -> None:
    make_articles(30)
    walked = [row for page in walk_pages(client, "/by-title/") for row in page]
    by = Article.objects.order_by("-title", "-pk").values_list("pk", flat=True)
    assert [row["id"] for row in walked] == list(by)
