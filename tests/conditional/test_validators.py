"""What one object is compared by: states, tags, dates, and what they cost."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection, models
from django.db.models.fields.files import FieldFile
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    BodyHash,
    Generation,
    RowDigest,
    RowValidator,
    UpdatedAt,
    VersionField,
)
from drf_apikit.conditional.modification import UNSETTLED, last_modified
from drf_apikit.conditional.rows import columns_of, microseconds, plain, values_of
from drf_apikit.conditional.tags import body_of, digest, join, representation_of
from drf_apikit.http.dates import format_http_date
from drf_apikit.http.etags import EntityTag
from tests.app.models import Article, Author, Document, Extreme, Label, Seat
from tests.torture.library import (
    TRACKED,
    Documents,
    FlatSerializer,
    Nested,
    NestedSerializer,
    Public,
)

pytestmark = pytest.mark.django_db
FACTORY = APIRequestFactory()
ADA = User(pk=1, username="ada")
PAST = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Choice(models.TextChoices):
    ONE = "one"


VALIDATORS = (VersionField(), UpdatedAt(), RowDigest(), BodyHash())


@pytest.fixture
def document() -> Document:
    document = Document.objects.create(slug="a", author=Author.objects.create(name="n"))
    document.tags.add(Label.objects.create(name="l"))
    Document.objects.update(version=3, updated_at=PAST)
    return Document.objects.get()


def make(validator: Any, base: Any = Documents, **own: Any) -> Any:
    return type("Made", (base,), {"validator": validator, **own})


def ask(view: Any, pk: int, path: str = "/x/", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = FACTORY.get(path, headers=named)
    force_authenticate(request, ADA)
    response = view.as_view({"get": "retrieve"})(request, pk=pk)
    return response.render() if hasattr(response, "render") else response


def cost(*given: Any, **options: Any) -> tuple[int, int]:
    """Give status and number of statements."""
    with CaptureQueriesContext(connection) as captured:
        response = ask(*given, **options)
    return response.status_code, len(captured)


# Tags


@pytest.mark.compliance("RFC 9110", "8.8.3")
def test_a_tag_has_two_or_three_parts() -> None:
    assert join("2-7", "", "b").opaque == "2-7.b"
    whole = join("2-7", "a", "b")
    assert (representation_of(whole), body_of(whole)) == ("2-7.a", "b")
    assert (representation_of(join("2-7")), body_of(join("2-7", "a"))) == ("2-7", "")
    assert body_of(EntityTag("a.b.c.d")) == "c.d"


def test_no_two_lists_of_parts_have_one_digest() -> None:
    lists: list[list[Any]] = [
        [],
        [""],
        ["a", "b"],
        ["ab"],
        ["a", "", "b"],
        ["1:a"],
        ["\ud800"],
        [None, "a"],
        [b"\xff"],
    ]
    assert len({digest(parts) for parts in lists}) == len(lists)
    assert digest(["a"]) == digest([b"a"])
    assert len(digest([])) == 18


# Rows


def test_values_are_plain_and_tell_states_apart() -> None:
    field: Any = Document._meta.get_field("file")
    row = Document(file="a.txt", extra={"a": [1, (2, None)]}, raw=memoryview(b"x"))
    assert plain(row.extra) == {"a": [1, [2, None]]}
    assert plain(row.raw) == b"x"
    assert plain(FieldFile(row, field, "b.txt")) == "b.txt"
    assert plain(Choice.ONE) == "one"
    for value in (1, 1.5, True, None, "a", b"a", Decimal("1.50"), UUID(int=1), PAST):
        assert plain(value) is value
    assert values_of(Seat(line="a", number=1, price=2), ("price",)) == (
        "tests_app.seat",
        ["a", 1],
        2,
    )


@pytest.mark.usefixtures("database")
def test_values_are_the_same_however_often_they_are_read() -> None:
    row = Extreme.objects.create(
        text="é\0".replace("\0", ""),
        amount=Decimal("1.5"),
        moment=PAST + timedelta(microseconds=7),
        ratio=0.1,
        token=UUID(int=5),
        raw=b"\0\xff",
        address="::1",
        span=timedelta(days=-1, microseconds=3),
        flag=False,
        big=-(2**63),
    )
    columns = columns_of(Extreme)
    first, second = (
        repr(values_of(Extreme.objects.get(pk=row.pk), columns)) for _ in range(2)
    )
    assert first == second
    for name in columns[1:]:
        empty = "x" if name == "text" else None
        Extreme.objects.filter(pk=row.pk).update(**{name: empty})
        changed = repr(values_of(Extreme.objects.get(pk=row.pk), columns))
        assert changed != first
        first = changed


def test_microseconds_are_exact() -> None:
    assert microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert microseconds(PAST) == microseconds(PAST.replace(tzinfo=None))


# States


def test_states_name_format_and_version(document: Document) -> None:
    assert VersionField().state(document).startswith("2-3-")
    assert UpdatedAt().state(document).startswith(f"2-{microseconds(PAST)}-")
    article = Article.objects.create(version=9)
    assert VersionField().columns(Article) == ("version",)
    assert UpdatedAt("touched").columns(Document) == ("touched",)
    assert VersionField().state(article).startswith("2-9-")
    for validator in (VersionField(), UpdatedAt(), RowDigest()):
        assert "." not in validator.state(document)


CHANGES: dict[str, Callable[[], object]] = {
    "save": lambda: Document.objects.get().save(),
    "update": lambda: Document.objects.update(text="x"),
    "bump": Document.objects.all().bump,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("validator", VALIDATORS[:3], ids=type)
def test_each_write_is_another_state(
    validator: RowValidator, change: Callable[[], object], document: Document
) -> None:
    before = validator.state(document)
    assert validator.state(Document.objects.get()) == before
    change()
    assert validator.state(Document.objects.get()) != before


@pytest.mark.parametrize("validator", VALIDATORS[:3], ids=type)
def test_another_row_has_another_state(
    validator: RowValidator, document: Document
) -> None:
    other = Document.objects.create(slug="b", version=3)
    Document.objects.filter(pk=other.pk).update(version=3, updated_at=PAST)
    other.refresh_from_db()
    assert validator.state(document) != validator.state(other)


def test_a_row_that_came_again_is_another_one(document: Document) -> None:
    before = VersionField().state(document)
    pk = document.pk
    document.delete()
    again = Document.objects.create(pk=pk, slug="a", version=3)
    assert VersionField().state(again) != before


def test_where_the_columns_move_to(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: PAST)
    moved = VersionField().moved(document)
    # The clock stands still.
    later = PAST + timedelta(microseconds=1)
    assert moved == {"version": 4, "updated_at": later}
    assert VersionField().moved(Article(version=1)) == {"version": 2}
    assert UpdatedAt().moved(document) == {"updated_at": later}
    assert RowDigest().moved(document) == {}
    assert not RowDigest.swaps


# Reads


@pytest.mark.parametrize("validator", VALIDATORS, ids=type)
@pytest.mark.parametrize("base", [Documents, Nested])
def test_an_object_is_the_same_until_it_changes(
    base: Any, validator: Any, document: Document
) -> None:
    view = make(validator, base)
    for change in (
        lambda: Document.objects.update(title="new"),
        Author.objects.all().delete,
    ):
        tag = ask(view, document.pk)["ETag"]
        assert ask(view, document.pk, If_None_Match=tag).status_code == 304
        change()
        assert ask(view, document.pk, If_None_Match=tag).status_code == 200


@pytest.mark.parametrize(
    ("base", "number"), [(Documents, 1), (Nested, 4)], ids=["flat", "nested"]
)
@pytest.mark.parametrize("validator", VALIDATORS[:3], ids=type)
def test_a_304_costs_the_row_and_each_path(
    validator: Any, base: Any, number: int, document: Document
) -> None:
    view, pk = make(validator, base), document.pk
    tag = ask(view, pk)["ETag"]
    assert cost(view, pk, If_None_Match=tag) == (304, min(number, 3))


@pytest.mark.parametrize("validator", VALIDATORS, ids=type)
@pytest.mark.parametrize("serializer", [FlatSerializer, NestedSerializer])
def test_an_answer_costs_no_more_than_without_a_tag(
    serializer: Any, validator: Any, document: Document
) -> None:
    rows = Document.objects.order_by("pk")
    if serializer is NestedSerializer:
        rows = rows.select_related("author").prefetch_related("tags")
    own = {"serializer_class": serializer, "queryset": rows}
    given = ("permission_classes", "renderer_classes", "versioning_class")
    attributes = {name: getattr(Documents, name) for name in given}
    bare: Any = type("Bare", (ModelViewSet,), {**attributes, **own})
    paths = ("author", "tags") if serializer is NestedSerializer else ()
    view = make(validator, **own, depends_on=paths)
    assert cost(view, document.pk) == cost(bare, document.pk)
    stale = cost(view, document.pk, If_None_Match='"stale"')
    assert stale == cost(bare, document.pk)


def test_what_is_not_declared_is_judged_by_its_bytes(document: Document) -> None:
    for validator in (None, BodyHash(), BodyHash(UpdatedAt())):
        view = make(validator)
        tag = ask(view, document.pk)["ETag"]
        of = validator.of if validator else None
        assert tag.startswith(f'"{(of or VersionField()).state(document)}.')
    article = make(None, Documents, queryset=Article.objects.all())
    assert article.validator is None


def test_a_missing_object_is_404_whatever_is_asked(document: Document) -> None:
    for validator in VALIDATORS:
        view = make(validator)
        for value in ("*", '"a"'):
            missing = ask(view, document.pk + 1, If_None_Match=value)
            assert missing.status_code == 404


# Dates


@pytest.mark.compliance("RFC 9110", "8.8.2")
@pytest.mark.parametrize(
    ("moment", "after", "shown"),
    [
        (PAST, 2, PAST),
        (PAST, 1.999999, UNSETTLED),
        (PAST, 0, UNSETTLED),
        (PAST + timedelta(microseconds=1), 3, PAST + timedelta(seconds=1)),
        (PAST + timedelta(microseconds=1), 2.999999, UNSETTLED),
        (PAST.replace(tzinfo=None), 2, PAST),
        (None, 2, None),
    ],
)
def test_a_date_is_told_once_its_second_is_over(
    moment: Any, after: float, shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = PAST + timedelta(seconds=after)
    monkeypatch.setattr(timezone, "now", lambda: now)
    row = Document(updated_at=moment)
    assert last_modified(row, "updated_at") == shown
    assert last_modified(row, "") is None
    assert last_modified(row, None) is None


def test_naive_dates_are_of_the_default_zone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Tokyo"
    tokyo = PAST + timedelta(hours=9)
    row = Document(updated_at=tokyo.replace(tzinfo=None))
    with timezone.override("America/New_York"):
        assert last_modified(row, "updated_at") == PAST
        for seconds, shown in ((2, PAST), (1, UNSETTLED)):
            now = row.updated_at + timedelta(seconds=seconds)
            monkeypatch.setattr(timezone, "now", lambda now=now: now)
            assert last_modified(row, "updated_at") == shown


@pytest.mark.parametrize(
    ("own", "shown"),
    [
        ({"validator": VersionField()}, False),
        ({"validator": VersionField(), "last_modified_field": "updated_at"}, True),
        ({"validator": VersionField(), "per_user": False}, True),
        ({"validator": UpdatedAt(), "per_user": False}, True),
        ({"validator": UpdatedAt("touched"), "per_user": False}, True),
        ({"validator": RowDigest()}, False),
        ({"validator": BodyHash()}, False),
        ({"validator": RowDigest(), "last_modified_field": "touched"}, True),
        (
            {"validator": VersionField(), "per_user": False, "depends_on": ("author",)},
            False,
        ),
        ({"validator": VersionField(), "last_modified_field": ""}, False),
    ],
)
def test_which_views_tell_a_date(
    own: dict[str, Any], shown: bool, document: Document
) -> None:
    Document.objects.update(touched=PAST, updated_at=PAST)
    response = ask(type("Made", (Documents,), own), document.pk)
    assert response.get("Last-Modified") == (format_http_date(PAST) if shown else None)
    articles = make(VersionField(), Documents, queryset=Article.objects.all())
    assert articles.last_modified_field is None


@pytest.mark.compliance("RFC 9110", "13.1.3")
def test_a_date_is_enough_for_a_304(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = make(VersionField(), Public)
    shown = ask(view, document.pk)["Last-Modified"]
    same = ask(view, document.pk, If_Modified_Since=shown)
    assert (same.status_code, same["Last-Modified"]) == (304, shown)
    Document.objects.update(title="new")
    fresh = ask(view, document.pk, If_Modified_Since=shown)
    assert fresh.status_code == 200
    assert "Last-Modified" not in fresh
    # In the same second a date would say too much.
    now = format_http_date(timezone.now())
    assert ask(view, document.pk, If_Modified_Since=now).status_code == 200
    later = timezone.now() + timedelta(seconds=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert "Last-Modified" in ask(view, document.pk)


def test_a_date_of_a_day_is_no_moment() -> None:
    assert plain(date(2026, 1, 2)) == date(2026, 1, 2)


# Generations


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settled_generations")
def test_a_304_of_a_generation_takes_no_query(document: Document) -> None:
    view, pk = make(Generation(*TRACKED), Nested), document.pk
    tag = ask(view, pk)["ETag"]
    assert cost(view, pk, If_None_Match=tag) == (304, 0)
    assert cost(view, pk, If_None_Match=f'"a", W/{tag}') == (304, 0)
    # Any other condition wants the row.
    for headers in ({"If_None_Match": "*"}, {"If_Match": tag, "If_None_Match": tag}):
        status, number = cost(view, pk, **headers)
        assert (status, number > 0) == (304, True)
    assert ask(view, pk, If_Match=tag).status_code == 200
    assert ask(view, pk, If_None_Match='"unclosed').status_code == 200
    assert ask(view, pk, path="/y/", If_None_Match=tag).status_code == 200
    Label.objects.update(name="other")
    assert ask(view, pk, If_None_Match=tag).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settled_generations")
def test_of_many_tags_a_generation_looks_at_a_few(document: Document) -> None:
    view, pk = make(Generation(*TRACKED)), document.pk
    tag = ask(view, pk)["ETag"]
    others = [f'"{number}"' for number in range(16)]
    assert cost(view, pk, If_None_Match=", ".join([*others[1:], tag])) == (304, 0)
    assert cost(view, pk, If_None_Match=", ".join([*others, tag])) == (304, 1)


def test_without_a_generation_the_bytes_decide(document: Document) -> None:
    view = make(Generation("tests_app.Document", of=UpdatedAt()))
    tag = ask(view, document.pk)["ETag"]
    assert tag.startswith(f'"{UpdatedAt().state(document)}.')
    assert ask(view, document.pk, If_None_Match=tag).status_code == 304
    Document.objects.update(title="new")
    assert ask(view, document.pk, If_None_Match=tag).status_code == 200


# Beside others


@pytest.mark.urls("tests.conditional.urls")
def test_djangos_own_middleware_changes_nothing(settings: Settings) -> None:
    article = Article.objects.create(title="t")
    client = APIClient()
    client.force_authenticate(ADA)
    url = f"/articles/{article.pk}/"
    before = client.get(url)
    settings.MIDDLEWARE = [
        "django.middleware.http.ConditionalGetMiddleware",
        *settings.MIDDLEWARE,
    ]
    beside = client.get(url)
    tag = beside["ETag"]
    assert tag == before["ETag"]
    same = client.get(url, headers={"If-None-Match": tag})
    assert (same.status_code, same["ETag"], same.content) == (304, tag, b"")
    Article.objects.update(version=2)
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 200
    assert client.get(url, headers={"If-Match": tag}).status_code == 412


class Owning(Documents):
    validator = VersionField()
    tag = '"own.tag"'

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().retrieve(request, *args, **kwargs)
        response["ETag"] = self.tag
        return response


def test_a_tag_of_the_views_own_decides(document: Document, settings: Settings) -> None:
    pk = document.pk
    for rate in (0.0, 1.0):
        settings.DRF_APIKIT = {"CONDITIONAL": {"VERIFY_SAMPLE_RATE": rate}}
        assert ask(Owning, pk)["ETag"] == '"own.tag"'
        assert ask(Owning, pk, If_None_Match='"own.tag"').status_code == 304
        assert ask(Owning, pk, If_None_Match='"own.other"').status_code == 200
        other = make(VersionField())
        tag = ask(other, pk)["ETag"]
        assert ask(Owning, pk, If_None_Match=tag).status_code in {200, 304}
    odd = type("Odd", (Owning,), {"tag": "no tag"})
    response = ask(odd, pk, If_None_Match="*, no tag")
    assert (response.status_code, response["ETag"]) == (200, "no tag")
