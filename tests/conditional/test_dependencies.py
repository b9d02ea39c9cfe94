"""Related rows of every kind of relation: read with an answer, and for a tag alone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps.registry import Apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import connection, models
from django.db.models import Model, Prefetch, QuerySet
from django.test.utils import CaptureQueriesContext

from drf_apikit.conditional import PageDigest, VersionField
from drf_apikit.conditional.dependencies import Dependencies, follow
from drf_apikit.conditional.raw_pages import RawPage
from drf_apikit.conditional.rows import columns_of, values_of
from tests.app.models import (
    Article,
    Author,
    Book,
    Document,
    Label,
    Novel,
    Profile,
    Remark,
    Report,
    Shelf,
)
from tests.conditional import odd_reading

pytestmark = pytest.mark.django_db
#: Reverse relations are found among the models of an app.
APPS = Apps(["tests.app"])


class Entry(models.Model):
    """The log of the admin site, with a key that each row explains itself."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.TextField()
    object_repr = models.CharField(max_length=200)
    target = GenericForeignKey()

    class Meta:
        app_label = "tests_app"
        apps = APPS
        managed = False
        db_table = "django_admin_log"


class _Meta:
    app_label = "tests_app"
    apps = APPS
    managed = False
    db_table = "tests_app_author"


#: Authors, with what was logged about them; content types go by the name.
Logged: Any = type(
    "Author",
    (models.Model,),
    {
        "__module__": __name__,
        "Meta": _Meta,
        "name": models.CharField(max_length=100, unique=True),
        "entries": GenericRelation(Entry),
    },
)


class Named(models.Model):
    """Articles whose title is the name of an author."""

    title = models.ForeignKey(
        Logged, to_field="name", db_column="title", on_delete=models.CASCADE
    )
    score = models.IntegerField(null=True)

    class Meta:
        app_label = "tests_app"
        apps = APPS
        managed = False
        db_table = "tests_app_article"


class Reading(models.Model):
    """A pair of an article and the name of its reader."""

    article = models.ForeignKey("Readable", on_delete=models.CASCADE)
    reader = models.ForeignKey(Logged, to_field="name", on_delete=models.CASCADE)

    class Meta:
        app_label = "tests_app"
        apps = APPS
        managed = False


class Readable(models.Model):
    readers: Any = models.ManyToManyField(Logged, through=Reading)

    class Meta:
        app_label = "tests_app"
        apps = APPS
        managed = False
        db_table = "tests_app_article"


def log(target: Model) -> None:
    user = User.objects.get_or_create(username="ada")[0]
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(type(target)),
        object_id=str(target.pk),
        object_repr="",
        action_flag=1,
    )


def fill() -> None:
    """Make rows with all relations, and some of each model that have none."""
    author = Author.objects.create(name="a")
    Author.objects.create(name="alone")
    Profile.objects.create(author=author)
    shelf = Shelf.objects.create(name="s")
    first = Book.objects.create(title="one", shelf=shelf)
    first.shelves.add(shelf, Shelf.objects.create(name="t"))
    Book.objects.create(title="two", sequel_of=first)
    Novel.objects.create(title="three", shelf=shelf, pages=1)
    article = Article.objects.create(title="a", author=author)
    remark = Remark.objects.create(text="r", article=article, author=author)
    Remark.objects.create(text="q", article=article, author=author, answers=remark)
    document = Document.objects.create(slug="d", author=author)
    Document.objects.create(slug="e")
    document.tags.add(Label.objects.create(name="l"), Label.objects.create(name="m"))
    Report.objects.create(slug="p")
    group = Group.objects.create(name="g")
    group.permissions.add(*Permission.objects.order_by("pk")[:2])
    log(author)
    user = User.objects.get(username="ada")
    user.groups.add(group)


def rename(model: Any, **values: Any) -> Callable[[], object]:
    return lambda: model.objects.update(**(values or {"name": "new"}))


#: By name: the rows, the path, and a change at the end of it.
RELATIONS: dict[str, tuple[Any, str, Callable[[], object]]] = {
    "foreign key": (Document, "author", rename(Author)),
    "foreign key to another": (
        Document,
        "author",
        rename(Document, author=None),
    ),
    "foreign key of a foreign key": (Remark, "article__author", rename(Author)),
    "foreign key to itself": (Remark, "answers", rename(Remark, text="new")),
    "reverse foreign key": (Author, "articles", rename(Article, title="new")),
    "one more": (
        Author,
        "articles",
        lambda: Article.objects.create(author=Author.objects.get(name="a")),
    ),
    "reverse foreign key of a foreign key": (
        Remark,
        "article__remark_set",
        rename(Remark, text="new"),
    ),
    "many to many": (Document, "tags", rename(Label)),
    "one more of many": (
        Document,
        "tags",
        lambda: Document.objects.get(slug="e").tags.add(Label.objects.all()[0]),
    ),
    "one less of many": (
        Document,
        "tags",
        lambda: Document.objects.get(slug="d").tags.remove(Label.objects.all()[0]),
    ),
    "many to many, from the other end": (Label, "documents", rename(Document, text="")),
    "many to many without a version": (Book, "shelves", rename(Shelf)),
    "many of many": (User, "groups__permissions", rename(Permission)),
    "foreign key of many": (Author, "articles__author", rename(Author)),
    "one to one": (Book, "sequel_of", rename(Book, title="new")),
    "one to one, other end": (Book, "book", rename(Book, title="new")),
    "one to one as a key": (Profile, "author", rename(Author)),
    "other end of a key": (
        Author,
        "profile",
        lambda: Profile.objects.create(author=Author.objects.get(name="alone")),
    ),
    "parent": (Report, "document_ptr", rename(Document, text="new")),
    "child": (Book, "novel", rename(Novel, pages=2)),
    "of the parent": (Novel, "shelf", rename(Shelf)),
    "generic key": (Entry, "target", rename(Author)),
    "reverse generic key": (
        Logged,
        "entries",
        lambda: log(Author.objects.get(name="alone")),
    ),
    "foreign key to a name": (
        Named,
        "title",
        rename(Article, title="alone"),
    ),
    "reverse foreign key to a name": (
        Logged,
        "named_set",
        rename(Article, score=7),
    ),
}
IDS = list(RELATIONS)


