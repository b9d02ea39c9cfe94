"""Some 304s are compared with a fresh answer: that finds wrong declarations."""

import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.serializers import SerializerMethodField
from rest_framework.test import APIRequestFactory, force_authenticate

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    Generation,
    PageDigest,
    RowDigest,
    UpdatedAt,
    VersionField,
    generations,
)
from drf_apikit.signals import validator_found_stale
from tests.app.models import Article, Author, Document, Label
from tests.compliance.conditional_generations import settled
from tests.torture.library import (
    TRACKED,
    Articles,
    Documents,
    FlatSerializer,
    Nested,
    Public,
)

pytestmark = pytest.mark.django_db
FACTORY = APIRequestFactory()
ADA = User(pk=1, username="ada")
ROOT = User(pk=2, username="root", is_staff=True)
LOGGER = "drf_apikit.conditional"


class CountingSerializer(FlatSerializer):
    """Shows what no column of the row tells."""

    articles = SerializerMethodField()

    class Meta(FlatSerializer.Meta):
        fields = ("id", "articles")

    def get_articles(self, _row: Document) -> int:
        return Article.objects.count()


class UnitSerializer(FlatSerializer):
    unit = SerializerMethodField()

    class Meta(FlatSerializer.Meta):
        fields = ("id", "unit")

    def get_unit(self, _row: Document) -> str:
        unit: str = self.context["request"].headers.get("X-Unit", "")
        return unit


class Tagged(Documents):
    """Shows a number that the database has counted."""

    class TaggedSerializer(FlatSerializer):
        number = SerializerMethodField()

        class Meta(FlatSerializer.Meta):
            fields = ("id", "number")

        def get_number(self, row: Any) -> int:
            number: int = row.number
            return number

    queryset: Any = Document.objects.annotate(number=Count("tags")).order_by("pk")
    serializer_class = TaggedSerializer


@pytest.fixture
def document() -> Document:
    document = Document.objects.create(slug="a", author=Author.objects.create(name="a"))
    document.tags.add(Label.objects.create(name="l"))
    Article.objects.create(title="t")
    return document


@pytest.fixture
def found() -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def receive(**given: Any) -> None:
        calls.append(given)

    validator_found_stale.connect(receive)
    yield calls
    validator_found_stale.disconnect(receive)


@pytest.fixture(autouse=True)
def always(settings: Settings) -> None:
    sample(settings, 1.0)


def sample(settings: Settings, rate: float, **others: Any) -> None:
    section = {"VERIFY_SAMPLE_RATE": rate, **others}
    settings.DRF_APIKIT = {"CONDITIONAL": section}


def make(base: type[Documents], **own: Any) -> Any:
    return type("Made", (base,), own)


