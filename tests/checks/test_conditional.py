import logging
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import F
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import clear_url_caches, include, path
from rest_framework import serializers as drf
from rest_framework.decorators import action
from rest_framework.generics import (
    GenericAPIView,
    ListAPIView,
    RetrieveAPIView,
    RetrieveUpdateAPIView,
)
from rest_framework.routers import DefaultRouter
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet

from drf_apikit.checks import check_conditional
from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalGetMixin,
    ConditionalMixin,
    Generation,
    PageDigest,
    RowDigest,
    UpdatedAt,
    Validator,
    VersionField,
)
from drf_apikit.models import VersionedModel
from tests.app.models import Article, Author, Book, Document, Label, Profile, Seat

NAME = f"{__name__}.Rows"
SHARED = {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}
NO_ROWS: Any = PageDigest()
ALL_MODELS = ["tests_app.article", "tests_app.author"]

Checking = Callable[..., list[Any]]


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Checking]:
    """Give a function that checks a URL configuration with these patterns."""

    def checking(*patterns: Any) -> list[Any]:
        module = ModuleType("conditions_of_this_test")
        vars(module)["urlpatterns"] = list(patterns)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()
        return check_conditional()

    yield checking
    clear_url_caches()


@pytest.fixture
def kept(settings: Any) -> Any:
    """Keep the generations of two models in a cache that is shared."""
    settings.CACHES = {"default": SHARED}
    settings.DRF_APIKIT = {"CONDITIONAL": {"GENERATIONS": ALL_MODELS}}
    return settings


def rows(base: Any = ModelViewSet, mixin: Any = ConditionalMixin, **own: Any) -> Any:
    """Make a view of articles."""
    given = {"queryset": Article.objects.all(), **own}
    namespace = {"__module__": __name__, "__qualname__": "Rows", **given}
    return type("Rows", (mixin, base), namespace)


def at(view: Any, **given: Any) -> Any:
    """Route a view; a view set as a router does for one object."""
    actions = {"get": "retrieve", "put": "update", "patch": "partial_update"}
    sets = issubclass(view, GenericViewSet)
    return path("rows/<pk>/", view.as_view(*[actions] * sets, **given))


def listing(view: Any) -> Any:
    return path("rows/", view.as_view({"get": "list", "post": "create"}))


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("drf_apikit.") for message in messages]


def of(model: Any) -> Any:
    return model._default_manager.all()


DOCUMENTS = {"queryset": of(Document)}


