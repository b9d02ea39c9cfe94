"""What DRF's documentation says of its cursor paginator holds for ours.

Where both do the same, a test runs with both. Where they differ, the difference
has a name and a test of its own; the documentation lists the same ones.
"""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_apikit.exceptions import InvalidCursor, InvalidPageSize
from drf_apikit.pagination import CursorPagination
from tests.app.models import Article, Author
from tests.pagination.asking import cursor_of

pytestmark = pytest.mark.django_db

FACTORY = APIRequestFactory()
BOTH = pytest.mark.parametrize(
    "base",
    [pagination.CursorPagination, CursorPagination],
    ids=["DRF's", "ours"],
)


class Filtered:
    """As much of a view as a paginator looks at."""

    filter_backends: Any = (OrderingFilter,)
    ordering_fields = ("title", "score")
    ordering: Any = ("-title",)


def made(base: Any, **attributes: Any) -> Any:
    return type("Own", (base,), {"page_size": 3, "ordering": "title", **attributes})


@pytest.fixture(autouse=True)
def rows() -> None:
    Article.objects.bulk_create(
        Article(title=title, score=n, version=n % 2)
        for n, title in enumerate("abcdefgh", start=1)
    )


def ask(kind: Any, url: str = "/", queryset: Any = None, view: Any = None) -> Any:
    """Give the paginator after it has paginated, and the titles of the page."""
    paginator = kind()
    whole = Article.objects.all() if queryset is None else queryset
    page = paginator.paginate_queryset(whole, Request(FACTORY.get(url)), view)
    return paginator, "".join(row.title for row in page)


def walk(kind: Any, url: str | None = "/", *, back: bool = False, **more: Any) -> Any:
    pages = []
    while url:
        paginator, found = ask(kind, url, **more)
        pages.append(found)
        url = paginator.get_previous_link() if back else paginator.get_next_link()
    return pages, paginator


# The same in both


@BOTH
def test_pages_lead_on_to_the_end_and_all_the_way_back(base: Any) -> None:
    pages, last = walk(made(base))
    assert pages == ["abc", "def", "gh"]
    assert last.get_next_link() is None
    back, first = walk(made(base), last.get_previous_link(), back=True)
    assert back == ["def", "abc"]
    assert first.get_previous_link() is None
    again, _ = walk(made(base), first.get_next_link())
    assert again == ["def", "gh"]


@BOTH
@pytest.mark.parametrize(
    "ordering", ["-title", ["-title"], ("-title",), ["-version", "-title"]], ids=str
)
def test_an_ordering_is_a_text_a_list_or_a_tuple(base: Any, ordering: Any) -> None:
    items = [ordering] if isinstance(ordering, str) else ordering
    whole = "".join(row.title for row in Article.objects.order_by(*items))
    pages, last = walk(made(base, ordering=ordering, page_size=4))
    assert "".join(pages) == whole
    _, found = ask(made(base, ordering=ordering), last.get_previous_link())
    assert found == whole[1:4]


@BOTH
def test_the_ordering_filter_of_the_view_wins(base: Any) -> None:
    view = Filtered()
    assert walk(made(base), view=view)[0] == ["hgf", "edc", "ba"]
    assert walk(made(base), "/?ordering=score", view=view)[0] == ["abc", "def", "gh"]
    assert ask(made(base), "/?ordering=unknown", view=view)[1] == "hgf"


@BOTH
def test_a_filter_without_a_default_leaves_it_to_the_paginator(base: Any) -> None:
    view = type("View", (Filtered,), {"ordering": None})()
    assert ask(made(base), view=view)[1] == "abc"
    assert ask(made(base), "/?ordering=-score", view=view)[1] == "hgf"


@BOTH
def test_get_ordering_can_be_overridden(base: Any) -> None:
    def get_ordering(self: Any, request: Any, queryset: Any, view: Any) -> Any:
        del self, queryset, view
        return ("-title",) if "down" in request.query_params else ("title",)

    kind = made(base, get_ordering=get_ordering)
    assert walk(kind, "/?down=1")[0] == ["hgf", "edc", "ba"]
    assert walk(kind)[0] == ["abc", "def", "gh"]


@BOTH
def test_the_hooks_of_the_cursor_can_be_overridden(base: Any) -> None:
    """As to keep cursors short, or somewhere else than in the link."""
    kept: dict[str, Any] = {}

    def encode_cursor(self: Any, cursor: Any) -> str:
        kept[str(len(kept))] = base.encode_cursor(self, cursor)
        return f"/?cursor={len(kept) - 1}"

    def decode_cursor(self: Any, request: Any) -> Any:
        short = request.query_params.get("cursor")
        full = Request(FACTORY.get(kept[short] if short else "/"))
        return base.decode_cursor(self, full)

    hooks = {"encode_cursor": encode_cursor, "decode_cursor": decode_cursor}
    pages, last = walk(made(base, **hooks))
    assert pages == ["abc", "def", "gh"]
    assert last.get_previous_link() == f"/?cursor={len(kept) - 1}"


