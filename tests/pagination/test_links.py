"""The `Link` header of all three paginators, read strictly."""

from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import walk_pages
from tests.app.models import Article
from tests.http.links import parse_links
from tests.pagination.asking import links_of, query_of

pytestmark = [pytest.mark.urls("tests.pagination.kinds"), pytest.mark.django_db]

OWN = {"cursor", "page_size", "offset", "limit", "page"}


@pytest.mark.compliance("RFC 8288", "3.3")
@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("steps", "relations"),
    [
        ([], {"first", "next", "last"}),
        (["next"], {"first", "prev", "next", "last"}),
        (["last"], {"first", "prev", "last"}),
        (["last", "prev"], {"first", "prev", "next", "last"}),
        (["last", "first"], {"first", "next", "last"}),
        (["next", "prev"], {"first", "next", "last"}),
    ],
    ids=["start", "next", "last", "last-prev", "last-first", "next-prev"],
)
def test_each_page_has_the_relations_that_lead_on(
    client: APIClient, kind: str, steps: list[str], relations: set[str]
) -> None:
    response: Any = client.get(f"/{kind}/")
    for step in steps:
        response = client.get(links_of(response)[step])
        assert response.status_code == 200
    assert set(links_of(response)) == relations
    parameters = [given for _, given in parse_links(response.headers["Link"])]
    order = [name for name in ("first", "prev", "next", "last") if name in relations]
    assert parameters == [{"rel": name} for name in order]


@pytest.mark.usefixtures("database", "articles")
def test_every_end_is_reached_by_the_header_alone(client: APIClient, kind: str) -> None:
    forward = walk_pages(client, f"/{kind}/", rel="next")
    assert [row["title"] for page in forward for row in page] == list("abcdefghi")
    last = links_of(client.get(f"/{kind}/"))["last"]
    back = walk_pages(client, last, rel="prev")
    assert [row["title"] for page in back[::-1] for row in page] == list("abcdefghi")
    first = links_of(client.get(last))["first"]
    assert client.get(first).json()["results"] == forward[0]


QUERIES = {
    "repeated": ("x=1&x=2&x=1", {"x": ["1", "2", "1"]}),
    "non-ascii": (f"x={quote('é日🦆')}&{quote('ü')}=1", {"x": ["é日🦆"], "ü": ["1"]}),
    "delimiters": (
        "x=%2C%3B%22%3C%3E&y=a,b;c",
        {"x": [',;"<>'], "y": ["a,b;c"]},
    ),
    "raw quotes": ("x=\"a\"'b'&y=<c>", {"x": ["\"a\"'b'"], "y": ["<c>"]}),
    "plus and percent": ("x=a+b%2B%25zz", {"x": ["a b+%zz"]}),
    "empty": ("x=&y", {"x": [""], "y": [""]}),
    "brackets": ("x[]=1&x%5Ba%5D=2", {"x[]": ["1"], "x[a]": ["2"]}),
    "line feed": ("x=a%0D%0AX-Evil:%201", {"x": ["a\r\nX-Evil: 1"]}),
    "a link": ('x=%3C/evil%3E; rel="next"', {"x": ['</evil>; rel="next"']}),
    "other names": ("cursors=1&xpage=2&Page=3", None),
}


@pytest.mark.compliance("RFC 8288", "3.1")
@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES)
def test_every_other_parameter_is_kept(
    client: APIClient, kind: str, query: str, expected: dict[str, list[str]] | None
) -> None:
    expected = expected or {"cursors": ["1"], "xpage": ["2"], "Page": ["3"]}
    response = client.get(f"/{kind}/?{query}")
    for _ in range(2):
        links = links_of(response)
        for url in links.values():
            assert urlsplit(url)[:3] == ("http", "testserver", f"/{kind}/")
            others = {k: v for k, v in query_of(url).items() if k not in OWN}
            assert others == expected
        response = client.get(links["next"])
        assert response.status_code == 200


@pytest.mark.usefixtures("articles")
def test_octets_that_are_no_text_come_back_as_what_django_reads(
    client: APIClient, kind: str
) -> None:
    for url in links_of(client.get(f"/{kind}/?x=%ff")).values():
        assert query_of(url)["x"] == ["\N{REPLACEMENT CHARACTER}"]


@pytest.mark.usefixtures("articles")
def test_the_links_are_the_client_s_own_view_of_the_server(
    client: APIClient, kind: str
) -> None:
    response = client.get(f"/{kind}/", headers={"host": "localhost:81"}, secure=True)
    for url in links_of(response).values():
        assert url.startswith(f"https://localhost:81/{kind}/")


def test_one_page_has_a_first_and_a_last(client: APIClient, kind: str) -> None:
    Article.objects.create(title="a")
    links = links_of(client.get(f"/{kind}/"))
    assert set(links) == {"first", "last"}
    for url in links.values():
        assert len(client.get(url).json()["results"]) == 1