@pytest.mark.parametrize(
    ("own", "problem", "remedy"),
    [
        pytest.param(
            {"validator": VersionField},
            "validator is the class VersionField",
            "Make one of it: VersionField().",
            id="class",
        ),
        pytest.param(
            {"list_validator": "version"},
            "list_validator is a str, which is no validator",
            "Give it a validator of drf_apikit.conditional, or None.",
            id="no-validator",
        ),
        pytest.param(
            {"validator": PageDigest()},
            "validator is a PageDigest, which is for lists",
            "Declare it as list_validator.",
            id="of-lists",
        ),
        pytest.param(
            {"list_validator": VersionField()},
            "list_validator is a VersionField, which is for one object",
            "Declare it as validator.",
            id="of-objects",
        ),
        pytest.param(
            {"validator": VersionField("versoin")},
            "validator (VersionField) names 'versoin', which is no column of"
            " tests_app.Article",
            "Name an IntegerField of tests_app.Article that is never NULL.",
            id="version-unknown",
        ),
        pytest.param(
            {"validator": VersionField("title")},
            "validator (VersionField) names 'title', which is a CharField",
            "Name an IntegerField of tests_app.Article that is never NULL.",
            id="version-text",
        ),
        pytest.param(
            {"validator": VersionField("id")},
            "validator (VersionField) names 'id', which is a BigAutoField and the key",
            "Name an IntegerField of tests_app.Article that is never NULL.",
            id="version-key",
        ),
        pytest.param(
            {"validator": VersionField("score")},
            "validator (VersionField) names 'score', which may be NULL",
            "Name an IntegerField of tests_app.Article that is never NULL.",
            id="version-null",
        ),
        pytest.param(
            {"validator": UpdatedAt()},
            "validator (UpdatedAt) names 'updated_at', which is no column of"
            " tests_app.Article",
            "Name a DateTimeField of tests_app.Article that is never NULL.",
            id="time-unknown",
        ),
        pytest.param(
            {"validator": UpdatedAt("day")},
            "validator (UpdatedAt) names 'day', which is a DateField",
            "Name a DateTimeField of tests_app.Article that is never NULL.",
            id="time-date",
        ),
        pytest.param(
            {"validator": BodyHash(of=VersionField("x"))},
            "validator (VersionField) names 'x', which is no column of"
            " tests_app.Article",
            "Name an IntegerField of tests_app.Article that is never NULL.",
            id="of-unknown",
        ),
        pytest.param(
            {"validator": BodyHash(NO_ROWS)},
            "validator (BodyHash) has a PageDigest for `of`",
            "Give it a validator of rows, as VersionField().",
            id="of-no-rows",
        ),
    ],
)
def test_validators_that_cannot_work(
    own: dict[str, Any], problem: str, remedy: str, routed: Checking
) -> None:
    (error,) = routed(at(rows(**own)))
    assert (ids([error]), error.level) == (["E009"], logging.ERROR)
    assert error.msg == f"{NAME}: {problem}."
    assert error.hint == remedy


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"list_validator": PageDigest("title", "versoin")}, "names 'versoin', which"),
        ({"list_validator": PageDigest("heat")}, "names 'heat', which"),
        (
            {"list_validator": PageDigest("author")},
            "names 'author', which is a ForeignKey with the column 'author_id'.",
        ),
        ({"list_validator": Aggregate("title")}, "names 'title', which is a CharField"),
        ({"list_validator": Aggregate("versoin")}, "names 'versoin', which is no"),
        (
            {"list_validator": Aggregate("price"), "queryset": of(Seat)},
            "mixes numbers, and the key of tests_app.Seat is none",
        ),
        (
            {"list_validator": Aggregate(), **DOCUMENTS, "depends_on": ["tags"]},
            "cannot take 'tags' of depends_on",
        ),
        (
            {"list_validator": Aggregate(), "depends_on": ["author"]},
            "cannot take 'author' of depends_on",
        ),
    ],
)
def test_lists_that_cannot_be_compared(
    own: dict[str, Any], problem: str, routed: Checking
) -> None:
    heated = Article.objects.annotate(heat=F("score"))
    (error,) = routed(listing(rows(**{"queryset": heated, **own})))
    assert ids([error]) == ["E009"]
    kind = type(own["list_validator"]).__name__
    assert error.msg.startswith(f"{NAME}: list_validator ({kind}) {problem}")


@isolate_apps("tests.app")
def test_a_foreign_key_to_a_versioned_model_can_be_mixed(routed: Checking) -> None:
    class Note(VersionedModel):
        label = models.ForeignKey(Label, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"

    own = {"queryset": of(Note), "depends_on": ["label"]}
    assert routed(listing(rows(list_validator=Aggregate(), **own))) == []


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"validator": VersionField(), "list_validator": PageDigest()},
        {"validator": VersionField(), "list_validator": Aggregate()},
        {"validator": RowDigest(), "list_validator": BodyHash()},
        {"validator": BodyHash(of=VersionField()), **DOCUMENTS},
        {"validator": UpdatedAt(), "list_validator": PageDigest("pk"), **DOCUMENTS},
        {"validator": UpdatedAt("touched"), "queryset": of(Document)},
        {"list_validator": PageDigest("author_id", "version")},
        {"list_validator": Aggregate("score")},
        {"list_validator": Aggregate("heat")},
        {
            "list_validator": PageDigest(),
            "queryset": of(Profile),
            "depends_on": ("author",),
        },
        {"validator": property(lambda _: 1 / 0), "depends_on": property(lambda _: 7)},
        {"validator": PageDigest(), "get_validator": lambda _: VersionField()},
        {"list_validator": 7, "get_list_validator": lambda _: PageDigest()},
        {"validator": VersionField("x"), "queryset": None, "depends_on": ["x"]},
        {"last_modified_field": ""},
        {"last_modified_field": "created", "variant_headers": ("Prefer",)},
        {"depends_on": ["author", "author__documents__tags"]},
    ],
)
def test_declarations_that_can_work(own: dict[str, Any], routed: Checking) -> None:
    heated = Article.objects.annotate(heat=F("score"))
    view = rows(**{"queryset": heated, **own})
    assert routed(at(view), listing(view)) == []


def test_a_key_that_is_a_relation_to_numbers_can_be_mixed(routed: Checking) -> None:
    view = rows(list_validator=Aggregate("author_id"), queryset=of(Profile))
    (error,) = routed(listing(view))
    assert "which is a OneToOneField." in error.msg


