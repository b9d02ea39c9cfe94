"""Writes by views, models and databases that are not like the usual ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import F, GeneratedField, IntegerField, Model
from django.db.models.functions import Now
from django.db.utils import ConnectionHandler
from django.test.utils import isolate_apps
from django.utils import timezone
from pytest_django import Settings

from drf_apikit.conditional.locking import begin_write
from drf_apikit.testing import assert_problem
from tests.app.models import Article, Author, Document, Label, Report
from tests.conditional.calls import read, send
from tests.conditional.odd_views import Authors, is_writing

LONG_AGO: Final = "Sun, 06 Nov 1994 08:49:37 GMT"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.conditional.odd_views"),
]


class ToOther:
    """Sends all reads and writes to the second database."""

    def db_for_read(self, _model: type[Model], **_hints: Any) -> str:
        return "other"

    db_for_write = db_for_read


@pytest.fixture
def other(db: None, tmp_path: Path) -> Iterator[str]:
    """Give a second database, on SQLite without any options."""
    del db
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "other.sqlite3"}
    handler = ConnectionHandler({"default": {}, "other": own})
    made = handler["other"]
    # What a test has connected before its alias is known is not forbidden.
    made.ensure_connection()
    connections.settings["other"], connections["other"] = made.settings_dict, made
    create_tables(*apps.get_app_config("tests_app").get_models())
    yield "other"
    made.close()
    del connections["other"], connections.settings["other"]


def create_tables(*models: type[Model]) -> None:
    with connections["other"].schema_editor() as editor:
        for model in models:
            editor.create_model(model)


@pytest.fixture
def document() -> Document:
    return Document.objects.create(slug="s", title="old")


def unchanged(document: Document) -> bool:
    stored = Document.objects.using(DEFAULT_DB_ALIAS).get(pk=document.pk)
    return (stored.slug, stored.title, stored.version) == ("s", "old", 1)


@pytest.mark.parametrize("view", ["elsewhere", "found-elsewhere", "documents"])
def test_a_row_of_another_database(
    view: str, other: str, document: Document, settings: Settings
) -> None:
    """As the view says, or else as the router does."""
    settings.DATABASE_ROUTERS = [ToOther()] if view == "documents" else []
    Document(pk=document.pk, slug="s", title="other").save(using=other)
    rows, url = Document.objects.using(other), f"/{view}/{document.pk}/"
    tag = read(url)
    assert send("patch", url, {"title": "new"}, If_Match=tag).status_code == 200
    assert rows.values_list("title", "version").get() == ("new", 2)
    refused = send("patch", url, {"title": "late"}, If_Match=tag)
    assert_problem(refused, 412, "precondition-failed")
    assert send("delete", url).status_code == 204
    assert not rows.exists()
    assert unchanged(document)


@pytest.mark.parametrize("conditional", [False, True], ids=["bare", "if-match"])
@pytest.mark.parametrize("view", ["documents", "timed", "undeclared"])
def test_a_time_that_the_database_has_set(
    view: str, conditional: Any, document: Document
) -> None:
    """On SQLite it has three digits, unlike each time that Django writes."""
    Document.objects.update(updated_at=Now())
    url = f"/{view}/{document.pk}/"
    fields = {"If_Match": read(url)} if conditional else {}
    assert send("patch", url, {"title": "new"}, **fields).status_code == 200
    assert Document.objects.get().title == "new"


@pytest.mark.parametrize("view", ["numbered", "numbered-articles", "read-again"])
def test_a_version_that_the_client_may_write(view: str) -> None:
    model: Any = Document if view == "numbered" else Article
    url = f"/{view}/{model.objects.create().pk}/"
    tag = read(url)
    won, lost = (
        send("put", url, {"title": title, "version": 1}, If_Match=tag)
        for title in ("first", "second")
    )
    assert won.status_code == 200
    assert_problem(lost, 412, "precondition-failed")
    assert send("get", url).json() == {"title": "first", "version": 2}


@pytest.mark.parametrize("view", ["numbered", "numbered-articles", "read-again"])
def test_a_version_that_is_not_stored_is_not_tagged(view: str) -> None:
    model: Any = Document if view == "numbered" else Article
    url = f"/{view}/{model.objects.create(title='old').pk}/"
    patched = send("patch", url, {"version": 70})
    assert patched.status_code == 200
    shown = send("get", url)
    assert shown.json() == {"title": "old", "version": 2}
    # A client would keep what it was answered under the tag for good.
    assert patched.json() == shown.json() or "ETag" not in patched


def test_put_takes_no_parent_s_row_over(document: Document) -> None:
    new = {"slug": "new", "title": "new"}
    refused = send("put", f"/reports/{document.pk}/", new)
    assert_problem(refused, 404, "not-found")
    assert unchanged(document)
    assert not Report.objects.exists()


def test_put_takes_no_hidden_row_over(document: Document) -> None:
    Document.objects.update(title="hidden", version=1)
    new = {"slug": "new", "title": "new"}
    refused = send("put", f"/saving/{document.pk}/", new)
    assert_problem(refused, 404, "not-found")
    assert Document.objects.values_list("slug", "title").get() == ("s", "hidden")
    made = send("put", f"/saving/{document.pk + 1}/", new)
    assert made.json() == {"pk": document.pk + 1, **new}


@pytest.mark.compliance("RFC 9110", "13.1.4")
def test_a_date_that_is_none_is_no_precondition(document: Document) -> None:
    url = f"/strict/{document.pk}/"
    refused = send("patch", url, {"title": "new"}, If_Unmodified_Since="garbage")
    assert_problem(refused, 428, "precondition-required")
    assert unchanged(document)


def test_a_handler_that_reads_again_shows_what_it_has_written(
    document: Document,
) -> None:
    url = f"/updating/{document.pk}/"
    patched = send("patch", url, {"title": "new"}, If_Match=read(url))
    assert patched.json() == send("get", url).json()
    assert patched.json()["title"] == "new"
    assert patched["ETag"] == read(url)


@pytest.mark.parametrize("method", ["patch", "post"])
def test_a_tag_of_many_related_rows_is_good_for_writes_alone(
    method: str, document: Document
) -> None:
    document.tags.add(Label.objects.create(name="one"))
    url = "/tagged/" if method == "post" else f"/tagged/{document.pk}/"
    written = send(method, url, {"slug": "new", "title": "new"})
    tag, url = written["ETag"], f"/tagged/{written.json()['pk']}/"
    assert "." not in tag
    assert send("get", url, If_None_Match=tag).status_code == 200
    assert send("patch", url, {"title": "next"}, If_Match=tag).status_code == 200
    refused = send("patch", url, {"title": "late"}, If_Match=tag)
    assert_problem(refused, 412, "precondition-failed")


@pytest.mark.parametrize("method", ["patch", "post"])
def test_a_tag_of_one_related_row_is_that_of_the_next_get(
    method: str, document: Document
) -> None:
    document.author = Author.objects.create(name="Ada")
    document.save()
    url = "/written/" if method == "post" else f"/written/{document.pk}/"
    written = send(method, url, {"slug": "new", "title": "new"})
    assert written["ETag"] == read(f"/written/{written.json()['pk']}/")


def test_what_is_made_is_made_by_a_writer(
    other: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default SQLite refuses who has read before another one has written."""
    settings.DATABASE_ROUTERS = [ToOther()]
    monkeypatch.setattr(Authors, "excludes", [])
    assert send("post", "/authors/", {"name": "Ada"}).status_code == 201
    assert Authors.excludes == [True]
    assert send("post", "/authors/", {"name": "Ada"}).status_code == 400
    assert not is_writing(connections[other])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "url",
    [
        "/put-articles/99999999999999999999999/",
        f"/put-documents/{'a' * 200}/",
        "/put-documents/a%00b/",
        "/put-documents/a b!/",
        "/nothing/5/",
    ],
    ids=["huge", "long", "nul", "no slug", "no queryset"],
)
def test_put_makes_nothing_that_cannot_be(url: str) -> None:
    refused = send("put", url, {"slug": "new", "title": "new"})
    assert_problem(refused, 404, "not-found")
    assert not Article.objects.exists()
    assert not Document.objects.exists()


