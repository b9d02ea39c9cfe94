"""What the tests ask lists over their URLs."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem, walk_pages
from tests.app.models import Article
from tests.http.links import targets

__all__ = [
    "cursor_of",
    "link_of",
    "links_of",
    "query_of",
    "refused",
    "selects",
    "titles",
    "total_of",
]


def titles(client: APIClient, url: str) -> str:
    """Follow `next` to the end, and put the titles together."""
    pages = walk_pages(client, url, limit=20)
    return "".join(row["title"] for page in pages for row in page)


def link_of(client: APIClient, url: str, name: str = "next") -> str:
    """Get a page, and give one of the links in its body."""
    response = client.get(url)
    assert response.status_code == 200, response.content
    return str(response.json()[name])


def links_of(response: Any) -> dict[str, str]:
    """Give the targets in the header, which the body must agree with."""
    found = targets(response.headers["Link"])
    body = response.json()
    assert (body["next"], body["previous"]) == (found.get("next"), found.get("prev"))
    return found


def query_of(link: str) -> dict[str, list[str]]:
    """Give the parameters of a link."""
    return parse_qs(urlsplit(link).query, keep_blank_values=True, strict_parsing=True)


def cursor_of(link: str, name: str = "cursor") -> str:
    """Give the cursor in a link."""
    (text,) = query_of(link)[name]
    return text


def total_of(response: Any) -> tuple[int | None, str | None]:
    """Give the total and its relation."""
    body = response.json()
    return body["count"], body["count_relation"]


def refused(response: Any, *, foreign: bool | None = None) -> None:
    """See that a cursor was refused as it has to be, and for the right reason."""
    problem = assert_problem(response, 400, "invalid-cursor", parameter="cursor")
    said = problem["detail"].startswith("The cursor is of another list")
    assert foreign in {None, said}


def selects(client: APIClient, url: str, **headers: Any) -> tuple[Any, int, int]:
    """Get a page; give the response, and how often rows were read and counted."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url, **headers)
    table = Article._meta.db_table
    found = [query["sql"] for query in queries if table in query["sql"]]
    counts = [sql for sql in found if "COUNT(" in sql or sql.startswith("EXPLAIN")]
    return response, len(found) - len(counts), len(counts)