@pytest.mark.parametrize(
    ("mixin", "own", "expected"),
    [
        (ConditionalGetMixin, {"validator": VersionField("heat")}, []),
        (ConditionalMixin, {"validator": VersionField("heat")}, ["E009"]),
        (ConditionalGetMixin, {"validator": VersionField("heath")}, ["E009"]),
        (ConditionalGetMixin, {"validator": VersionField("objects")}, []),
        (
            ConditionalGetMixin,
            {
                "validator": VersionField("heath"),
                "get_queryset": lambda _: Article.objects.annotate(heath=F("score")),
            },
            [],
        ),
    ],
)
def test_columns_that_are_computed_can_be_read(
    mixin: Any, own: dict[str, Any], expected: list[str], routed: Checking
) -> None:
    heated = Article.objects.annotate(heat=F("score"))
    view = rows(RetrieveUpdateAPIView, mixin, **{"queryset": heated, **own})
    assert ids(routed(at(view))) == expected


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"depends_on": "author"}, "depends_on is 'author', which is no list of texts"),
        ({"depends_on": {"author"}}, "depends_on is {'author'}, which is no list"),
        ({"depends_on": None}, "depends_on is None, which is no list"),
        ({"depends_on": [7]}, "depends_on is [7], which is no list"),
        ({"variant_headers": "Prefer"}, "variant_headers is 'Prefer', which is no"),
        (
            {"depends_on": ["author", "author__nam"]},
            "depends_on has 'author__nam': tests_app.Author has no relation 'nam'.",
        ),
        ({"last_modified_field": "day"}, "last_modified_field names 'day', which is a"),
        (
            {"last_modified_field": "creatd"},
            "last_modified_field names 'creatd', which is no column of tests_app",
        ),
        ({"write_strategy": "claim"}, "write_strategy is 'claim'."),
        ({"require_preconditions": "PUT"}, "require_preconditions is 'PUT'."),
        ({"require_preconditions": 1}, "require_preconditions is 1."),
    ],
)
def test_attributes_that_cannot_work(
    own: dict[str, Any], problem: str, routed: Checking
) -> None:
    (error,) = routed(at(rows(**own)))
    assert ids([error]) == ["E009"]
    assert error.msg.startswith(f"{NAME}: {problem}")


class Acting(ModelViewSet[Article]):
    @action(detail=True, methods=["post"])
    def publish(self, _request: Any, **_: Any) -> Any:
        """Write one object."""

    @publish.mapping.delete
    def retract(self, _request: Any, **_: Any) -> Any:
        """Write it too."""

    @action(detail=False, methods=["post"])
    def sort(self, _request: Any, **_: Any) -> Any:
        """Write many."""


@pytest.mark.parametrize(
    ("base", "value", "wrong"),
    [
        (Acting, None, None),
        (Acting, True, None),
        (Acting, property(lambda _: "PUT"), None),
        (Acting, ["PUT", "PATCH", "DELETE", "POST"], None),
        (Acting, {"update", "partial_update", "destroy"}, None),
        (Acting, ("publish", "retract"), None),
        (Acting, ["put"], "put"),
        (Acting, ["GET"], "GET"),
        (Acting, ["PUT", "create"], "create"),
        (Acting, ["retrieve"], "retrieve"),
        (Acting, ["sort"], "sort"),
        (Acting, ["publsh"], "publsh"),
        (ReadOnlyModelViewSet, ["destroy"], "destroy"),
        (RetrieveUpdateAPIView, ["PUT"], None),
        (RetrieveUpdateAPIView, ["update"], "update"),
    ],
)
def test_writes_that_need_a_condition(
    base: Any, value: Any, wrong: str | None, routed: Checking
) -> None:
    messages = routed(at(rows(base, require_preconditions=value)))
    assert ids(messages) == ([] if wrong is None else ["E009"])
    for message in messages:
        assert f"has {wrong!r}, which is no write of one object" in message.msg
        assert message.hint.startswith("Choose out of PUT, PATCH, DELETE, POST")


