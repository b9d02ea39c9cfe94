import copy
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.core import serializers
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from tests.app.models import Author, Document, Label, Report
from tests.models.versions import (
    MOVED,
    OWN,
    column,
    elsewhere,
    statements,
    updates,
    version_of,
)

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

RETURNING = django.VERSION >= (6, 0)
LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def document() -> Document:
    """Give a document as a request would read it."""
    Document.objects.create(
        slug="one",
        title="draft",
        text="body",
        extra={"marks": [1]},
        amount=Decimal("1.50"),
        file="a.txt",
        raw=b"raw",
        author=Author.objects.create(name="Ada"),
    )
    Document.objects.update(version=1, updated_at=LONG_AGO)
    read: Document = Document.objects.get()
    return read


@pytest.mark.usefixtures("database")
def test_a_new_row_has_version_one() -> None:
    before = timezone.now()
    label = Label(name="new")
    assert statements(label.save)[0].startswith("INSERT")
    assert label.version == version_of(label) == 1
    assert before <= label.updated_at
    assert column(label, "updated_at") == label.updated_at


@pytest.mark.usefixtures("database")
def test_a_row_that_only_the_database_knows_has_both() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tests_app_label (name) VALUES ('raw')")
    label = Label.objects.get()
    assert label.version == 1
    assert abs((label.updated_at - timezone.now()).total_seconds()) < 3600


@pytest.mark.usefixtures("document")
def test_a_save_is_one_statement_with_what_has_changed(database: str) -> None:
    document = Document.objects.get()
    document.title = "new"
    assert updates(document.save) == [{*OWN, "title"}]
    document = Document.objects.get()
    assert len(statements(document.save)) == 1
    asked = statements(lambda: (document.version, document.doubled))
    assert len(asked) == (0 if RETURNING and database != "mariadb" else 2)
    assert document.version == version_of(document) == 3
    assert document.updated_at == column(document, "updated_at") > LONG_AGO


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("times", [1, 3])
def test_each_save_moves_the_version_by_one(document: Document, times: int) -> None:
    for _ in range(times):
        document.save()
    assert document.version == version_of(document) == 1 + times
    document.save()
    assert document.version == version_of(document) == 2 + times


@pytest.mark.usefixtures("database")
def test_what_others_have_changed_stays(document: Document) -> None:
    elsewhere(document, text="theirs", extra={}, author=None, file="b.txt")
    document.title = "ours"
    document.save()
    stored = Document.objects.get()
    assert (stored.title, stored.text, stored.extra) == ("ours", "theirs", {})
    assert (stored.author, stored.file.name) == (None, "b.txt")


@committing
def test_what_has_been_written_is_not_written_again(document: Document) -> None:
    document.title = "ours"
    document.save()
    elsewhere(document, title="theirs")
    document.save()
    assert column(document, "title") == "theirs"


def _assign(name: str, value: Any) -> Callable[[Document], None]:
    return lambda document: setattr(document, name, value)


def _mutate(document: Document) -> None:
    document.extra["marks"].append(2)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("change", "names"),
    [
        pytest.param(_assign("title", "draft"), set(), id="same text"),
        pytest.param(_assign("amount", Decimal("1.50")), set(), id="same amount"),
        pytest.param(_assign("extra", {"marks": [1]}), set(), id="equal JSON"),
        pytest.param(_assign("raw", b"raw"), set(), id="same bytes"),
        pytest.param(_assign("file", "a.txt"), set(), id="same file"),
        pytest.param(lambda document: document.file.name, set(), id="file touched"),
        pytest.param(_mutate, {"extra"}, id="JSON in place"),
        pytest.param(_assign("extra", {"marks": [True]}), {"extra"}, id="1 and true"),
        pytest.param(_assign("extra", {"marks": [1.0]}), {"extra"}, id="1 and 1.0"),
        pytest.param(_assign("extra", {}), {"extra"}, id="empty JSON"),
        pytest.param(_assign("amount", "2.00"), {"amount"}, id="amount as text"),
        pytest.param(_assign("file", "b.txt"), {"file"}, id="other file"),
        pytest.param(_assign("raw", b"new"), {"raw"}, id="other bytes"),
        pytest.param(_assign("author", None), {"author_id"}, id="relation"),
        pytest.param(_assign("author_id", None), {"author_id"}, id="key of a relation"),
    ],
)
def test_a_column_is_written_when_its_value_is_another(
    document: Document, change: Callable[[Document], None], names: set[str]
) -> None:
    change(document)
    assert updates(document.save) == [OWN | names]