def test_a_list_under_the_key_of_its_parent() -> None:
    author = Author.objects.create(name="Ada")
    url = f"/authors/{author.pk}/articles/"
    made = send("post", url, {"title": "one"}, If_None_Match="*")
    assert made.status_code == 201
    article = f"/articles/{made.json()['pk']}/"
    tag = read(url)
    assert send("get", url, If_None_Match=tag).status_code == 304
    changed = send("patch", article, {"title": "one"}, If_Match=made["ETag"])
    assert changed.status_code == 200
    # The bytes are the same, the version is not.
    assert send("get", url, If_None_Match=tag).status_code == 200


def test_a_list_that_is_no_queryset() -> None:
    article = Article.objects.create(title="one")
    response = send("get", "/listed/")
    assert response.json() == [{"pk": article.pk, "title": "one"}]
    assert send("get", "/listed/", If_None_Match=response["ETag"]).status_code == 304


@isolate_apps("tests.app")
def test_every_table_can_make_a_transaction_a_writer(other: str) -> None:
    class Doubled(Model):
        double = GeneratedField(
            expression=F("number") * 2, output_field=IntegerField(), db_persist=True
        )
        number = IntegerField(primary_key=True)

        class Meta:
            app_label = "tests_app"

    class Parent(Model):
        number = IntegerField()

        class Meta:
            app_label = "tests_app"

    class Child(Parent):
        class Meta:
            app_label = "tests_app"

    models: list[type[Model]] = [Doubled, Parent, Child]
    for model in models:
        create_tables(model)
        with transaction.atomic(using=other):
            assert not is_writing(connections[other])
            begin_write(model, other)
            assert is_writing(connections[other])


