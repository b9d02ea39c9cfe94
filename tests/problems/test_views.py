import json
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.registry import problem_types
from drf_apikit.testing import assert_problem
from ledger import problem_types as ledger_types

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HOSTILE = (
    """</pre></title><script>alert(1)</script><img src=x onerror='a()'>"&{{ x }}"""
)
SLUGS = sorted(problem_types())

pytestmark = pytest.mark.urls("tests.problems.urls")


class Page(HTMLParser):
    """The tags, links and the text of a page."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def program() -> Client:
    return Client(headers={"Accept": "application/json"})


@pytest.fixture
def person() -> Client:
    return Client(headers={"Accept": BROWSER, "Accept-Language": "en"})


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProblemType]:
    kind = ProblemType(
        "hostile",
        f"Title {HOSTILE}",
        409,
        f"Words {HOSTILE}",
        {"member": {"type": "string", "description": HOSTILE, "default": HOSTILE}},
        {"X-Own": HOSTILE},
    )
    monkeypatch.setattr(ledger_types, "HOSTILE", kind, raising=False)
    problem_types.cache_clear()
    yield kind
    monkeypatch.undo()
    problem_types.cache_clear()


@pytest.mark.compliance("RFC 9457", "3.1.1")
@pytest.mark.parametrize("slug", SLUGS)
def test_every_type_has_its_page(slug: str, program: Client, person: Client) -> None:
    kind = problem_types()[slug]
    described = program.get(f"/problems/{slug}").json()
    assert described["type"] == f"/problems/{slug}"
    Draft202012Validator(described["schema"]).validate(described["example"])
    response: Any = person.get(f"/problems/{slug}")
    assert response.status_code == 200
    page = Page(response)
    for text in (kind.title, kind.documentation, kind.status, described["type"]):
        assert str(text) in page.text
    assert json.dumps(described["schema"], indent=2, ensure_ascii=False) in page.text
    assert json.dumps(described["example"], indent=2, ensure_ascii=False) in page.text
    assert page.links == ["./"]


def test_the_list_leads_to_every_type(program: Client, person: Client) -> None:
    types = program.get("/problems/").json()["types"]
    assert [kind["slug"] for kind in types] == SLUGS
    page = Page(person.get("/problems/"))
    assert page.links == SLUGS
    assert all(str(kind.title) in page.text for kind in problem_types().values())


@pytest.mark.parametrize("path", ["/problems/", "/problems/not-found"])
@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("image/png", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html;a*=odd'y'z", "application/json"),
        ("text/html;a=" + "a" * 20_000, "application/json"),
        ("text/html", "text/html; charset=utf-8"),
        (BROWSER, "text/html; charset=utf-8"),
    ],
)
def test_accept_decides(path: str, accept: str | None, given: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response: Any = Client().get(path, headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, given)
    assert set(response["Vary"].split(", ")) == {"Accept", "Accept-Language"}
    cached = set(response["Cache-Control"].split(", "))
    assert cached == {"public", "max-age=3600"}
    assert "Set-Cookie" not in response
    assert ("Content-Security-Policy" in response) == given.startswith("text/html")


@pytest.mark.parametrize("path", ["/problems/", "/problems/not-found"])
def test_a_page_loads_and_runs_nothing(path: str, person: Client) -> None:
    response: Any = person.get(path)
    policy = response["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("script" in part for part in policy)
    page = Page(response)
    assert not {"script", "img", "link", "iframe", "form"} & set(page.tags)
    assert page.attributes["lang"] == "en"


def test_hostile_words_are_words(hostile: ProblemType, person: Client) -> None:
    for path in ("/problems/", "/problems/hostile"):
        page = Page(person.get(path))
        assert not {"script", "img"} & set(page.tags)
        assert str(hostile.title) in unescape(page.text)
        assert "{{ x }}" in page.text


def test_hostile_words_are_words_in_json(hostile: ProblemType, program: Client) -> None:
    described = program.get("/problems/hostile").json()
    assert described["title"] == hostile.title
    assert described["headers"] == {"X-Own": HOSTILE}


@pytest.mark.parametrize("path", ["/problems/", "/problems/not-found"])
@pytest.mark.parametrize("accept", ["application/json", BROWSER])
def test_head_is_get_without_a_body(path: str, accept: str) -> None:
    client = Client(headers={"Accept": accept})
    head: Any = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.items()) == dict(client.get(path).items())


@pytest.mark.compliance("RFC 9110", "15.5.6")
@pytest.mark.parametrize("path", ["/problems/", "/problems/not-found"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ODD"])
def test_other_methods_are_refused(path: str, method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    response: Any = client.generic(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/problems/nothing", "/problems/NOT-FOUND", "/problems/a/b", "/problems/."]
)
def test_a_type_that_is_not_there(path: str, program: Client) -> None:
    assert_problem(program.get(path), 404, "not-found")


def test_pages_speak_german(program: Client) -> None:
    headers = {"Accept-Language": "de-DE, en;q=0.5"}
    described: Any = program.get("/problems/not-found", headers=headers)
    assert described["Content-Language"] == "de"
    assert described.json()["title"] == "Nicht gefunden"
    assert described.json()["type"] == "/problems/not-found"
    page = Page(Client().get("/problems/", headers={**headers, "Accept": BROWSER}))
    assert page.attributes["lang"] == "de"
    assert "Problemtypen" in page.text


def test_a_page_without_a_language_is_english(settings: Any, person: Client) -> None:
    settings.USE_I18N = False
    page = Page(person.get("/problems/not-found"))
    assert page.attributes["lang"] in {"en", settings.LANGUAGE_CODE}
