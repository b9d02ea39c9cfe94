import copy
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Replace

from drf_apikit.models import ExternalIdentity
from drf_apikit.models.identities import identity_digest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

A = "https://a.test"
B = "https://b.test"
#: What a collation of MariaDB takes for one, and none of it is.
ALIKE = ["Ada", "ada", "ADA", "Ada ", " Ada", "Adá", "Ada\t", "A\u0308da", "Äda"]


@pytest.fixture
def ada() -> User:
    return User.objects.create(username="ada")


def identity(user: User, issuer: str = A, subject: str = "s") -> ExternalIdentity:
    return ExternalIdentity.objects.create(issuer=issuer, subject=subject, user=user)


def stored() -> set[tuple[str, str, str]]:
    """Give what the database holds, the digest among it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT issuer, subject, digest FROM drf_apikit_identity")
        return {(row[0], row[1], row[2]) for row in cursor.fetchall()}


def held(*parts: tuple[str, str]) -> set[tuple[str, str, str]]:
    return {(*each, identity_digest(*each)) for each in parts}


@pytest.mark.compliance("OIDC Core", "2")
def test_a_subject_is_one_user_s_within_its_issuer(ada: User) -> None:
    eve = User.objects.create(username="eve")
    identity(ada)
    identity(eve, issuer=B)
    identity(ada, subject="second")
    with pytest.raises(IntegrityError), transaction.atomic():
        identity(eve)
    assert ada.external_identities.count() == 2


def test_an_identity_goes_with_its_user(ada: User) -> None:
    identity(ada)
    assert str(ExternalIdentity.objects.get()) == "s at https://a.test"
    ada.delete()
    assert not ExternalIdentity.objects.exists()


def test_a_collation_makes_no_two_subjects_one_and_refuses_none(ada: User) -> None:
    rows = ExternalIdentity.objects.bulk_create(
        ExternalIdentity(issuer=A, subject=subject, user=ada) for subject in ALIKE
    )
    assert stored() == held(*((A, subject) for subject in ALIKE))
    assert len({row.digest for row in rows}) == len(ALIKE)
    for subject in ALIKE:
        found = ExternalIdentity.objects.get(digest=identity_digest(A, subject))
        assert found.subject == subject


@pytest.mark.parametrize("subject", ["x" * 255, "\U0001f600" * 255, "ß", "'\"\\%_"])
def test_any_subject_can_be_kept(ada: User, subject: str) -> None:
    identity(ada, "https://" + "i" * 247, subject)
    assert stored() == held(("https://" + "i" * 247, subject))
    assert {len(digest) for _, _, digest in stored()} == {64}


def test_issuer_and_subject_are_two() -> None:
    digests = {identity_digest(*parts) for parts in [("ab", "c"), ("a", "bc")]}
    assert len(digests) == 2


def save_again(row: ExternalIdentity) -> None:
    row.subject = "new"
    row.save()


def save_one(row: ExternalIdentity) -> None:
    row.subject = "new"
    row.save(update_fields=["subject"])


def save_deferred(row: ExternalIdentity) -> None:
    part = ExternalIdentity.objects.only("subject").get(pk=row.pk)
    part.subject = "new"
    part.save(update_fields=["subject"])


def bulk(row: ExternalIdentity) -> None:
    row.subject = "new"
    assert ExternalIdentity.objects.bulk_update([row], ["subject"]) == 1


def update(row: ExternalIdentity) -> None:
    assert ExternalIdentity.objects.filter(pk=row.pk).update(subject="new") == 1


def update_by_expression(_: ExternalIdentity) -> None:
    subject = Replace(Concat(F("subject"), Value("x")), Value("sx"), Value("new"))
    assert ExternalIdentity.objects.update(subject=subject) == 1


def update_or_create(row: ExternalIdentity) -> None:
    ExternalIdentity.objects.update_or_create(
        user=row.user, defaults={"subject": "new"}
    )


def get_or_create(row: ExternalIdentity) -> None:
    row.delete()
    ExternalIdentity.objects.get_or_create(issuer=A, subject="new", user=row.user)


def raw(row: ExternalIdentity) -> None:
    """Be a fixture of `loaddata`, written by hand."""
    text = serializers.serialize("json", [row])
    text = text.replace('"s"', '"new"').replace(row.digest, "0" * 64)
    for read in serializers.deserialize("json", text):
        read.save()


def upsert(row: ExternalIdentity) -> None:
    row.subject = "new"
    # MySQL takes no names of unique columns.
    target: Any = {} if connection.vendor == "mysql" else {"unique_fields": ["id"]}
    ExternalIdentity.objects.bulk_create(
        [row], update_conflicts=True, update_fields=["subject"], **target
    )


@pytest.mark.parametrize(
    "write",
    [
        *(save_again, save_one, save_deferred, bulk, update, update_by_expression),
        *(update_or_create, get_or_create, raw, upsert),
    ],
)
def test_the_digest_is_right_however_a_row_is_written(ada: User, write: Any) -> None:
    write(identity(ada))
    assert stored() == held((A, "new"))


def test_the_digest_cannot_be_set(ada: User) -> None:
    row = identity(ada)
    row.digest = "0" * 64
    row.save()
    assert row.digest == ExternalIdentity.objects.get().digest
    assert stored() == held((A, "s"))
    assert copy.copy(row).digest == row.digest


def test_all_identities_of_an_issuer_that_moves(ada: User) -> None:
    for subject in ("one", "two"):
        identity(ada, subject=subject)
    assert ExternalIdentity.objects.filter(issuer=A).update(issuer=B) == 2
    assert stored() == held((B, "one"), (B, "two"))
    with pytest.raises(IntegrityError), transaction.atomic():
        ExternalIdentity.objects.filter(subject="one").update(subject="two")


def test_writing_other_columns_costs_nothing_more(
    ada: User, django_assert_num_queries: Any
) -> None:
    row = identity(ada)
    with django_assert_num_queries(1):
        ExternalIdentity.objects.update(user=ada)
    with django_assert_num_queries(1):
        row.save(update_fields=["user"])
    rows = [ExternalIdentity(issuer=A, subject=name, user=ada) for name in "ab"]
    assert len(ExternalIdentity.objects.bulk_create(rows)) == 2


def test_a_form_is_told_of_an_identity_that_is_taken(ada: User) -> None:
    row = identity(ada)
    row.full_clean()
    with pytest.raises(ValidationError) as told:
        ExternalIdentity(issuer=A, subject="s", user=ada).full_clean()
    text = "External identity with this Issuer and Subject already exists."
    assert told.value.message_dict == {"__all__": [text]}
    ExternalIdentity(issuer=A, subject="S", user=ada).full_clean()


def test_the_column_on_the_class_is_no_text() -> None:
    assert not isinstance(ExternalIdentity.digest, str)