def whole(dependencies: Dependencies, rows: Any) -> list[Any]:
    """Read all rows as an answer would."""
    found = list(rows)
    dependencies.load(found)
    columns = columns_of(rows.model)
    return [(values_of(row, columns), dependencies.states(row)) for row in found]


def narrow(dependencies: Dependencies, rows: Any) -> list[Any]:
    """Read as for a comparison, by instances."""
    columns = columns_of(rows.model)
    found = list(dependencies.narrow(rows, columns))
    return [(values_of(row, columns), dependencies.states(row)) for row in found]


def raw(dependencies: Dependencies, rows: Any) -> list[Any] | None:
    """Read as for a comparison, by plain values, where that is possible."""
    page = RawPage.of(rows, columns_of(rows.model), dependencies)
    return None if page is None else list(page.states(list(page.query(()))))


@pytest.mark.parametrize(("model", "path", "change"), RELATIONS.values(), ids=IDS)
def test_a_change_of_related_rows_is_seen_in_each_way_of_reading(
    model: Any, path: str, change: Callable[[], object]
) -> None:
    fill()
    dependencies, rows = Dependencies([path]), model._base_manager.order_by("pk")
    before = whole(dependencies, rows.all())
    assert any(states != [[]] for _, states in before)
    assert narrow(dependencies, rows.all()) == before
    assert raw(dependencies, rows.all()) in (None, before)
    change()
    after = whole(dependencies, rows.all())
    assert [states for _, states in after] != [states for _, states in before]
    assert narrow(dependencies, rows.all()) == after
    assert raw(dependencies, rows.all()) in (None, after)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("model", "path"),
    [
        (Document, "author"),
        (Document, "tags"),
        (Author, "articles"),
        (Remark, "article__author"),
    ],
)
def test_all_databases_give_the_same_in_each_way(model: Any, path: str) -> None:
    fill()
    dependencies, rows = Dependencies([path]), model.objects.order_by("pk")
    found = whole(dependencies, rows.all())
    assert narrow(dependencies, rows.all()) == raw(dependencies, rows.all()) == found


@pytest.mark.parametrize(
    ("model", "paths", "number"),
    [
        (Document, [], 1),
        (Document, ["author"], 1),
        (Remark, ["article__author", "author"], 1),
        (Document, ["tags"], 2),
        (Author, ["articles", "documents"], 3),
        (Document, ["author", "tags"], 2),
    ],
    ids=["nothing", "joined", "joined twice", "many", "two of many", "both"],
)
def test_one_query_and_one_for_each_relation_to_many(
    model: Any, paths: list[str], number: int
) -> None:
    fill()
    dependencies, rows = Dependencies(paths), model.objects.order_by("pk")
    with CaptureQueriesContext(connection) as captured:
        narrow(dependencies, rows)
    assert len(captured) == number
    assert "text" not in "".join(
        query["sql"] for query in captured if model is Document
    )


def test_pairs_of_other_columns_than_keys_are_read_as_instances() -> None:
    for model, path in ((Readable, "readers"), (Logged, "readable_set")):
        rows = model._base_manager.all()
        assert RawPage.of(rows, ["pk"], Dependencies([path])) is None
    assert RawPage.of(Readable._base_manager.all(), ["pk"], Dependencies([]))


def test_what_the_view_has_fetched_is_not_fetched_again() -> None:
    fill()
    rows = Document.objects.select_related("author").prefetch_related("tags")
    found = list(rows)
    dependencies = Dependencies(["author", "tags"])
    with CaptureQueriesContext(connection) as captured:
        dependencies.load(found)
        for row in found:
            dependencies.state(row)
    assert not captured.captured_queries
    with CaptureQueriesContext(connection) as captured:
        dependencies.load([])
        Dependencies([]).load(found)
        dependencies.load([{"pk": 1}])  # type: ignore[list-item]
    assert not captured.captured_queries


