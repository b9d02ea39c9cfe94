import json
from collections.abc import Mapping
from typing import Any

import pytest

from drf_apikit.testing import walk_pages


class Answer:
    def __init__(self, status_code: int, page: Mapping[str, Any]) -> None:
        self.status_code = status_code
        self.content = json.dumps(page)
        self.headers: dict[str, str] = {}

    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Answers from a table and notes what it is asked."""

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def get(self, url: str) -> Answer:
        self.asked.append(url)
        return self.pages[url]


def page(rows: list[int], status_code: int = 200, **links: str | None) -> Answer:
    return Answer(status_code, {"results": rows, "next": None, **links})


def test_the_rows_of_each_page_are_given() -> None:
    client = Client(
        {"/a": page([1, 2], next="/b"), "/b": page([3], next="/c"), "/c": page([])}
    )
    assert walk_pages(client, "/a") == [[1, 2], [3], []]
    assert client.asked == ["/a", "/b", "/c"]


def test_a_walk_may_go_back() -> None:
    client = Client(
        {"/b": page([2], previous="/a"), "/a": page([1], previous=None, next="/b")}
    )
    assert walk_pages(client, "/b", link="previous") == [[2], [1]]


def linked(rows: list[int], header: str) -> Answer:
    answer = page(rows, next="/not-this-one")
    answer.headers["Link"] = header
    return answer


@pytest.mark.compliance("RFC 8288", "3.3")
@pytest.mark.parametrize(
    "header",
    [
        '</a>; rel="first", </b?x=1,2;3>; rel="next"',
        "</b?x=1,2;3>;rel=next",
        '</a>; rel="prev",</b?x=1,2;3> ; title="a" ; REL="last next", </a>; rel="up"',
        '<b?x=1,2;3>; rel="next"',
    ],
)
def test_a_walk_may_follow_the_link_header(header: str) -> None:
    last = linked([2], '</a>; rel="prev", </next>; rel="first"; title="next"')
    client = Client({"/a": linked([1], header), "/b?x=1,2;3": last})
    assert walk_pages(client, "/a", rel="next") == [[1], [2]]
    assert client.asked == ["/a", "/b?x=1,2;3"]


def test_without_the_header_there_is_one_page() -> None:
    client = Client({"/a": page([1], next="/b")})
    assert walk_pages(client, "/a", rel="next") == [[1]]


@pytest.mark.parametrize("status_code", [201, 302, 400, 404, 500])
def test_any_other_answer_fails(status_code: int) -> None:
    client = Client({"/a": page([1], next="/b"), "/b": page([2], status_code)})
    with pytest.raises(AssertionError, match="/b"):
        walk_pages(client, "/a")


def test_a_walk_in_circles_ends() -> None:
    client = Client({"/a": page([1], next="/a")})
    with pytest.raises(AssertionError, match="more than 3 pages"):
        walk_pages(client, "/a", limit=3)
    assert len(client.asked) == 3


def test_as_many_pages_as_the_limit_are_walked() -> None:
    client = Client({"/a": page([1], next="/b"), "/b": page([2])})
    assert len(walk_pages(client, "/a", limit=2)) == 2