@committing
def test_a_new_file_is_stored_and_named(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = Document._meta.get_field("file")
    monkeypatch.setattr(field, "storage", InMemoryStorage())
    document.file = ContentFile(b"content", name="b.txt")
    assert updates(document.save) == [{*OWN, "file"}]
    assert column(document, "file") == "b.txt"
    assert updates(document.save) == [OWN]
    Document.objects.update(file="")
    document = Document.objects.get()
    assert not document.file
    assert updates(document.save) == [OWN]


@committing
@pytest.mark.usefixtures("database")
def test_an_expression_is_evaluated_once(document: Document) -> None:
    document.amount = F("amount") + 1
    document.save()
    elsewhere(document, amount=10)
    document.title = "new"
    document.save()
    assert column(document, "amount") == Decimal("10.00")
    document.refresh_from_db()
    assert (document.amount, document.doubled) == (Decimal(10), Decimal(20))
    document.amount = F("amount") * 2
    document.save()
    assert (document.amount, document.doubled) == (Decimal(20), Decimal(40))
    assert document.version == 4


@committing
@pytest.mark.parametrize("names", [["title"], ("title", "text"), {"version"}])
def test_named_columns_are_written_and_the_two(
    document: Document, names: list[str]
) -> None:
    document.amount = Decimal(9)
    assert updates(lambda: document.save(update_fields=names)) == [MOVED | set(names)]
    assert document.version == version_of(document) == 2
    assert column(document, "amount") == Decimal("1.50")
    assert updates(document.save) == [{*OWN, "amount"}]
    assert column(document, "amount") == 9


def test_no_named_columns_no_save(document: Document) -> None:
    assert statements(lambda: document.save(update_fields=[])) == []
    assert statements(lambda: document.save(update_fields=iter([]))) == []
    assert document.version == version_of(document) == 1


@pytest.mark.usefixtures("database", "document")
def test_deferred_columns_are_neither_read_nor_written() -> None:
    document = Document.objects.only("title").get()
    document.title = "new"
    assert updates(document.save) == [{"title", *MOVED}]
    document = Document.objects.defer("version", "text").get()
    elsewhere(document, text="theirs")
    assert len(statements(document.save)) == 1
    assert document.version == 3
    document.text = "mine"
    assert updates(document.save) == [{*OWN, "text"}]
    assert document.version == version_of(document) == 4


@pytest.mark.usefixtures("document")
def test_a_deferred_column_that_has_been_read_is_not_written() -> None:
    document = Document.objects.only("title").get()
    assert document.text == "body"
    elsewhere(document, text="theirs")
    assert updates(document.save) == [MOVED]


def test_rows_of_raw_queries_and_joins_are_known() -> None:
    Report.objects.create(slug="r", title="draft")
    (raw,) = Document.objects.raw("SELECT id, title FROM tests_app_document")
    assert updates(raw.save) == [MOVED]
    report = Report.objects.select_related("author").get()
    assert updates(report.save) == [OWN]


def test_refreshing_forgets_what_was_changed(document: Document) -> None:
    document.title = "unsaved"
    elsewhere(document, title="theirs", text="theirs")
    document.refresh_from_db(fields=["title"])
    assert updates(document.save) == [OWN]
    document.refresh_from_db()
    assert (document.title, document.text) == ("theirs", "theirs")
    document.text = "body"
    document.save()
    assert column(document, "text") == "body"


def test_an_instance_that_was_never_read_can_be_refreshed(document: Document) -> None:
    other = Document(pk=document.pk)
    other.refresh_from_db(fields=["title"])
    assert other.title == "draft"
    other.refresh_from_db()
    assert updates(other.save) == [OWN]


@committing
def test_an_instance_that_was_made_writes_all_and_moves(document: Document) -> None:
    made = Document(pk=document.pk, slug="made", version=40)
    made.save()
    assert made.version == version_of(document) == 2
    stored = Document.objects.get()
    assert (stored.slug, stored.title, stored.extra) == ("made", "", {})
    assert updates(made.save) == [OWN]


@committing
def test_a_copy_is_a_new_row(document: Document) -> None:
    document.save()
    document.pk = None
    vars(document)["_state"].adding = True
    document.slug = "copy"
    document.save()
    assert document.version == version_of(document) == 1
    assert document.title == "draft"
    assert Document.objects.get(slug="one").version == 2
    assert updates(document.save) == [OWN]


def test_a_copy_without_telling_django(document: Document) -> None:
    document.save()
    document.pk, document.slug = None, "copy"
    document.save()
    assert {row.version for row in Document.objects.all()} == {1, 2}


def test_a_new_row_may_be_given_a_number() -> None:
    label = Label.objects.create(name="imported", version=7)
    assert version_of(label) == 7
    label.save(force_update=True)
    assert version_of(label) == 8
    made = Label(pk=label.pk + 1)
    vars(made).pop("version")
    made.save(force_insert=True)
    assert version_of(made) == 1


def test_a_row_that_comes_back_goes_on(document: Document) -> None:
    document.save()
    Document.objects.all().delete()
    document.save()
    assert document.version == version_of(document) == 3
    assert column(document, "title") == "draft"


@committing
@pytest.mark.usefixtures("database")
def test_a_save_that_fails_leaves_the_next_one_right(document: Document) -> None:
    Document.objects.create(slug="taken")
    document.slug, document.title = "taken", "new"
    with pytest.raises(IntegrityError):
        document.save()
    assert (document.version, document.updated_at) == (1, LONG_AGO)
    document.slug = "free"
    document.save()
    stored = Document.objects.get(pk=document.pk)
    assert (stored.slug, stored.title, stored.version) == ("free", "new", 2)
    assert document.version == 2


@pytest.mark.usefixtures("document")
@committing
def test_a_save_that_fails_leaves_deferred_columns_deferred() -> None:
    Document.objects.create(slug="taken")
    document = Document.objects.only("slug").get(slug="one")
    document.slug = "taken"
    with pytest.raises(IntegrityError):
        document.save()
    assert document.get_deferred_fields() >= MOVED
    assert document.version == 1


@committing
@pytest.mark.usefixtures("database")
def test_what_was_rolled_back_is_written_again(document: Document) -> None:
    with transaction.atomic():
        document.text = "outer"
        document.save()
        with transaction.atomic():
            document.title = "inner"
            document.save()
            transaction.set_rollback(True)
        assert version_of(document) == 2
    # The outer one is there for good; of the inner one nothing is.
    assert updates(document.save) == [{*OWN, "title"}]
    assert (column(document, "title"), version_of(document)) == ("inner", 3)
    assert updates(document.save) == [OWN]


@committing
def test_what_was_rolled_back_and_read_again_is_settled(document: Document) -> None:
    with transaction.atomic():
        document.title = "never"
        document.save()
        transaction.set_rollback(True)
    document.refresh_from_db()
    assert updates(document.save) == [OWN]


@committing
def test_without_autocommit_nobody_knows_when_it_is_settled(
    document: Document,
) -> None:
    transaction.set_autocommit(False)
    try:
        document.title = "new"
        document.save()
        assert updates(document.save) == [{*OWN, "title"}]
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert (column(document, "title"), version_of(document)) == ("new", 3)


@pytest.mark.usefixtures("database")
def test_a_row_in_two_tables_has_one_version() -> None:
    Report.objects.create(slug="r", title="draft")
    report = Report.objects.get()
    report.pages = 3
    assert updates(report.save) == [OWN, {"pages"}]
    report = Report.objects.get()
    report.title = "new"
    assert updates(report.save) == [{*OWN, "title"}]
    assert report.version == version_of(report) == 3
    elsewhere(report, text="theirs")
    Document.objects.get().save()
    report.save()
    assert report.version == version_of(report) == 5
    assert column(report, "text") == "theirs"


def test_a_second_table_for_a_row_that_exists(document: Document) -> None:
    report = Report(document_ptr=document, pages=3)
    vars(report).update({k: v for k, v in vars(document).items() if k in OWN})
    report.slug, report.extra = document.slug, document.extra
    report.save()
    assert report.version == version_of(document) == 2
    assert Report.objects.get().pages == 3


@committing
def test_a_report_is_copied_by_both_keys() -> None:
    report = Report.objects.create(slug="r", pages=3)
    report.save()
    report.pk = report.id = None
    vars(report)["_state"].adding = True
    report.slug = "copy"
    report.save()
    assert sorted(Report.objects.values_list("version", "pages")) == [(1, 3), (2, 3)]
    assert updates(report.save)[0] == OWN


def through_a_cache(document: Document) -> Document:
    """Pickle it."""
    cache = LocMemCache("documents", {})
    cache.set("one", document)
    read: Document = cache.get("one")
    return read


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, through_a_cache],
    ids=["copy", "deepcopy", "pickle"],
)
@committing
@pytest.mark.usefixtures("database")
def test_duplicates_of_an_instance_know_what_it_knows(
    document: Document, duplicate: Callable[[Document], Document]
) -> None:
    document.title = "new"
    document.save()
    twin = duplicate(document)
    elsewhere(document, title="theirs")
    twin.text = "twin"
    assert updates(twin.save) == [{*OWN, "text"}]
    document.amount = Decimal(3)
    assert updates(document.save) == [{*OWN, "amount"}]
    assert version_of(document) == 4