def test_a_prefetch_of_the_view_may_filter() -> None:
    fill()
    shown = Label.objects.filter(name="l")
    rows = Document.objects.order_by("pk").prefetch_related(Prefetch("tags", shown))
    dependencies = Dependencies(["tags"])
    before = whole(dependencies, rows.all())
    Label.objects.filter(name="m").update(name="hidden")
    assert whole(dependencies, rows.all()) == before == narrow(dependencies, rows.all())
    assert raw(dependencies, rows.all()) is None
    Label.objects.filter(name="l").bump()
    assert whole(dependencies, rows.all()) != before
    assert narrow(dependencies, rows.all()) == whole(dependencies, rows.all())


def test_what_goes_to_an_attribute_is_declared_by_its_relation() -> None:
    fill()
    chosen = Prefetch("tags", Label.objects.filter(name="l"), to_attr="chosen")
    rows = Document.objects.order_by("pk").prefetch_related(chosen)
    dependencies = Dependencies(["tags"])
    before = whole(dependencies, rows.all())
    assert narrow(dependencies, rows.all()) == before
    assert raw(dependencies, rows.all()) is None
    Label.objects.filter(name="l").bump()
    assert whole(dependencies, rows.all()) != before
    with pytest.raises(ValueError, match="chosen"):
        whole(Dependencies(["chosen"]), rows.all())


def test_the_order_of_related_rows_does_not_matter() -> None:
    fill()
    document = Document.objects.get(slug="d")
    dependencies = Dependencies(["tags"])

    def state(order: str) -> str:
        tags = Prefetch("tags", Label.objects.order_by(order))
        return dependencies.state(
            Document.objects.prefetch_related(tags).get(pk=document.pk)
        )

    assert state("name") == state("-name")
    assert Dependencies([]).state(document) == ""


def test_each_path_has_a_place_of_its_own() -> None:
    fill()
    shelf = Shelf.objects.get(name="s")
    by_key = Book.objects.create(title="x", shelf=shelf)
    states = Dependencies(["shelf", "shelves"]).states(by_key)
    Book.objects.filter(pk=by_key.pk).update(shelf=None)
    by_key.shelves.add(shelf)
    turned = Dependencies(["shelf", "shelves"]).states(Book.objects.get(pk=by_key.pk))
    assert states == turned[::-1]
    assert states != turned


def test_only_foreign_keys_to_versioned_rows_have_versions() -> None:
    through: Any = Document.tags.through
    found = Dependencies(["document", "label"]).versions(through)
    assert found == [
        "document__pk",
        "document__version",
        "label__pk",
        "label__version",
    ]
    assert Dependencies([]).versions(Document) == []
    for path in ("author", "tags"):
        assert Dependencies([path]).versions(Document) is None
    assert Dependencies(["target"]).versions(Entry) is None


def test_a_path_that_is_none_is_told() -> None:
    assert [model for _, model in follow(Remark, "article__author")] == [
        Article,
        Author,
    ]
    assert [model for _, model in follow(Entry, "target__name")] == [None]
    for path in ("title", "nothing", "author__nothing", "document_set"):
        with pytest.raises(LookupError, match="has no relation"):
            list(follow(Document, path))


def test_a_row_that_a_key_promises_in_vain() -> None:
    fill()
    rows: QuerySet[Any] = Remark.objects.order_by("pk")
    rows.update(author_id=999)
    dependencies = Dependencies(["author"])
    try:
        found = list(rows)
        assert [dependencies.states(row) for row in found] == [[[]], [[]]]
    finally:
        rows.update(author=Author.objects.all()[0])


class Labelled(odd_reading.Documents):
    """Shows related rows of which not all is read."""

    depends_on = ("tags",)
    queryset: Any = Document.objects.prefetch_related(
        Prefetch("tags", Label.objects.only("name"))
    ).order_by("pk")


@pytest.mark.django_db
@pytest.mark.parametrize("one", [True, False], ids=["object", "list"])
def test_related_rows_of_which_not_all_is_read_are_told_by_the_bytes(
    one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = Document.objects.create(slug="a")
    document.tags.add(Label.objects.create(name="old"))
    monkeypatch.setattr(Labelled, "validator", VersionField(), raising=False)
    monkeypatch.setattr(Labelled, "list_validator", PageDigest(), raising=False)
    named: Any = {"kwargs": {"pk": document.pk}} if one else {}
    tag = odd_reading.ask(Labelled, **named)["ETag"]
    # The version of no related row is in it.
    assert tag.count(".") == one
    Label.objects.update(name="new")
    assert odd_reading.ask(Labelled, **named)["ETag"] == tag
    assert odd_reading.ask(Labelled, **named, If_None_Match=tag).status_code == 304


@pytest.mark.django_db
def test_a_star_does_not_stand_for_what_the_handler_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = Document.objects.create(slug="a")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionDenied

    view = odd_reading.make(odd_reading.Documents, validator=VersionField())
    named: Any = {"kwargs": {"pk": document.pk}}
    assert odd_reading.ask(view, **named, If_None_Match="*").status_code == 304
    monkeypatch.setattr(view, "retrieve", refuse)
    assert odd_reading.ask(view, **named, If_None_Match="*").status_code == 403