@isolate_apps("tests.app")
def test_names_that_put_can_make(routed: Checking) -> None:
    class Named(models.Model):
        slug = models.CharField(max_length=9)
        code = models.CharField(max_length=9)
        old = models.CharField(max_length=9)

        class Meta:
            app_label = "tests_app"
            unique_together = (("old",), ("slug", "code"))
            constraints = [
                models.UniqueConstraint(fields=["code"], name="code"),
                models.UniqueConstraint(fields=["slug", "old"], name="both"),
            ]

    def found(name: Any, **own: Any) -> list[Any]:
        given = {"put_creates": True, "queryset": of(Named), **own}
        return routed(at(rows(lookup_field=name, **given)))

    (error,) = found("slug")
    assert error.msg == (
        f"{NAME}: put_creates is set, and lookup_field is 'slug', which is not unique."
    )
    assert error.hint == "Choose out of id, code, old, or make it unique."
    sound = ["pk", "id", "code", "old", property(lambda _: "slug")]
    assert [found(name) for name in sound] == [[]] * len(sound)
    assert found("slug", put_creates=False) == []
    assert found("slug", queryset=None) == []


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["tests_app.Article", "tests_app.AUTHOR"], None),
        ([], "names no model"),
        (["tests_app.Articel"], "names 'tests_app.Articel', which is no model"),
        (["Article"], "names 'Article', which is no model"),
        ([Article], "names <class 'tests.app.models.Article'>, which is no model"),
        (["tests_app.Book"], "names tests_app.Book, whose generation is not kept"),
    ],
)
def test_models_of_a_generation(
    labels: list[Any], problem: str | None, routed: Checking, kept: Any
) -> None:
    del kept
    messages = routed(listing(rows(list_validator=Generation(*labels))))
    assert ids(messages) == ([] if problem is None else ["E009"])
    for message in messages:
        assert message.msg == f"{NAME}: list_validator (Generation) {problem}."


def test_a_fault_is_told_once_for_each_view(routed: Checking) -> None:
    first, second = rows(write_strategy="x"), rows(write_strategy="x")
    second.__qualname__ = "Others"
    messages = routed(at(first), listing(first), at(second))
    assert ids(messages) == ["E009", "E009"]
    assert ids(routed(at(rows(), write_strategy="x"))) == ["E009"]


class Nested(drf.ModelSerializer[Author]):
    documents = drf.StringRelatedField[Any](many=True)

    class Meta:
        model = Author
        fields = ["name", "documents"]


def shows(field: Any = None, **meta: Any) -> Any:
    """Make a serializer of documents with one field of interest."""
    given = {"model": Document, "fields": ["id", "shown"], **meta}
    own = {"Meta": type("Meta", (), given)}
    return type(
        "Shows", (drf.ModelSerializer,), own | ({"shown": field} if field else {})
    )


def slug(source: str, name: str = "name", **given: Any) -> Any:
    return drf.SlugRelatedField(source=source, slug_field=name, read_only=True, **given)


def key(source: str, **given: Any) -> Any:
    return drf.PrimaryKeyRelatedField(source=source, read_only=True, **given)


def link(source: str, **given: Any) -> Any:
    return drf.HyperlinkedRelatedField(
        source=source, view_name="author", read_only=True, **given
    )


DEEP = ["author", "author__documents"]
SHOWN = {
    "plain": (drf.CharField(source="title"), []),
    "method": (drf.SerializerMethodField(), []),
    "unknown": (drf.CharField(source="get_absolute_url"), []),
    "write-only": (Nested(source="author", write_only=True), []),
    "own-url": (drf.HyperlinkedIdentityField(view_name="document"), []),
    "nested": (Nested(source="author"), DEEP),
    "nested-many": (Nested(source="author.documents", many=True), DEEP),
    "nested-plain": (drf.Serializer(source="tags", many=True), ["tags"]),
    "nested-own": (drf.Serializer(source="*"), []),
    "nested-property": (Nested(source="first"), []),
    "text": (drf.StringRelatedField(source="author"), ["author"]),
    "read-only": (drf.ReadOnlyField(source="author"), ["author"]),
    "dotted": (drf.CharField(source="author.name"), ["author"]),
    "dotted-key": (drf.IntegerField(source="author.id"), []),
    "dotted-pk": (drf.IntegerField(source="author.pk"), []),
    "dotted-deep": (drf.IntegerField(source="author.documents.count"), DEEP),
    "slug": (slug("author"), ["author"]),
    "slug-key": (slug("author", "pk"), []),
    "slug-deep": (slug("author", "documents__pk"), DEEP),
    "slug-many": (slug("tags", many=True), ["tags"]),
    "key": (key("author"), []),
    "key-many": (key("tags", many=True), ["tags"]),
    "link": (link("author"), []),
    "link-name": (link("author", lookup_field="name"), ["author"]),
}