@committing
def test_what_receivers_change_is_written(document: Document) -> None:
    def before(instance: Document, **_: Any) -> None:
        instance.text = "by a receiver"

    def after(instance: Document, **_: Any) -> None:
        instance.amount = Decimal(7)

    pre_save.connect(before, sender=Document)
    post_save.connect(after, sender=Document)
    try:
        assert updates(document.save) == [{*OWN, "text"}]
    finally:
        pre_save.disconnect(before, sender=Document)
        post_save.disconnect(after, sender=Document)
    assert updates(document.save) == [{*OWN, "amount"}]


def test_a_receiver_that_saves_and_one_that_fails(document: Document) -> None:
    seen: list[int] = []

    def after(instance: Document, **_: Any) -> None:
        seen.append(instance.version)
        if len(seen) == 1:
            instance.title = "again"
            instance.save(update_fields=["title"])
        raise ValueError("after the save")

    post_save.connect(after, sender=Document)
    try:
        with pytest.raises(ValueError, match="after the save"):
            document.save()
    finally:
        post_save.disconnect(after, sender=Document)
    assert seen == [2, 3]
    assert document.version == version_of(document) == 3


@pytest.mark.usefixtures("database")
def test_fixtures_are_loaded_as_they_are(document: Document) -> None:
    document.version = 9
    text = serializers.serialize("json", [document])
    for row in serializers.deserialize("json", text):
        row.save()
    assert version_of(document) == 9
    assert column(document, "updated_at") == LONG_AGO
    document.title = "raw"
    document.save_base(raw=True)
    document.title = "draft"
    document.save()
    assert (column(document, "title"), version_of(document)) == ("draft", 10)


