import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from drf_apikit.models import claimed
from tests.app.models import Author, Document
from tests.databases import in_threads

SECONDS: Final = 20.0

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("database"),
]


@pytest.fixture
def document() -> Document:
    document: Document = Document.objects.create(slug="one", title="draft")
    return document


def at_once(*writes: Callable[[Document], Any]) -> list[Any]:
    """Let all read the row before one of them writes."""
    barrier = threading.Barrier(len(writes))

    def writer(write: Callable[[Document], Any]) -> Callable[[], Any]:
        def call() -> Any:
            document = Document.objects.get()
            barrier.wait(SECONDS)
            return write(document)

        return call

    return in_threads(*(writer(write) for write in writes))


@pytest.mark.usefixtures("document")
def test_savers_of_different_columns_lose_nothing() -> None:
    author = Author.objects.create(name="Ada")
    values: dict[str, Any] = {
        "slug": "two",
        "title": "new",
        "text": "new",
        "extra": {"a": [1]},
        "amount": Decimal("2.50"),
        "file": "b.txt",
        "author_id": author.pk,
    }

    def saving(name: str) -> Callable[[Document], int]:
        def save(document: Document) -> int:
            setattr(document, name, values[name])
            with transaction.atomic():
                document.save()
                return document.version

        return save

    seen = at_once(*map(saving, values))
    stored = Document.objects.get()
    assert {name: getattr(stored, name) for name in values} == values
    # Each has been told its own number.
    assert sorted(seen) == list(range(2, 9))
    assert stored.version == 8


@pytest.mark.usefixtures("document")
def test_all_kinds_of_writes_move_by_one() -> None:
    rows = Document.objects.all()
    at_once(
        lambda document: document.save(),
        lambda document: document.save(update_fields=["text"]),
        lambda document: Document.objects.bulk_update([document], ["raw"]),
        lambda _: rows.update(amount=F("amount") + 1),
        lambda _: rows.update(amount=F("amount") + 1),
        lambda _: rows.bump(),
    )
    stored = Document.objects.get()
    assert (stored.version, stored.amount) == (7, Decimal(2))


@pytest.mark.usefixtures("document")
def test_of_claimers_one_writes() -> None:
    def claiming(title: str) -> Callable[[Document], bool]:
        def write(document: Document) -> bool:
            now, seen = timezone.now(), document.version
            rows = Document.objects.filter(pk=document.pk, version=seen)
            with transaction.atomic():
                if not rows.update(version=seen + 1, updated_at=now):
                    return False
                document.version, document.updated_at = seen + 1, now
                document.title = title
                with claimed(document):
                    document.save()
            return True

        return write

    won = at_once(*map(claiming, "abcd"))
    stored = Document.objects.get()
    assert won.count(True) == 1
    assert stored.title == "abcd"[won.index(True)]
    assert stored.version == 2