@pytest.mark.parametrize(("field", "expected"), SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("made", [True, False], ids=["made", "declared"])
def test_rows_that_a_validator_does_not_look_at(
    field: Any, expected: list[str], made: bool, routed: Checking
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise KeyError("request")

    serializer = shows(field)
    if not made:
        serializer.__init__ = refuse
    own: Any = {"serializer_class": serializer, **DOCUMENTS}
    view = rows(validator=VersionField(), **own)
    messages = routed(at(view), listing(view))
    assert ids(messages) == ["W007"] * bool(expected)
    for message in messages:
        assert message.level == logging.WARNING
        assert message.msg == (
            f"{NAME} shows rows of {', '.join(expected)}, which its validator,"
            " VersionField, does not look at: a 304 is stale when they change."
        )
        paths = ", ".join(map(repr, expected))
        assert message.hint == (
            f"Add {paths} to depends_on: each path is for its last rows; or make"
            " validator a BodyHash()."
        )
    view = rows(validator=VersionField(), depends_on=expected, **own)
    assert routed(at(view)) == []


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"fields": "__all__"}, ["tags"]),
        ({"exclude": ["tags"]}, []),
        ({"exclude": ["tags"], "depth": 1}, ["author"]),
        ({"fields": ["title", "author"]}, []),
    ],
)
def test_fields_of_the_model_are_looked_at(
    meta: dict[str, Any], expected: list[str], routed: Checking
) -> None:
    namespace = {"Meta": type("Meta", (), {"model": Document, **meta})}
    serializer = type("Whole", (drf.ModelSerializer,), namespace)
    view = rows(serializer_class=serializer, validator=RowDigest(), **DOCUMENTS)
    told = [message.msg.split(", which")[0] for message in routed(at(view))]
    assert told == [f"{NAME} shows rows of {path}" for path in expected]


def test_fields_that_a_serializer_does_not_show(routed: Checking) -> None:
    """What a parent declares may be left out, but not what a request brings back."""

    class Parent(drf.ModelSerializer[Document]):
        author = drf.StringRelatedField[Any]()
        tags = drf.StringRelatedField[Any](many=True)

        def get_fields(self) -> Any:
            shown = super().get_fields()
            if "request" not in self.context:
                shown.pop("tags", None)
            return shown

        class Meta:
            model = Document
            fields = "__all__"

    def told(**meta: Any) -> list[str]:
        given = {"model": Document, **meta}
        child = type("Child", (Parent,), {"Meta": type("Meta", (), given)})
        view = rows(serializer_class=child, validator=VersionField(), **DOCUMENTS)
        return [message.msg.split(", which")[0] for message in routed(at(view))]

    assert told(fields="__all__") == [f"{NAME} shows rows of author, tags"]
    assert told(fields=["id"]) == []
    assert told(fields=["id", "tags"]) == [f"{NAME} shows rows of tags"]
    assert told(exclude=["author"]) == [f"{NAME} shows rows of tags"]


def test_a_serializer_within_itself(routed: Checking) -> None:
    class Endless(drf.ModelSerializer[Any]):
        def get_fields(self) -> Any:
            return {"sequel_of": Endless()}

    own: Any = {"queryset": of(Book), "serializer_class": Endless}
    (warning,) = routed(at(rows(validator=RowDigest(), **own)))
    assert "shows rows of sequel_of, which" in warning.msg


@isolate_apps("tests.app", "django.contrib.contenttypes")
def test_rows_of_any_model(routed: Checking, kept: Any) -> None:
    class Mark(models.Model):
        kind = models.ForeignKey(ContentType, on_delete=models.CASCADE)
        number = models.IntegerField()
        target = GenericForeignKey("kind", "number")

        class Meta:
            app_label = "tests_app"

    field = drf.Serializer[Any](source="target")
    own: Any = {"queryset": of(Mark), "serializer_class": shows(field, model=Mark)}
    (warning,) = routed(at(rows(validator=RowDigest(), **own)))
    assert "shows rows of target, which" in warning.msg
    assert routed(at(rows(validator=RowDigest(), depends_on=["target"], **own))) == []
    kept.DRF_APIKIT = {"CONDITIONAL": {"GENERATIONS": ["auth.User"]}}
    (warning,) = routed(at(rows(validator=Generation("auth.User"), **own)))
    assert "shows rows of tests_app.Mark, target, which" in warning.msg


