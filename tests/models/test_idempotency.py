import pytest
from django.db import IntegrityError, transaction

from drf_apikit.models import IdempotencyRecord
from tests.idempotency.records import new_record


def record(scope: str = "a" * 64) -> IdempotencyRecord:
    """Give a claim whose view has not answered."""
    return new_record(scope, status_code=None)


def test_text() -> None:
    assert str(record()) == f"POST transfers/ {'a' * 12}"


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_record_keeps_what_it_is_given() -> None:
    claimed = record()
    claimed.save()
    stored = IdempotencyRecord.objects.get()
    empty = (stored.status_code, stored.codec, stored.answer, stored.completed_at)
    assert empty == (None, None, None, None)
    claimed.answer = bytes(range(256))
    claimed.save()
    stored.refresh_from_db()
    assert bytes(stored.answer or b"") == claimed.answer


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_scope_has_one_record() -> None:
    record().save()
    record("c" * 64).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        record().save(force_insert=True)
    assert IdempotencyRecord.objects.count() == 2
