from datetime import datetime
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.db import NotSupportedError
from django.db.models import F
from django.utils import timezone

from tests.app.models import Author, Document, Label, Report
from tests.models.versions import MOVED, OWN, column, statements, updates, version_of

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)
LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.get_default_timezone())


@pytest.fixture
def labels() -> list[Label]:
    """Give three labels, as they were long ago."""
    Label.objects.bulk_create(Label(name=name) for name in "abc")
    Label.objects.update(version=1, updated_at=LONG_AGO)
    return list(Label.objects.order_by("name"))


def numbers() -> list[int]:
    return list(Label.objects.order_by("pk").values_list("version", flat=True))


@pytest.mark.usefixtures("database", "labels")
def test_an_update_moves_the_rows_that_it_writes() -> None:
    rows = Label.objects.exclude(name="c")
    assert updates(lambda: rows.update(name=F("version"))) == [{"name", *MOVED}]
    assert numbers() == [2, 2, 1]
    # With the number from before, whatever the order in which they are written.
    assert set(Label.objects.values_list("name", flat=True)) == {"1", "c"}
    moved = Label.objects.filter(updated_at__gt=LONG_AGO)
    assert moved.count() == 2


@pytest.mark.usefixtures("labels")
def test_what_is_given_is_not_moved() -> None:
    Label.objects.update(version=5)
    assert numbers() == [5, 5, 5]
    assert not Label.objects.filter(updated_at=LONG_AGO).exists()
    Label.objects.update(updated_at=LONG_AGO)
    assert numbers() == [6, 6, 6]
    assert Label.objects.filter(updated_at=LONG_AGO).count() == 3
    assert Label.objects.update() == 0
    assert numbers() == [6, 6, 6]


@pytest.mark.usefixtures("database", "labels")
def test_bump_moves_and_writes_nothing_else() -> None:
    bumped: list[int] = []
    rows = Label.objects.filter(name="a")
    assert updates(lambda: bumped.append(rows.bump())) == [MOVED]
    assert (bumped, numbers()) == ([1], [2, 1, 1])
    assert Label.objects.bump() == 3
    assert numbers() == [3, 2, 2]


@committing
@pytest.mark.usefixtures("labels")
def test_asynchronous_bulk_writes() -> None:
    assert async_to_sync(Label.objects.all().abump)() == 3
    assert async_to_sync(Label.objects.all().aupdate)(name="x") == 3
    assert numbers() == [3, 3, 3]


@committing
@pytest.mark.usefixtures("database")
def test_bulk_update_moves_each_row_by_one(labels: list[Label]) -> None:
    for label in labels[:2]:
        label.name += "!"
    assert len(updates(lambda: Label.objects.bulk_update(labels, ["name"]))) == 1
    assert numbers() == [2, 2, 2]
    assert [label.version for label in labels] == [2, 2, 2]
    assert labels[0].updated_at == column(labels[0], "updated_at") > LONG_AGO
    assert updates(labels[0].save) == [MOVED]
    assert Label.objects.bulk_update(labels, ["name"], batch_size=1) == 3
    assert numbers() == [4, 3, 3]


@committing
def test_bulk_update_of_a_relation_by_its_column() -> None:
    document = Document.objects.create(slug="one")
    document.author = Author.objects.create(name="Ada")
    assert Document.objects.bulk_update([document], ["author_id"]) == 1
    assert updates(document.save) == [OWN]
    assert version_of(document) == 3


@committing
@pytest.mark.usefixtures("database")
def test_bulk_create_begins_with_one() -> None:
    made = Label.objects.bulk_create([Label(name="a"), Label(name="b", version=7)])
    assert numbers() == [1, 7]
    assert [label.version for label in made] == [1, 7]
    assert updates(made[0].save) == [MOVED]
    label = Label(pk=made[0].pk, name="c")
    Label.objects.bulk_create([label], ignore_conflicts=True)
    assert (version_of(made[0]), column(made[0], "name")) == (2, "a")
    with pytest.raises(NotSupportedError, match="update_or_create"):
        Label.objects.bulk_create(
            [label], update_conflicts=True, update_fields=["name"]
        )


@pytest.mark.usefixtures("database")
def test_rows_in_two_tables() -> None:
    report = Report.objects.create(slug="r")
    Report.objects.create(slug="other")
    rows = Report.objects.filter(slug="r")
    assert rows.update(pages=3, title="new") == 1
    assert (version_of(report), column(report, "pages")) == (2, 3)
    assert rows.bump() == 1
    report.pages = 4
    assert Report.objects.bulk_update([report], ["pages"]) == 1
    assert version_of(report) == 4
    assert Report.objects.get(slug="other").version == 1


@pytest.mark.usefixtures("database")
def test_what_django_writes_for_relations() -> None:
    author = Author.objects.create(name="Ada")
    document = Document.objects.create(slug="one")
    author.documents.add(document)
    assert version_of(document) == 2
    author.documents.update(title="new")
    assert version_of(document) == 3
    author.documents.clear()
    assert version_of(document) == 4
    author.documents.set([document])
    assert version_of(document) == 5
    author.delete()
    document = Document.objects.get()
    assert (document.author, document.version) == (None, 6)


def test_many_to_many_relations_need_a_bump() -> None:
    document = Document.objects.create(slug="one")
    label = Label.objects.create(name="a")
    document.tags.add(label)
    assert version_of(document) == 1
    assert Document.objects.filter(tags=label).bump() == 1
    assert (version_of(document), version_of(label)) == (2, 1)


def test_a_save_through_the_base_manager_moves_once() -> None:
    assert Document._base_manager.name == "versioned_rows"
    assert Report._base_manager.name == "versioned_rows"
    document = Document.objects.create(slug="one", amount=Decimal(1))
    assert len(statements(document.save)) == 1
    assert version_of(document) == 2


def test_templates_do_not_write() -> None:
    for name in ("bump", "update", "bulk_update", "bulk_create", "abump"):
        assert vars(getattr(Label.objects.all(), name).__func__)["alters_data"]
