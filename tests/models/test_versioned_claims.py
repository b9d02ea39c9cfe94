import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.models.signals import post_save

from drf_apikit.models import claimed
from tests.app.models import Article, Author, Document, Label, Report
from tests.databases import in_threads
from tests.models.versions import OWN, column, elsewhere, statements, updates

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)
THEN = datetime(2001, 2, 3, tzinfo=UTC)


def claim(row: Any) -> None:
    """Move the version as a writer does who has been told the old one."""
    rows = type(row).objects.filter(pk=row.pk, version=row.version)
    assert rows.update(version=row.version + 1, updated_at=THEN) == 1
    row.version, row.updated_at = row.version + 1, THEN


def moved(row: Any) -> tuple[int, datetime]:
    return column(row, "version"), column(row, "updated_at")


@pytest.fixture
def document() -> Document:
    """Give a document that has been read."""
    Document.objects.create(slug="one", title="draft")
    read: Document = Document.objects.get()
    return read


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("named", [None, ["title"]], ids=["all", "named"])
def test_a_claimed_row_is_written_and_does_not_move(
    document: Document, named: list[str] | None
) -> None:
    claim(document)
    document.title = "new"
    with claimed(document):
        save = functools.partial(document.save, update_fields=named)
        assert updates(save) == [{"title", *([] if named else ["touched"])}]
        assert statements(lambda: (document.version, document.updated_at)) == []
    assert (document.version, document.updated_at) == moved(document) == (2, THEN)
    assert column(document, "title") == "new"
    document.save()
    assert document.version == column(document, "version") == 3


def test_nothing_changed_is_nothing_written() -> None:
    Label.objects.create(name="a")
    label = Label.objects.get()
    claim(label)
    saved: list[bool] = []

    def after(created: bool, **_: Any) -> None:
        saved.append(created)

    post_save.connect(after, sender=Label)
    try:
        with claimed(label):
            assert statements(label.save) == []
    finally:
        post_save.disconnect(after, sender=Label)
    assert saved == [False]
    assert (label.version, label.updated_at) == moved(label) == (2, THEN)


@pytest.mark.parametrize(
    "read",
    [Document.objects.get, Document.objects.only("title", "version").get],
    ids=["whole", "deferred"],
)
def test_another_instance_of_a_claimed_row(
    document: Document, read: Callable[[], Document]
) -> None:
    other = read()
    claim(document)
    other.title = "new"
    with claimed(document):
        other.save()
    assert (other.version, other.updated_at) == moved(document) == (2, THEN)
    assert column(document, "title") == "new"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "claiming",
    [
        lambda row: claimed((Document, "default", row.pk)),
        lambda row: claimed((Report, "default", str(row.pk))),
        lambda row: claimed(Document.objects.get(pk=row.pk), using="default"),
        claimed,
    ],
    ids=["model", "child", "instance", "itself"],
)
def test_a_row_is_one_in_all_its_classes(
    claiming: Callable[[Any], AbstractContextManager[None]],
) -> None:
    Report.objects.create(slug="r")
    report = Report.objects.get()
    claim(report)
    report.pages, report.title = 3, "new"
    with claiming(report):
        report.save()
        Document.objects.get().save()
        Report.objects.bump()
        Document.objects.update(text="x")
        assert Report.objects.bulk_update([report], ["pages"]) == 1
        assert statements(lambda: (report.version, report.updated_at)) == []
    assert moved(report) == (2, THEN)
    assert report.version == 2
    assert (column(report, "pages"), column(report, "title")) == (3, "new")


@pytest.mark.usefixtures("database")
def test_bulk_writes_move_the_rows_that_are_not_claimed(document: Document) -> None:
    other = Document.objects.create(slug="two")
    claim(document)
    with claimed(document), claimed((Label, "default", other.pk)):
        assert Document.objects.update(title="all") == 2
        assert Document.objects.bump() == 2
    assert moved(document) == (2, THEN)
    assert moved(other)[0] == 3
    assert moved(other)[1] > THEN


def test_another_row_or_database_or_time_is_not_claimed(document: Document) -> None:
    for row in ((Document, "other", document.pk), (Document, "default", 0)):
        with claimed(row):
            document.save()
    with claimed(document):
        Document.objects.create(slug="new")
    document.save()
    assert column(document, "version") == document.version == 4


def test_a_claim_ends_with_an_exception(document: Document) -> None:
    with pytest.raises(KeyError), claimed(document):
        raise KeyError
    document.save()
    assert document.version == 2


def test_a_model_without_a_version_may_be_claimed() -> None:
    author = Author.objects.create(name="Ada")
    article = Article.objects.create(title="x")
    with claimed(author), claimed(article):
        author.name, article.title = "Grace", "y"
        author.save()
        article.save()
    assert Author.objects.get().name == "Grace"
    assert Article.objects.get().title == "y"


@committing
def test_a_claim_is_of_this_thread_and_what_it_awaits(document: Document) -> None:
    with claimed(document):
        async_to_sync(document.asave)()
        assert column(document, "version") == 1
        in_threads(document.save)
    assert column(document, "version") == 2


@committing
def test_what_a_claimed_save_has_written_is_known(document: Document) -> None:
    claim(document)
    document.title = "new"
    with claimed(document):
        document.save()
    elsewhere(document, title="theirs")
    assert updates(document.save) == [OWN]