@BOTH
def test_the_pager_is_there_for_more_than_one_page(base: Any) -> None:
    paginator, _ = ask(made(base))
    assert paginator.display_page_controls
    context = paginator.get_html_context()
    assert context["previous_url"] is None
    assert context["next_url"] == paginator.get_next_link()
    assert "<li" in paginator.to_html()
    alone, _ = ask(made(base, page_size=20))
    assert not alone.display_page_controls


@BOTH
def test_without_a_template_there_is_no_pager(base: Any) -> None:
    paginator, _ = ask(made(base, template=None))
    assert not paginator.display_page_controls


@BOTH
def test_the_answer_can_have_another_shape(base: Any) -> None:
    def get_paginated_response(self: Any, data: Any) -> Response:
        links = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        return Response({"links": links, "items": data})

    kind = made(base, get_paginated_response=get_paginated_response)
    paginator, found = ask(kind)
    answer = paginator.get_paginated_response(list(found))
    assert answer.data["items"] == ["a", "b", "c"]
    assert answer.data["links"]["previous"] is None
    assert ask(kind, answer.data["links"]["next"])[1] == "def"


@BOTH
def test_the_envelope_has_the_members_of_drf(base: Any) -> None:
    paginator, found = ask(made(base))
    answer = paginator.get_paginated_response(list(found)).data
    members = [name for name in answer if not name.startswith("count")]
    assert members == ["next", "previous", "results"]


@BOTH
def test_an_empty_list_is_a_page_without_links(base: Any) -> None:
    paginator, found = ask(made(base), queryset=Article.objects.none())
    assert found == ""
    assert (paginator.get_next_link(), paginator.get_previous_link()) == (None, None)


@BOTH
def test_rows_may_be_dicts(base: Any) -> None:
    paginator = made(base)()
    values = Article.objects.values("id", "title")
    request = Request(FACTORY.get("/"))
    page = paginator.paginate_queryset(values, request)
    assert [sorted(row) for row in page] == [["id", "title"]] * 3
    following = Request(FACTORY.get(paginator.get_next_link()))
    page = made(base)().paginate_queryset(values, following)
    assert [row["title"] for row in page] == ["d", "e", "f"]


@BOTH
def test_the_size_of_the_page_can_be_asked_for(base: Any) -> None:
    kind = made(base, page_size_query_param="size", max_page_size=5)
    assert walk(kind, "/?size=5")[0] == ["abcde", "fgh"]
    assert ask(kind)[1] == "abc"


@BOTH
def test_a_size_of_none_turns_pagination_off(base: Any) -> None:
    """By an override of `get_page_size`; DRF's class attribute means it as well."""

    def get_page_size(self: Any, request: Any) -> Any:
        return (
            None if "all" in request.query_params else base.get_page_size(self, request)
        )

    kind = made(base, get_page_size=get_page_size)
    request = Request(FACTORY.get("/?all"))
    assert kind().paginate_queryset(Article.objects.all(), request) is None
    assert ask(kind)[1] == "abc"


@BOTH
def test_the_parameter_of_the_cursor_can_have_another_name(base: Any) -> None:
    kind = made(base, cursor_query_param="after")
    paginator, _ = ask(kind, "/?cursor=x")
    link = paginator.get_next_link()
    assert cursor_of(link, "after")
    assert ask(kind, link)[1] == "def"


@BOTH
def test_the_schema_names_its_parameters(base: Any) -> None:
    kind = made(base, page_size_query_param="size")
    parameters = kind().get_schema_operation_parameters(Filtered())
    assert [one["name"] for one in parameters] == ["cursor", "size"]
    assert all(one["in"] == "query" and not one["required"] for one in parameters)
    schema = kind().get_paginated_response_schema({"type": "array"})
    assert {"next", "previous", "results"} <= set(schema["properties"])
    assert schema["properties"]["results"] == {"type": "array"}


# Deliberate differences: DRF's first, then ours


def both(**attributes: Any) -> tuple[Any, Any]:
    kinds = pagination.CursorPagination, CursorPagination
    theirs, ours = (made(base, **attributes) for base in kinds)
    return theirs, ours


def test_ours_is_one_of_drfs() -> None:
    assert pagination.CursorPagination in CursorPagination.__mro__


def test_difference_a_bad_cursor_is_400_with_its_own_type() -> None:
    theirs, ours = both()
    with pytest.raises(NotFound):
        ask(theirs, "/?cursor=x&a")
    with pytest.raises(InvalidCursor):
        ask(ours, "/?cursor=x&a")
    with pytest.raises(NotFound, match="Invalid cursor"):
        ask(made(CursorPagination, invalid_as_404=True), "/?cursor=x")


def test_difference_cursors_are_signed_and_bound() -> None:
    theirs, ours = both()
    own = cursor_of(ask(theirs)[0].get_next_link())
    other, _ = both(ordering="score")
    # Another ordering: DRF compares a title with a score.
    with pytest.raises(ValueError, match="expected a number"):
        ask(other, f"/?cursor={own}")
    text = cursor_of(ask(ours)[0].get_next_link())
    for kind, cursor in ((ours, own), (both(ordering="score")[1], text)):
        with pytest.raises(InvalidCursor):
            ask(kind, f"/?cursor={cursor}")