def ask(view: Any, *tags: str, user: User = ADA, **headers: str) -> Any:
    """Read a list where the view has a list validator, else the one row."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if tags:
        given["If-None-Match"] = ", ".join(tags)
    request = FACTORY.get("/", headers=given)
    force_authenticate(request, user)
    if view.list_validator is not None:
        response = view.as_view({"get": "list"})(request)
    else:
        pk = view.queryset.values_list("pk", flat=True).get()
        response = view.as_view({"get": "retrieve"})(request, pk=pk)
    return response.render() if hasattr(response, "render") else response


def rename_author() -> None:
    Author.objects.update(name="other")


def add_tag() -> None:
    Document.objects.get().tags.add(Label.objects.create(name="new"))


def rename_tag() -> None:
    Label.objects.update(name="other")


def add_article() -> None:
    Article.objects.create(title="new")


def retitle() -> None:
    Document.objects.update(title="other")


def retitle_article() -> None:
    # As it should not be: the version stays.
    Article.objects.update(title="other")


AUTHOR, TAGS = {"depends_on": ("author",)}, {"depends_on": ("tags",)}
BOTH: dict[str, Any] = {"depends_on": ("author", "tags")}
VERSION, DIGEST = {"validator": VersionField()}, {"list_validator": PageDigest()}

WRONG: dict[str, tuple[Any, Callable[[], None]]] = {
    "nested row": (make(Nested, **VERSION, **TAGS), rename_author),
    "membership": (make(Nested, **VERSION, **AUTHOR), add_tag),
    "row of many": (make(Nested, **VERSION, **AUTHOR), rename_tag),
    "of RowDigest": (make(Nested, validator=RowDigest(), **AUTHOR), rename_tag),
    "elsewhere": (
        make(Documents, **VERSION, serializer_class=CountingSerializer),
        add_article,
    ),
    "wrong version": (make(Documents, validator=VersionField("author_id")), retitle),
    "wrong time": (make(Documents, validator=UpdatedAt("touched")), retitle),
    "version that stays": (type("Made", (Articles,), VERSION), retitle_article),
    "annotation": (make(Tagged, **VERSION), add_tag),
    "nested row of a page": (make(Nested, **DIGEST, **TAGS), rename_author),
    "membership of a page": (make(Nested, **DIGEST, **AUTHOR), add_tag),
    "annotation of a page": (make(Tagged, **DIGEST), add_tag),
    "column of a page": (
        make(Documents, list_validator=PageDigest("author_id")),
        retitle,
    ),
    "dependency of a sum": (
        make(Nested, list_validator=Aggregate(), depends_on=()),
        rename_tag,
    ),
    "column of a sum": (
        make(Documents, list_validator=Aggregate("author_id")),
        retitle,
    ),
}
RIGHT: dict[str, tuple[Any, Callable[[], None]]] = {
    "nested row": (make(Nested, **VERSION, **BOTH), rename_author),
    "membership": (make(Nested, **VERSION, **BOTH), add_tag),
    "row of many": (make(Nested, validator=RowDigest(), **BOTH), rename_tag),
    "wrong version": (make(Documents, **VERSION), retitle),
    "time": (make(Documents, validator=UpdatedAt()), retitle),
    "annotation": (make(Tagged, **VERSION, **TAGS), add_tag),
    "elsewhere": (make(Documents, serializer_class=CountingSerializer), add_article),
    "nested row of a page": (make(Nested, **DIGEST, **BOTH), rename_author),
    "membership of a page": (make(Nested, **DIGEST, **BOTH), add_tag),
    "column of a sum": (make(Documents, list_validator=Aggregate()), retitle),
    "bytes": (make(Nested, list_validator=BodyHash()), add_tag),
}


def assert_found(
    response: HttpResponse, tag: str, found: list[Any], caplog: Any
) -> None:
    assert response.status_code == 200
    assert response.content
    assert response["ETag"] != tag
    assert [str(call["tag"]) for call in found] == [tag]
    assert found[0]["request"].method == "GET"
    assert issubclass(found[0]["sender"], Documents | Articles)
    records = [record for record in caplog.records if record.name == LOGGER]
    assert [record.levelno for record in records] == [logging.ERROR]


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(("view", "change"), WRONG.values(), ids=WRONG)
def test_a_wrong_declaration_is_found(
    view: Any, change: Callable[[], None], found: list[Any], caplog: Any
) -> None:
    tag = ask(view)["ETag"]
    assert ask(view, tag).status_code == 304
    assert not found
    change()
    response = ask(view, tag)
    assert_found(response, tag, found, caplog)
    # What was sent instead is right.
    assert ask(view, response["ETag"]).status_code == 304
    assert len(found) == 1


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(("view", "change"), RIGHT.values(), ids=RIGHT)
def test_a_right_declaration_is_never_blamed(
    view: Any, change: Callable[[], None], found: list[Any], caplog: Any
) -> None:
    tag = ask(view)["ETag"]
    assert ask(view, tag).status_code == 304
    change()
    response = ask(view, tag)
    assert response.status_code == 200
    assert ask(view, response["ETag"], tag)["ETag"] == response["ETag"]
    assert not found
    assert LOGGER not in {record.name for record in caplog.records}


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize("own", [VERSION, DIGEST], ids=["object", "list"])
def test_bytes_of_another_user_are_found(
    own: Any, found: list[Any], caplog: Any
) -> None:
    right, wrong = make(Documents, **own), make(Documents, **own, per_user=False)
    assert ask(right, ask(right, user=ROOT)["ETag"]).status_code == 200
    assert not found
    tag = ask(wrong, user=ROOT)["ETag"]
    assert_found(ask(wrong, tag), tag, found, caplog)
    public = make(Public, **own)
    assert ask(public, ask(public, user=ROOT)["ETag"]).status_code == 304
    assert len(found) == 1


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize("own", [VERSION, DIGEST], ids=["object", "list"])
def test_a_header_that_is_not_declared_is_found(
    own: Any, found: list[Any], caplog: Any
) -> None:
    wrong = make(Documents, **own, serializer_class=UnitSerializer)
    right = type("Right", (wrong,), {"variant_headers": ("X-Unit",)})
    assert ask(right, ask(right)["ETag"], X_Unit="m").status_code == 200
    assert not found
    tag = ask(wrong)["ETag"]
    assert_found(ask(wrong, tag, X_Unit="m"), tag, found, caplog)


@pytest.fixture
def sampled_generations(
    redis_cache: object, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    assert redis_cache
    with settled(settings, monkeypatch, TRACKED, VERIFY_SAMPLE_RATE=1.0):
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sampled_generations", "document")
@pytest.mark.parametrize("of_list", [False, True], ids=["object", "list"])
def test_a_generation_without_one_of_its_models_is_found(
    of_list: bool, found: list[Any], caplog: Any
) -> None:
    name = "list_validator" if of_list else "validator"
    right = make(Nested, **{name: Generation(*TRACKED)})
    wrong = make(Nested, **{name: Generation("tests_app.Document", "auth.User")})
    tag, stale = ask(right)["ETag"], ask(wrong)["ETag"]
    assert ask(right, tag).status_code == ask(wrong, stale).status_code == 304
    rename_author()
    assert ask(right, tag).status_code == 200
    assert not found
    assert_found(ask(wrong, stale), stale, found, caplog)


@pytest.mark.parametrize(
    ("view", "number"),
    [
        (make(Documents, **VERSION), 1),
        (make(Documents, **DIGEST), 1),
        (make(Documents, list_validator=Aggregate()), 1),
    ],
    ids=["object", "page", "sum"],
)
@pytest.mark.usefixtures("document")
def test_without_samples_nothing_is_rendered(
    view: Any, number: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = ask(view)["ETag"]
    sample(settings, 0)
    tag = ask(view)["ETag"]
    assert tag.count(".") == 1
    assert sampled.startswith(tag.rstrip('"') + ".")
    monkeypatch.setattr(Response, "render", None)
    monkeypatch.setattr(FlatSerializer, "to_representation", None)
    for held in (tag, sampled):
        with CaptureQueriesContext(connection) as captured:
            assert ask(view, held)["ETag"] == held
        # One query more finds the primary key for the URL of an object.
        assert len(captured) == number + (view.list_validator is None)


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(("drawn", "status"), [(499_999, 200), (500_000, 304)])
def test_half_of_them_are_sampled(
    drawn: int,
    status: int,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    found: list[Any],
) -> None:
    sample(settings, 0.5)
    view, change = WRONG["nested row"]
    tag = ask(view)["ETag"]
    change()
    below: list[int] = []

    def randbelow(exclusive_upper_bound: int) -> int:
        below.append(exclusive_upper_bound)
        return drawn

    monkeypatch.setattr(secrets, "randbelow", randbelow)
    assert ask(view, tag).status_code == status
    assert below == [1_000_000]
    assert len(found) == (status == 200)


class Streaming(Documents):
    validator = VersionField()

    def retrieve(self, *_: Any, **__: Any) -> Any:
        return StreamingHttpResponse([b"a"])


@pytest.mark.usefixtures("document")
def test_a_stream_has_no_bytes_to_compare(found: list[Any]) -> None:
    tag = ask(Streaming)["ETag"]
    assert tag.count(".") == 1
    assert ask(Streaming, tag).status_code == 304
    assert not found


class Refusing(Documents):
    validator = VersionField()
    refuses = False

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if self.refuses:
            return Response({}, status=503)
        return super().retrieve(request, *args, **kwargs)


@pytest.mark.usefixtures("document")
def test_what_cannot_be_compared_is_not_blamed(
    found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(Refusing, "*").status_code == 304

    tag = ask(Refusing)["ETag"]
    monkeypatch.setattr(Refusing, "refuses", True)
    assert ask(Refusing, tag).status_code == 503
    assert not found


@pytest.mark.usefixtures("document")
def test_a_receiver_that_fails_does_not_break_the_answer() -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError

    view, change = WRONG["nested row"]
    tag = ask(view)["ETag"]
    change()
    validator_found_stale.connect(fail)
    try:
        assert ask(view, tag).status_code == 200
    finally:
        validator_found_stale.disconnect(fail)


class Overtaken(Documents):
    """Somebody writes between the comparison and the answer."""

    overtake: Any = staticmethod(lambda: None)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        type(self).overtake()
        for row in args:
            row.refresh_from_db()
        return super().get_serializer(*args, **kwargs)


@pytest.mark.parametrize(
    "validator", [VersionField(), UpdatedAt(), RowDigest()], ids=type
)
def test_what_is_written_meanwhile_is_no_fault(
    validator: Any, document: Document, found: list[dict[str, Any]]
) -> None:
    view = make(Overtaken, validator=validator)
    tag = ask(view)["ETag"]
    assert document.title != "meanwhile"
    assert ask(view, tag).status_code == 304
    view.overtake = staticmethod(lambda: Document.objects.update(title="meanwhile"))
    answer = ask(view, tag)
    assert (answer.status_code, found) == (200, [])
    assert answer["ETag"] != tag


@pytest.mark.usefixtures("redis_cache")
def test_what_ends_a_generation_meanwhile_is_no_fault(
    document: Document,
    found: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = make(Overtaken, validator=Generation("tests_app.Document"))
    now = iter(["one", "one", "one", "two"])
    monkeypatch.setattr(generations, "current", lambda _models: next(now))
    tag = ask(view)["ETag"]
    assert ask(view, tag).status_code == 304
    view.overtake = staticmethod(lambda: Document.objects.update(title="meanwhile"))
    assert (ask(view, tag).status_code, found) == (200, [])
    assert next(now, "all") == "all"
    assert document.pk