@pytest.mark.parametrize("view", ["titled", "telling"])
def test_a_validator_of_somebody_else(view: str, document: Document) -> None:
    url = f"/{view}/{document.pk}/"
    tag = read(url)
    assert send("get", url, If_None_Match=tag).status_code == 304
    assert send("patch", url, {"title": "new"}, If_Match=tag).status_code == 200
    assert send("get", url, If_None_Match=tag).json()["title"] == "new"
    refused = send("patch", url, {"title": "late"}, If_Match=tag)
    assert_problem(refused, 412, "precondition-failed")
    assert send("patch", url, {"title": "last"}).status_code == 200


@pytest.mark.usefixtures("database")
def test_a_time_that_is_saved_as_an_expression() -> None:
    article = Article.objects.create(title="old", created=timezone.now())
    url = f"/stamping/{article.pk}/"
    patched = send("patch", url, {"title": "new"}, If_Match=read(url))
    assert patched.status_code == 200
    assert patched["ETag"] == read(url)


@pytest.mark.parametrize("conditional", [False, True], ids=["bare", "if-match"])
def test_what_is_made_below_an_object_has_not_its_tag(
    conditional: Any, document: Document
) -> None:
    url = f"/comments/{document.pk}/"
    fields = {"If_Match": read(url)} if conditional else {}
    response = send("post", url, **fields)
    assert response.status_code == 201
    assert "ETag" not in response


@pytest.mark.compliance("RFC 9110", "13.1.3")
def test_if_modified_since_means_nothing_to_post(document: Document) -> None:
    url = f"/comments/{document.pk}/"
    assert send("post", url, If_Modified_Since=LONG_AGO).status_code == 201
    assert unchanged(document)
