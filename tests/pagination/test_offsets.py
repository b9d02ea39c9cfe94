"""Pages by offset and by number: strict, tie-broken, and with the same envelope."""

from typing import Any

import pytest
from django.core.paginator import UnorderedObjectListWarning
from django.db.models import Count
from django.urls import path
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory

from drf_apikit.pagination import LimitOffsetPagination, PageNumberPagination
from drf_apikit.testing import assert_problem, walk_pages
from tests.app.models import Article
from tests.pagination import api
from tests.pagination.asking import links_of, query_of, selects, titles, total_of
from tests.pagination.kinds import KINDS, each
from tests.pagination.kinds import urlpatterns as of_kinds
from tests.pagination.walking import make_articles

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

TIED = Article.objects.order_by("flag")
SOURCES: dict[str, Any] = {
    "list": lambda: list(Article.objects.order_by("title")),
    "tuple": lambda: tuple(Article.objects.order_by("title")),
    "union": lambda: (
        Article.objects.filter(title__lt="e")
        .union(Article.objects.filter(title__gte="c"))
        .order_by("title")
    ),
    "slice": lambda: Article.objects.order_by("title")[1:8],
    "random": lambda: Article.objects.filter(title="a").order_by("?"),
    "groups": lambda: (
        Article.objects.values("flag").annotate(n=Count("pk")).order_by("n")
    ),
}
FACTORY = APIRequestFactory()


class OfKinds(api.ArticleList):
    """One view; the URL says which paginator it has."""

    queryset = TIED

    @property
    def paginator(self) -> Any:
        if not hasattr(self, "_own"):
            self._own = KINDS[self.kwargs["kind"]]()
        return self._own


class Older(PageNumberPagination):
    """An override as DRF's documentation has it."""

    page_size = 4

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "links": {
                    "next": self.get_next_link(),
                    "previous": self.get_previous_link(),
                },
                "count": self.page.paginator.count,
                "pages": self.page.paginator.num_pages,
                "number": self.page.number,
                "more": self.page.has_next(),
                "less": self.page.has_previous(),
                "results": data,
            }
        )


class OlderLimit(LimitOffsetPagination):
    default_limit = 4

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"total": self.count, "at": (self.offset, self.limit), "results": data}
        )


urlpatterns = [
    *of_kinds,
    *each("-404", invalid_as_404=True),
    *each("-clamped", clamp_page_size=True),
    *each("-shallow", max_offset=4),
    *each("-flat", max_offset=0),
    *each("-fixed-size", limit_query_param=None, page_size_query_param=None),
    path("any/<str:kind>/", OfKinds.as_view()),
    path("older/", api.listed(pagination_class=Older)),
    path("older-limit/", api.listed(pagination_class=OlderLimit)),
]


# Walks


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_ties_are_broken_by_the_primary_key(
    client: APIClient, kind: str, size: int
) -> None:
    make_articles(20)
    whole = list(TIED.order_by("flag", "pk").values_list("pk", flat=True))
    url = f"/any/{kind}/?page_size={size}&limit={size}"
    for relation in (None, "next"):
        pages = walk_pages(client, url, rel=relation)
        assert [[row["id"] for row in page] for page in pages] == [
            whole[start : start + size] for start in range(0, 20, size)
        ]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["offset", "page"])
@pytest.mark.parametrize(
    ("tied", "order"),
    [
        (Article.objects.order_by("extra"), ["pk"]),
        (Article.objects.order_by("-flag").reverse(), ["flag", "pk"]),
        (Article.objects.order_by("?").filter(pk=0), ["pk"]),
    ],
    ids=["no positions", "reversed", "random"],
)
def test_ties_are_broken_where_there_are_no_positions(
    name: str, tied: Any, order: list[str]
) -> None:
    make_articles(40)
    seen: list[Any] = []
    url: str | None = "/?limit=3&page_size=3"
    while url:
        paginator = KINDS[name]()
        request = Request(FACTORY.get(url))
        seen += paginator.paginate_queryset(tied.all(), request) or []
        url = paginator.get_next_link()
    whole = tied.order_by(*order)
    assert seen == list(whole if whole.query.standard_ordering else whole.reverse())


@pytest.mark.usefixtures("database", "articles")
def test_a_view_can_move_from_one_to_another(client: APIClient) -> None:
    answers = [client.get(f"/any/{name}/").json() for name in KINDS]
    for answer in answers:
        assert list(answer) == list(answers[0])
        assert answer["results"] == answers[0]["results"]
        assert (answer["count"], answer["count_relation"]) == (9, "exact")
    assert len({titles(client, f"/any/{name}/") for name in KINDS}) == 1
    for name in KINDS:
        last = links_of(client.get(f"/any/{name}/"))["last"]
        page = client.get(last)
        assert "next" not in links_of(page)
        seen = walk_pages(client, last, link="previous")
        assert sum(len(rows) for rows in seen) == 9