def test_keys_of_other_columns(routed: Checking) -> None:
    """The text that a foreign key holds is a column of the row."""
    with isolate_apps("tests.app"):

        class Code(models.Model):
            code = models.CharField(max_length=9, unique=True)

            class Meta:
                app_label = "tests_app"

        class Coded(models.Model):
            made = models.ForeignKey(Code, on_delete=models.CASCADE, to_field="code")

            class Meta:
                app_label = "tests_app"

        for source, expected in (("made.code", []), ("made.pk", ["W007"])):
            field = drf.CharField(source=source)
            serializer = shows(field, model=Coded)
            own: Any = {"queryset": of(Coded), "serializer_class": serializer}
            assert ids(routed(at(rows(validator=RowDigest(), **own)))) == expected


@isolate_apps("tests.app")
def test_a_key_that_leads_on(routed: Checking) -> None:
    class Follower(models.Model):
        of = models.ForeignKey(Profile, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"

    for source, expected in (("of.author_id", []), ("of.author.name", ["W007"])):
        serializer = shows(drf.CharField(source=source), model=Follower)
        own: Any = {"queryset": of(Follower), "serializer_class": serializer}
        messages = routed(at(rows(validator=RowDigest(), **own)))
        assert ids(messages) == expected
        for message in messages:
            assert "shows rows of of, of__author, which" in message.msg


def test_a_path_is_for_its_last_rows(routed: Checking) -> None:
    own: Any = {"serializer_class": shows(Nested(source="author")), **DOCUMENTS}
    deep = rows(validator=VersionField(), depends_on=["author__documents"], **own)
    (warning,) = routed(at(deep))
    assert "shows rows of author, which" in warning.msg
    assert warning.hint.startswith("Add 'author' to depends_on: ")


@pytest.mark.parametrize(
    ("validator", "models", "expected"),
    [
        (Generation("tests_app.Article", "tests_app.Author"), "", []),
        (Generation("tests_app.Article"), "tests_app.Author", ["W007"]),
        (Generation("tests_app.Author"), "tests_app.Article", ["W007"]),
        (
            Generation("tests_app.Articel"),
            "tests_app.Article, tests_app.Author",
            ["E009", "W007"],
        ),
    ],
)
@pytest.mark.parametrize("name", ["validator", "list_validator"])
def test_rows_that_a_generation_does_not_count(
    name: str,
    validator: Any,
    models: str,
    expected: list[str],
    routed: Checking,
    kept: Any,
) -> None:
    del kept
    field = drf.StringRelatedField[Any](source="author")
    own: Any = {"serializer_class": shows(field, model=Article), name: validator}
    # Paths are nothing to it.
    view = rows(depends_on=["author"], **own)
    messages = routed(at(view), listing(view))
    assert ids(messages) == expected
    for message in messages[-1:]:
        assert f"shows rows of {models}, which its {name}, Generation," in message.msg
        assert message.hint.startswith(f"Name them in {name} too, and in CONDITIONAL")


class Own(Validator):
    """A validator of the project's own."""

    def before(self, _view: Any, /) -> None:
        """Know nothing."""

    def after(self, _view: Any, _before: Any, /) -> None:
        """Know nothing."""


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        (None, []),
        (BodyHash(), []),
        (PageDigest(), ["W007"]),
        (Aggregate(), ["W007"]),
        (Own(), ["W007"]),
        (property(lambda _: PageDigest()), []),
        (PageDigest, ["E009"]),
    ],
)
def test_lists_of_rows_with_others(
    validator: Any, expected: list[str], routed: Checking
) -> None:
    own: Any = {"serializer_class": shows(slug("author")), **DOCUMENTS}
    view = rows(list_validator=validator, **own)
    messages = routed(at(view), listing(view))
    assert ids(messages) == expected
    for message in messages:
        takes = "(PageDigest() takes those that Aggregate cannot)" in message.hint
        assert takes is isinstance(validator, Aggregate)
    assert routed(at(view)) == [m for m in messages if m.id.endswith("E009")]


@pytest.mark.parametrize("serializer", [None, property(lambda _: 1 / 0)])
def test_answers_of_no_serializer(serializer: Any, routed: Checking) -> None:
    view = rows(serializer_class=serializer, validator=VersionField())
    assert routed(at(view)) == []
    assert routed(at(rows(serializer_class=Nested, queryset=None))) == []