def test_getting_and_creating(document: Document) -> None:
    got, created = Document.objects.get_or_create(slug="one")
    assert (got.version, created) == (1, False)
    got, created = Document.objects.update_or_create(
        slug="one", defaults={"title": "new"}
    )
    assert (got.version, created, version_of(document)) == (2, False, 2)
    got, created = Document.objects.update_or_create(slug="two")
    assert (got.version, created, version_of(got)) == (1, True, 1)


@committing
def test_asynchronous_saves(document: Document) -> None:
    document.title = "new"
    async_to_sync(document.asave)()
    assert (document.version, column(document, "title")) == (2, "new")


@committing
def test_another_database_gets_all_columns(document: Document) -> None:
    names = [field.attname for field in Document._meta.concrete_fields]
    values = [getattr(document, name) for name in names]
    read = Document.from_db("replica", names, values)
    elsewhere(document, title="theirs")
    read.save(using="default")
    assert (column(document, "title"), read.version) == ("draft", 2)
    assert updates(read.save) == [OWN]


def test_another_key_is_another_row(document: Document) -> None:
    other = Document.objects.create(slug="two", text="other")
    document.pk, document.slug = other.pk, "two"
    document.save()
    assert column(other, "text") == "body"
    assert version_of(other) == document.version == 2


@pytest.mark.usefixtures("database")
def test_asking_whether_the_row_is_there_first(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Document._meta, "select_on_save", True)
    document.title = "new"
    document.save()
    assert (document.version, column(document, "title")) == (2, "new")


def test_only_columns_of_its_own() -> None:
    names = {field.name for field in Label._meta.get_fields()}
    assert names == {"id", "name", "documents", *MOVED}
    version = Label._meta.get_field("version")
    assert isinstance(version, models.PositiveBigIntegerField)
    path = version.deconstruct()[1]
    assert path == "drf_apikit.models.VersionNumber"
