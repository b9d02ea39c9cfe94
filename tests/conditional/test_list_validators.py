"""What a list is compared by, and what the comparison costs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, Prefetch
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import PageNumberPagination as OthersPages
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    Generation,
    PageDigest,
)
from tests.app.models import Article, Author, Document, Label
from tests.torture.library import (
    TRACKED,
    Articles,
    Cursors,
    Documents,
    FlatSerializer,
    Nested,
    NestedSerializer,
    Offsets,
    Pages,
    Tagging,
    Taggings,
)

pytestmark = pytest.mark.django_db
FACTORY = APIRequestFactory()
ADA = User(pk=1, username="ada")


class Their(OthersPages):
    page_size = 2


PAGINATORS = {
    "whole": None,
    "cursor": Cursors,
    "offset": Offsets,
    "pages": Pages,
    "theirs": Their,
}


def fill() -> None:
    tags = [Label.objects.create(name=name) for name in "ab"]
    for number in range(5):
        author = Author.objects.create(name=f"n{number}")
        document = Document.objects.create(
            slug=f"s{number}", title="t", amount=number, author=author
        )
        document.tags.set(tags[: number % 3])
        Article.objects.create(title="t", score=number)


def make(base: Any, validator: Any = None, **own: Any) -> Any:
    return type("Made", (base,), {"list_validator": validator, **own})


def ask(view: Any, tag: str = "", path: str = "/", **headers: str) -> Any:
    given = {"If-None-Match": tag} if tag else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = FACTORY.get(path, headers={**given, **named})
    force_authenticate(request, ADA)
    is_set = issubclass(view, ModelViewSet)
    callback = view.as_view({"get": "list"}) if is_set else view.as_view()
    response = callback(request)
    return response.render() if hasattr(response, "render") else response


def cost(view: Any, tag: str = "", path: str = "/") -> tuple[int, int]:
    """Give status and number of statements."""
    with CaptureQueriesContext(connection) as captured:
        response = ask(view, tag, path)
    return response.status_code, len(captured)


CHANGES: dict[str, Callable[[], object]] = {
    "row": lambda: Document.objects.filter(amount=1).update(title="x"),
    "order": lambda: Document.objects.update(amount=10 - F("amount")),
    "insert": lambda: Document.objects.create(slug="new", amount=0),
    "delete": lambda: Document.objects.filter(amount=1).delete(),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("validator", [PageDigest(), Aggregate(), BodyHash()], ids=type)
def test_a_list_is_the_same_until_it_changes(validator: Any) -> None:
    fill()
    for paginator in PAGINATORS.values():
        view = make(Documents, validator, pagination_class=paginator)
        for change in CHANGES.values():
            tag = ask(view)["ETag"]
            with transaction.atomic():
                Article.objects.update(title="other")
                assert ask(view, tag)["ETag"] == tag
                change()
                assert ask(view, tag).status_code == 200
                transaction.set_rollback(True)
            assert ask(view, tag).status_code == 304


@pytest.mark.usefixtures("database")
def test_two_rows_that_change_places_change_the_sum() -> None:
    first, second = (
        Article.objects.create(title=t, version=v) for t, v in ("a1", "b2")
    )
    view = make(Articles, Aggregate())
    tag = ask(view)["ETag"]
    for row, version in ((first, 2), (second, 1)):
        Article.objects.filter(pk=row.pk).update(version=version)
    assert ask(view, tag).status_code == 200


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("number", [0, 1, 2**31, 2**62, 2**63 - 1])
def test_the_largest_numbers_have_a_sum(number: int) -> None:
    document = Document.objects.create(slug="a")
    Document.objects.filter(pk=document.pk).update(version=number)
    view = make(Documents, Aggregate())
    tag = ask(view)["ETag"]
    assert ask(view, tag).status_code == 304
    Document.objects.filter(pk=document.pk).update(version=number // 2 + 3)
    assert ask(view, tag).status_code == 200


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("validator", [Aggregate("id"), PageDigest()], ids=type)
def test_foreign_keys_to_versioned_rows_are_joined(validator: Any) -> None:
    fill()
    view = make(Taggings, validator)
    tag = ask(view)["ETag"]
    assert cost(view, tag) == (304, 1)
    for change in (
        Label.objects.filter(name="b").bump,
        Document.objects.filter(amount=2).bump,
        Tagging.objects.filter(document__amount=1).delete,
    ):
        change()
        changed = ask(view, tag)
        assert changed.status_code == 200
        tag = changed["ETag"]
    Tagging.objects.all().delete()
    assert ask(view, ask(view)["ETag"]).status_code == 304


JOINED = {"depends_on": ("author",)}
#: What a 304 takes: pages count their rows first.
COSTS: dict[str, tuple[Any, int]] = {
    "page": (make(Documents, PageDigest()), 1),
    "page and count": (make(Documents, PageDigest(), pagination_class=Their), 2),
    "joined": (make(Nested, PageDigest(), **JOINED), 1),
    "joined and count": (
        make(Nested, PageDigest(), pagination_class=Their, **JOINED),
        2,
    ),
    # The pairs, and the rows that they lead to.
    "many": (make(Nested, PageDigest()), 3),
    "sum": (make(Documents, Aggregate()), 1),
    "sum of pages": (make(Documents, Aggregate(), pagination_class=Their), 1),
}


@pytest.mark.parametrize(("view", "number"), COSTS.values(), ids=COSTS)
def test_what_a_304_costs(view: Any, number: int) -> None:
    fill()
    assert cost(view, ask(view)["ETag"]) == (304, number)


@pytest.mark.parametrize("paginator", PAGINATORS.values(), ids=PAGINATORS)
@pytest.mark.parametrize("dependent", [False, True])
def test_an_answer_costs_no_more_than_without_a_tag(
    paginator: Any, dependent: bool
) -> None:
    fill()
    rows = Document.objects.order_by("amount", "pk")
    own = {"pagination_class": paginator, "queryset": rows}
    if dependent:
        own["serializer_class"] = NestedSerializer
        own["queryset"] = rows.select_related("author").prefetch_related("tags")
        own["depends_on"] = ("author", "tags")
    plain = type("Plain", (ModelViewSet,), {**PLAIN, **own})
    assert cost(make(Documents, PageDigest(), **own)) == cost(plain)


PLAIN: dict[str, Any] = {
    name: getattr(Documents, name)
    for name in ("permission_classes", "renderer_classes", "versioning_class")
} | {"serializer_class": FlatSerializer}


def test_the_rows_of_a_304_are_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    views = [view for view, _ in COSTS.values()]
    tags = [ask(view)["ETag"] for view in views]
    monkeypatch.setattr(FlatSerializer, "to_representation", None)
    for view, tag in zip(views, tags, strict=True):
        assert ask(view, tag).status_code == 304


class Union(Documents):
    def get_queryset(self) -> Any:
        odd = Document.objects.filter(amount=1)
        return odd.union(Document.objects.filter(amount=2)).order_by("amount")


class Sliced(Documents):
    def get_queryset(self) -> Any:
        return Document.objects.order_by("amount", "pk")[:2]


class Values(Documents):
    def get_queryset(self) -> Any:
        rows = Document.objects.order_by("amount", "pk")
        return rows.values("id", "title", "version", "text")

    def list(self, *_: Any, **__: Any) -> Response:
        rows = self.get_queryset()
        page = self.paginate_queryset(rows)
        return Response(list(rows if page is None else page))


class Plainly(Documents):
    """Rows that are of no model."""

    def list(self, *_: Any, **__: Any) -> Response:
        titles = Document.objects.order_by("pk").values_list("title", flat=True)
        page = self.paginate_queryset(list(titles))
        return Response(page)

    def filter_queryset(self, queryset: Any) -> Any:
        return list(queryset)


class OwnPages(Documents):
    """Does not ask anybody for its pages."""

    def paginate_queryset(self, queryset: Any) -> Any:
        self.size = len(queryset)


class Chosen(Nested):
    """Of the related rows it shows some."""

    queryset = Documents.queryset.prefetch_related(
        Prefetch("tags", Label.objects.filter(name="a"))
    )


class Elsewhere(Documents):
    """A list without rows."""

    def list(self, *_: Any, **__: Any) -> Response:
        return Response([Document.objects.count()])


@pytest.mark.parametrize(
    "view",
    [
        make(base, PageDigest(), pagination_class=paginator)
        for base, paginators in {
            Union: (None, Their),
            Sliced: (None,),
            Values: (None, Their),
            Plainly: (Their,),
            Elsewhere: (None,),
            OwnPages: (None,),
            Chosen: (None, Their, Cursors),
        }.items()
        for paginator in paginators
    ]
    + [
        make(Union, Aggregate()),
        make(Sliced, Aggregate()),
        make(Values, Aggregate()),
        make(Nested, Aggregate()),
        make(Documents),
    ],
    ids=lambda view: f"{view.__base__.__name__}-{view.list_validator}"[:20],
)
def test_what_cannot_be_narrowed_is_judged_by_what_was_made(view: Any) -> None:
    fill()
    tag = ask(view)["ETag"]
    again = ask(view, tag)
    assert again.status_code == 304
    assert again["ETag"] == tag
    Document.objects.filter(amount__lt=3).update(title="other", amount=F("amount") + 9)
    Document.objects.create(slug="new")
    assert ask(view, tag).status_code == 200


@pytest.mark.parametrize("path", ["/?page=1", "/?page=2", "/?page_size=1"])
def test_each_page_has_a_tag_of_its_own(path: str) -> None:
    fill()
    view = make(Documents, PageDigest(), pagination_class=Pages)
    tag = ask(view, path="/")["ETag"]
    assert ask(view, tag, path).status_code == 200
    assert ask(view, ask(view, path=path)["ETag"], path).status_code == 304


def test_a_page_tells_only_of_its_rows_and_of_the_total() -> None:
    fill()
    view = make(Documents, PageDigest(), pagination_class=Pages)
    tag = ask(view)["ETag"]
    Document.objects.filter(amount=4).update(title="x")
    assert ask(view, tag).status_code == 304
    Document.objects.filter(amount=4).delete()
    assert ask(view, tag).status_code == 200


def test_columns_of_ones_own() -> None:
    fill()
    view = make(Articles, PageDigest("version"))
    tag = ask(view)["ETag"]
    with CaptureQueriesContext(connection) as captured:
        assert ask(view, tag).status_code == 304
    assert '"title"' not in captured[0]["sql"]
    Article.objects.update(version=F("version") + 1)
    assert ask(view, tag).status_code == 200


class Filtered(Documents):
    filter_backends = (OrderingFilter,)
    ordering_fields = ("title", "amount", "author__name")
    pagination_class = Cursors


@pytest.mark.parametrize(
    "order", [["title"], ["-author__name"], [F("title").desc()], [Lower("title")], []]
)
def test_orderings_of_every_kind(order: list[Any]) -> None:
    fill()
    rows = Document.objects.order_by(*order, "pk")
    for paginator in PAGINATORS.values():
        view = make(Documents, PageDigest(), queryset=rows, pagination_class=paginator)
        assert ask(view, ask(view)["ETag"]).status_code == 304


@pytest.mark.parametrize("order", ["title", "-amount", "author__name"])
def test_orderings_that_the_client_chooses(order: str) -> None:
    fill()
    view, path = make(Filtered, PageDigest()), f"/?ordering={order}"
    tag = ask(view, path=path)["ETag"]
    assert cost(view, tag, path)[0] == 304
    assert ask(view, tag).status_code == 200


def test_if_match_on_a_list() -> None:
    fill()
    for validator in (PageDigest(), Aggregate()):
        view = make(Documents, validator)
        tag = ask(view)["ETag"]
        assert ask(view, If_Match=tag).status_code == 200
        refused = ask(view, If_Match='"other"')
        assert (refused.status_code, refused["ETag"]) == (412, tag)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settled_generations")
def test_a_304_of_a_generation_takes_no_query() -> None:
    fill()
    for paginator in PAGINATORS.values():
        view = make(Nested, Generation(*TRACKED), pagination_class=paginator)
        tag = ask(view)["ETag"]
        assert cost(view, tag) == (304, 0)
        Label.objects.update(name="other")
        assert ask(view, tag).status_code == 200