@pytest.mark.parametrize("base", [RetrieveAPIView, ListAPIView])
def test_generic_views_are_looked_at(base: Any, routed: Checking) -> None:
    own: Any = {"serializer_class": shows(slug("author")), **DOCUMENTS}
    validators: Any = {"validator": VersionField(), "list_validator": PageDigest()}
    assert ids(routed(at(rows(base, **validators, **own)))) == ["W007", "W007"]


GZIP = "django.middleware.gzip.GZipMiddleware"


@pytest.mark.parametrize(
    ("base", "mixin", "actions", "expected"),
    [
        (Acting, ConditionalMixin, {"get": "retrieve", "patch": "update"}, True),
        (Acting, ConditionalMixin, {"post": "publish"}, True),
        (Acting, ConditionalMixin, {"delete": "retract"}, True),
        (Acting, ConditionalMixin, {"get": "list", "post": "create"}, False),
        (Acting, ConditionalMixin, {"post": "sort"}, False),
        (Acting, ConditionalMixin, {"get": "retrieve"}, False),
        (Acting, ConditionalGetMixin, {"put": "update"}, False),
        (RetrieveUpdateAPIView, ConditionalMixin, None, True),
        (RetrieveUpdateAPIView, ConditionalGetMixin, None, False),
        (RetrieveAPIView, ConditionalMixin, None, False),
    ],
)
def test_views_that_write(
    base: Any, mixin: Any, actions: Any, expected: bool, routed: Checking, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, GZIP]
    given = [] if actions is None else [actions]
    view = rows(base, mixin)
    assert ids(routed(path("", view.as_view(*given)))) == ["W008"] * expected
    view.http_method_names = ["get", "options"]
    assert routed(path("", view.as_view(*given))) == []


def test_tags_that_come_back_weak(routed: Checking, settings: Any) -> None:
    other = rows()
    other.__qualname__ = "Others"
    views = at(rows()), at(other)
    assert routed(*views) == []
    settings.MIDDLEWARE = [GZIP, *settings.MIDDLEWARE]
    (warning,) = routed(*views)
    assert warning.msg == (
        f"GZipMiddleware makes tags weak, and the If-Match of {NAME} takes no weak"
        " ones: clients that send back what they were given get 412."
    )
    assert "['ACCEPT_WEAK_IF_MATCH'] = True" in warning.hint
    settings.DRF_APIKIT = {"CONDITIONAL": {"ACCEPT_WEAK_IF_MATCH": True}}
    assert routed(*views) == []


@pytest.mark.parametrize(
    ("engine", "atomic", "options", "mode"),
    [
        ("sqlite3", True, {}, "DEFERRED"),
        ("sqlite3", True, {"transaction_mode": None}, "DEFERRED"),
        ("sqlite3", True, {"transaction_mode": "deferred"}, "DEFERRED"),
        ("sqlite3", True, {"transaction_mode": "immediate"}, None),
        ("sqlite3", True, {"transaction_mode": "EXCLUSIVE"}, None),
        ("sqlite3", False, {}, None),
        ("postgresql", True, {}, None),
    ],
)
def test_transactions_that_begin_as_readers(
    engine: str,
    atomic: bool,
    options: dict[str, Any],
    mode: str | None,
    routed: Checking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    vendor = engine.removesuffix("3")
    monkeypatch.setattr(connection, "vendor", vendor)
    given = {"ATOMIC_REQUESTS": atomic, "OPTIONS": options}
    monkeypatch.setattr(connection, "settings_dict", connection.settings_dict | given)
    other = rows(queryset=of(Document))
    messages = routed(at(rows()), at(other), listing(other), at(rows(queryset=None)))
    assert ids(messages) == ([] if mode is None else ["W009"])
    for message in messages:
        assert message.msg.startswith(
            f"Requests to {NAME} read before they write, in a {mode} transaction of"
            " the database 'default': "
        )
        assert "'transaction_mode': 'IMMEDIATE' in DATABASES" in message.hint


class Memory(LocMemCache):
    """A subclass of a project."""


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", ["W010"]),
        ("django.core.cache.backends.dummy.DummyCache", ["W010"]),
        (f"{__name__}.Memory", ["W010"]),
        (SHARED["BACKEND"], []),
        ("nowhere.at.all", []),
        (None, []),
        (f"{__name__}.rows", []),
    ],
)
def test_generations_that_are_not_shared(
    backend: Any, expected: list[str], routed: Checking, kept: Any
) -> None:
    kept.CACHES = {"default": {"BACKEND": backend}}
    messages = routed()
    assert ids(messages) == expected
    for message in messages:
        assert message.msg == (
            "DRF_APIKIT['CONDITIONAL']['GENERATIONS'] is set, and the cache 'default'"
            " is not shared: each process has generations of its own, so that a 304"
            " can be stale."
        )
    kept.DRF_APIKIT = {}
    assert routed() == []