def test_difference_the_default_ordering_is_the_one_of_the_queryset() -> None:
    assert pagination.CursorPagination.ordering == "-created"
    assert CursorPagination.ordering is None
    kind = type("Own", (CursorPagination,), {"page_size": 3})
    assert ask(kind, queryset=Article.objects.order_by("-title"))[1] == "hgf"
    assert ask(kind)[1] == "abc"


def test_difference_the_primary_key_is_part_of_every_ordering() -> None:
    theirs, ours = both(ordering="version", page_size=2)
    assert ask(ours)[0].keyset.terms[-1].name == "id"
    assert ask(theirs)[0].ordering == ("version",)
    seen = "".join(walk(ours)[0])
    assert seen == "bdfhaceg"


def test_difference_an_empty_page_leads_back_to_every_row() -> None:
    for kind, rows in zip(both(), ("ab", "abc"), strict=True):
        first, _ = ask(kind)
        with transaction.atomic():
            Article.objects.filter(title__gt="c").delete()
            paginator, found = ask(kind, first.get_next_link())
            assert (found, paginator.get_next_link()) == ("", None)
            assert ask(kind, paginator.get_previous_link())[1] == rows
            transaction.set_rollback(True)


def test_difference_relations_and_expressions_order_as_well() -> None:
    author = Author.objects.create(name="Ada")
    Article.objects.filter(title="h").update(author=author)
    theirs, ours = both(ordering="author__name")
    with pytest.raises(AssertionError, match="does not support double underscore"):
        ask(theirs)
    assert "".join(sorted("".join(walk(ours)[0]))) == "abcdefgh"
    _, ours = both(ordering=F("score").desc(nulls_last=True))
    assert walk(ours)[0] == ["hgf", "edc", "ba"]


def test_difference_null_is_a_position() -> None:
    Article.objects.filter(title__lt="f").update(score=None)
    _, ours = both(ordering="score", page_size=2)
    assert sorted("".join(walk(ours)[0])) == list("abcdefgh")


def test_difference_a_size_that_is_none_is_refused() -> None:
    theirs, ours = both(page_size_query_param="page_size", max_page_size=5)
    for text in ("0", "x", "-1"):
        assert ask(theirs, f"/?page_size={text}")[1] == "abc"
        with pytest.raises(InvalidPageSize):
            ask(ours, f"/?page_size={text}")
    assert ask(theirs, "/?page_size=50")[1] == "abcde"
    with pytest.raises(InvalidPageSize):
        ask(ours, "/?page_size=50")


def test_difference_clients_may_ask_for_a_size_and_there_is_a_maximum() -> None:
    theirs, ours = both()
    assert ask(theirs, "/?page_size=2")[1] == "abc"
    assert ask(ours, "/?page_size=2")[1] == "ab"
    with pytest.raises(InvalidPageSize):
        ask(ours, "/?page_size=101")
    fixed = made(CursorPagination, page_size_query_param=None)
    assert ask(fixed, "/?page_size=2")[1] == "abc"


def test_difference_a_class_without_a_size_paginates() -> None:
    theirs, ours = both(page_size=None)
    request = Request(FACTORY.get("/"))
    assert theirs().paginate_queryset(Article.objects.all(), request) is None
    assert ask(ours)[1] == "abcdefgh"


def test_difference_there_is_a_total_and_a_header() -> None:
    theirs, ours = both()
    answers = [ask(kind)[0].get_paginated_response([]) for kind in (theirs, ours)]
    assert set(answers[1].data) - set(answers[0].data) == {"count", "count_relation"}
    assert ["Link" in answer.headers for answer in answers] == [False, True]


def test_difference_an_ordering_that_cannot_be_is_explained() -> None:
    theirs, ours = both(ordering="publshed")
    with pytest.raises(Exception, match="Cannot resolve keyword"):
        ask(theirs)
    with pytest.raises(ImproperlyConfigured, match="'publshed' is no column"):
        ask(ours)


def test_difference_the_template_is_ours() -> None:
    theirs, ours = both()
    assert theirs.template != ours.template
    context = ask(ours)[0].get_html_context()
    assert set(ask(theirs)[0].get_html_context()) == {"previous_url", "next_url"}
    assert set(context) > {"previous_url", "next_url", "first_url", "last_url"}
    kept = made(CursorPagination, template=theirs.template)
    assert "<li" in ask(kept)[0].to_html()


def test_difference_the_inner_workings_are_not_drfs() -> None:
    """Names that DRF has without documenting them."""
    _, ours = both(offset_cutoff=1)
    paginator, _ = ask(ours, ask(ours)[0].get_next_link())
    assert not hasattr(paginator, "next_position")
    assert not hasattr(paginator.cursor, "offset")
    assert paginator.cursor.position == ("c", Article.objects.get(title="c").pk)