@pytest.mark.usefixtures("articles")
def test_links_are_the_shortest_that_lead_there(client: APIClient) -> None:
    second = links_of(client.get("/page/?page=2&page_size=4"))
    at = {name: query_of(url) for name, url in second.items() if "?" in url}
    assert at == {
        "first": {"page_size": ["4"]},
        "prev": {"page_size": ["4"]},
        "next": {"page": ["3"], "page_size": ["4"]},
        "last": {"page": ["3"], "page_size": ["4"]},
    }
    middle = links_of(client.get("/offset/?offset=3&limit=4"))
    assert {name: query_of(url) for name, url in middle.items()} == {
        "first": {"limit": ["4"]},
        "prev": {"limit": ["4"]},
        "next": {"limit": ["4"], "offset": ["7"]},
        "last": {"limit": ["4"], "offset": ["8"]},
    }
    alone = links_of(client.get("/page/?page_size=20"))
    assert set(alone) == {"first", "last"}


# Limits


@pytest.mark.parametrize(
    "text", ["-1", "x", "", "1.0", "+1", "²", "9" * 5000, "1\0", "10001", " 1"]
)
def test_an_offset_that_is_none_is_refused(client: APIClient, text: str) -> None:
    response = client.get("/offset/", {"offset": text})
    members = {"parameter": "offset", "maximum": 10_000}
    assert_problem(response, 400, "invalid-page", **members)
    assert_problem(client.get("/offset-404/", {"offset": text}), 404, "not-found")


@pytest.mark.parametrize(
    "text", ["0", "-1", "x", "", "1.0", "LAST", "9" * 5000, "5002", "final"]
)
def test_a_page_that_is_none_is_refused(client: APIClient, text: str) -> None:
    response = client.get("/page/", {"page": text})
    members = {"parameter": "page", "maximum": 5001}
    assert_problem(response, 400, "invalid-page", **members)
    problem = assert_problem(client.get("/page-404/", {"page": text}), 404, "not-found")
    assert problem["detail"] == "Invalid page."


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "21", "9" * 5000])
def test_a_size_that_is_none_is_refused(client: APIClient, text: str) -> None:
    for name, parameter in (("page", "page_size"), ("offset", "limit")):
        for suffix in ("", "-404"):
            response = client.get(f"/{name}{suffix}/", {parameter: text})
            members = {"parameter": parameter, "maximum": 20}
            assert_problem(response, 400, "invalid-page-size", **members)


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("text", "rows"), [("-5", 1), ("0", 1), ("3", 3), ("21", 9), ("9" * 5000, 9)]
)
def test_a_size_may_be_clamped(
    client: APIClient, kind: str, text: str, rows: int
) -> None:
    url = f"/{kind}-clamped/?page_size={text}&limit={text}"
    assert len(client.get(url).json()["results"]) == rows
    for other in ("x", "", "1.5", "--1"):
        url = f"/{kind}-clamped/?page_size={other}&limit={other}"
        assert client.get(url).status_code == 400


@pytest.mark.usefixtures("articles")
def test_depth_has_a_maximum_that_is_told(client: APIClient) -> None:
    assert client.get("/offset-shallow/?offset=4").status_code == 200
    assert client.get("/page-shallow/?page=3").status_code == 200
    for url, parameter, maximum in (
        ("/offset-shallow/?offset=5", "offset", 4),
        ("/page-shallow/?page=4", "page", 3),
        ("/page-shallow/?page=2&page_size=5", "page", 1),
        ("/page-shallow/?page=last", "page", 3),
        ("/page-flat/?page=2", "page", 1),
        ("/offset-flat/?offset=1", "offset", 0),
    ):
        members = {"parameter": parameter, "maximum": maximum}
        assert_problem(client.get(url), 400, "invalid-page", **members)


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("name", ["offset", "page"])
def test_who_walks_too_deep_is_told_so(client: APIClient, name: str) -> None:
    """A list that ended there in silence would have lost the rest."""
    url = f"/{name}-shallow/"
    assert "last" not in links_of(client.get(url))
    for _ in range(2):
        url = client.get(url).json()["next"]
    deepest = client.get(url)
    assert_problem(client.get(deepest.json()["next"]), 400, "invalid-page")


@pytest.mark.usefixtures("articles")
def test_the_setting_says_how_deep(client: APIClient, settings: Settings) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"MAX_OFFSET": 6, "INVALID_AS_404": True}}
    assert client.get("/offset/?offset=6").status_code == 200
    assert client.get("/offset/?offset=7").status_code == 404
    assert client.get("/page/?page=4").status_code == 200
    assert client.get("/page/?page=5").status_code == 404
    assert client.get("/offset-shallow/?offset=5").status_code == 404