def test_a_cache_that_is_not_there(routed: Checking, kept: Any) -> None:
    given = {"CACHE": "shraed", "GENERATIONS": ALL_MODELS}
    kept.DRF_APIKIT = {"CONDITIONAL": given}
    (error,) = routed()
    assert ids([error]) == ["E005"]
    assert (
        error.msg
        == "DRF_APIKIT['CONDITIONAL']['CACHE'] is 'shraed', which is no cache."
    )
    assert error.hint == "Name one of default."
    kept.CACHES = {"shraed": SHARED}
    assert routed() == []


def test_generations_of_models_that_are_not_there(routed: Checking, kept: Any) -> None:
    given = {"GENERATIONS": ["auth.User", "auth.Usr", "nowhere.User"]}
    kept.DRF_APIKIT = {"CONDITIONAL": given}
    messages = routed()
    assert ids(messages) == ["E010", "E010"]
    for message, label in zip(messages, ["auth.usr", "nowhere.user"], strict=True):
        assert message.msg == (
            f"DRF_APIKIT['CONDITIONAL']['GENERATIONS'] has {label!r}, which is no"
            " model."
        )


class Unconditional:
    """Adds nothing."""


def test_views_of_others_are_left_alone(routed: Checking) -> None:
    own = {"depends_on": "author", "validator": VersionField("x")}
    assert routed(at(rows(mixin=Unconditional, **own))) == []


def test_a_view_set_by_a_router(routed: Checking) -> None:
    router = DefaultRouter()
    own: Any = {"serializer_class": shows(slug("author")), **DOCUMENTS}
    router.register("rows", rows(Acting, validator=VersionField(), **own))
    assert ids(routed(path("api/", include(router.urls)))) == ["W007"]


def test_faulty_settings_have_errors_of_their_own(
    routed: Checking, settings: Any
) -> None:
    view = at(rows(write_strategy="x"))
    settings.DRF_APIKIT = {"CONDITIONAL": {"REVISION": 1}}
    assert routed(view) == []
    settings.DRF_APIKIT = {}
    assert ids(routed(view)) == ["E009"]


def test_a_project_without_routes() -> None:
    with override_settings():
        del django_settings.ROOT_URLCONF
        assert check_conditional() == []


def test_what_fails_is_left_alone(
    routed: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __get__(self, *_: Any) -> Any:
            raise LookupError("not before Tuesday")

    failing = rows(GenericAPIView, lookup_field="pk")
    failing.serializer_class = type(
        "S", (), {"Meta": type("M", (), {"model": Broken()})}
    )
    failing.queryset = None
    assert ids(routed(at(failing), at(rows(write_strategy="x")))) == ["E009"]
    assert f"The conditional requests of {NAME} could not be checked." in caplog.text


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.django_db
@isolate_apps("tests.app")
def test_no_server_is_asked(
    connected: bool,
    routed: Checking,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    asked: list[object] = []

    def ask(*_: Any) -> Any:
        if connected:
            asked.append(Author.objects.count())
        connection.connect()
        asked.append("connected")

    own: Any = {"serializer_class": shows(slug("author")), **DOCUMENTS}
    monkeypatch.setattr(own["serializer_class"], "get_fields", ask)
    # What it declares is there all the same.
    assert ids(routed(at(rows(validator=VersionField(), **own)))) == ["W007"]

    class Asking(models.Manager[Any]):
        get_queryset = ask

    class Row(models.Model):
        objects = Asking()

        class Meta:
            app_label = "tests_app"

    view = rows(serializer_class=shows(model=Row), queryset=None)
    assert routed(at(view)) == []
    assert (asked, caplog.text) == ([], "")


@pytest.mark.django_db
def test_the_check_is_run_by_manage_py(routed: Checking) -> None:
    own: Any = {"serializer_class": shows(slug("author")), **DOCUMENTS}
    routed(at(rows(validator=RowDigest(), required_scopes=[], **own)))
    err = StringIO()
    call_command("check", stderr=err, stdout=StringIO())
    assert "(drf_apikit.W007)" in err.getvalue()