@pytest.mark.usefixtures("articles")
def test_without_a_parameter_nobody_can_ask_for_a_size(client: APIClient) -> None:
    assert titles(client, "/offset-fixed-size/") == "abcdefghi"
    response = client.get("/offset-fixed-size/?limit=9&None=1")
    assert len(response.json()["results"]) == 2
    for url in links_of(response).values():
        assert query_of(url).keys() <= {"limit", "None", "offset"}
        assert (query_of(url)["limit"], query_of(url)["None"]) == (["9"], ["1"])
    assert titles(client, "/page-fixed-size/?page_size=9") == "abcdefghi"
    assert len(client.get("/page-fixed-size/?page_size=9").json()["results"]) == 2


# Beyond the end, and the last page


@pytest.mark.usefixtures("articles")
def test_behind_the_end_there_is_no_page(client: APIClient) -> None:
    assert_problem(client.get("/page/?page=6"), 404, "not-found")
    assert_problem(client.get("/page/?page=5001"), 404, "not-found")
    response, reads, counts = selects(client, "/offset/?offset=50")
    assert response.json()["results"] == []
    assert (total_of(response), reads, counts) == ((9, "exact"), 1, 1)
    assert set(links_of(response)) == {"first", "prev", "last"}
    response = client.get("/offset/?offset=9")
    assert (response.json()["results"], total_of(response)) == ([], (9, "exact"))


def test_an_empty_list_has_a_first_page(client: APIClient, kind: str) -> None:
    response = client.get(f"/{kind}/")
    assert (response.json()["results"], total_of(response)) == ([], (0, "exact"))
    assert client.get("/page/?page=last").json()["results"] == []
    assert client.get("/page/?page=2").status_code == 404


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("url", "rows"),
    [
        ("/page/?page=last", 1),
        ("/page/?page=last&page_size=3", 3),
        ("/page/?page=last&page_size=20", 9),
        ("/page-slow/?page=last", 1),
        ("/page-bounded/?page=last&page_size=20", None),
        ("/page-choice/?page=last&count=none", None),
    ],
)
def test_the_last_page_needs_an_exact_total(
    client: APIClient, url: str, rows: int | None
) -> None:
    response, reads, counts = selects(client, url)
    if rows is None:
        assert_problem(response, 400, "invalid-page", parameter="page")
        return
    assert len(response.json()["results"]) == rows
    assert total_of(response) == (9, "exact")
    assert "next" not in links_of(response)
    assert (reads, counts) == (1, 1)


# What is paginated


@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("name", ["offset", "page"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("strategy", ["exact", "bounded", "none"])
def test_what_has_no_positions_can_be_paginated(
    name: str, source: str, strategy: str
) -> None:
    rows = SOURCES[source]()
    whole = [str(row) for row in rows]
    kind = type("Own", (KINDS[name],), {"count_strategy": strategy})
    seen: list[str] = []
    url: str | None = "/?limit=2&page_size=2"
    while url:
        paginator = kind()
        page = paginator.paginate_queryset(rows, Request(FACTORY.get(url)))
        body = paginator.get_paginated_response([str(row) for row in page]).data
        seen += body["results"]
        url = body["next"]
        assert strategy == "none" or body["count"] == len(whole)
    assert seen == whole


@pytest.mark.usefixtures("articles")
def test_django_warns_of_what_has_no_order_at_all() -> None:
    union = Article.objects.all().union(Article.objects.all())
    with pytest.warns(UnorderedObjectListWarning):
        PageNumberPagination().paginate_queryset(union, Request(FACTORY.get("/")))


# Subclasses as projects have them


@pytest.mark.usefixtures("articles")
def test_an_override_finds_what_drf_has(client: APIClient) -> None:
    body = client.get("/older/?page=2").json()
    assert query_of(body["links"]["next"]) == {"page": ["3"]}
    assert body["links"]["previous"] == "http://testserver/older/"
    del body["links"], body["results"]
    flags = {"more": True, "less": True}
    assert body == {"count": 9, "pages": 3, "number": 2, **flags}
    body = client.get("/older/?page=last").json()
    assert (body["more"], body["less"], body["number"]) == (False, True, 3)
    body = client.get("/older-limit/?offset=2").json()
    assert (body["total"], body["at"], len(body["results"])) == (9, [2, 4], 4)


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("name", KINDS)
def test_who_gives_no_size_wants_no_pages(name: str) -> None:
    def nothing(_self: Any, _request: Any) -> None:
        """Give none."""

    hooks = {"get_page_size": nothing, "get_limit": nothing}
    paginator = type("Own", (KINDS[name],), hooks)()
    request = Request(FACTORY.get("/?page_size=2&limit=2"))
    assert paginator.paginate_queryset(Article.objects.all(), request) is None
