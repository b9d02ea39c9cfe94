"""The statement that is made once gives what Django's own query gives."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, models
from django.db.models.functions import Coalesce
from django.test.utils import CaptureQueriesContext

from drf_apikit.models import ExternalIdentity
from drf_apikit.models.identities import identity_digest
from drf_apikit.users.lookup import (
    filters_rows,
    identity_with_user,
    user_of_identity,
    user_with_key,
)
from tests.databases import in_threads

ISSUER = "https://id.example"


def columns(instance: Any) -> dict[str, Any]:
    return {
        field.attname: getattr(instance, field.attname)
        for field in instance._meta.concrete_fields
    }


@pytest.fixture
def identity(database: str) -> ExternalIdentity:
    assert database
    user = User.objects.create_user("alice", "alice@id.example", is_staff=True)
    found = ExternalIdentity.objects.create(issuer=ISSUER, subject="ä", user=user)
    found.grants_issued_at = 1.5
    found.save()
    return found


@pytest.mark.django_db
def test_it_gives_all_that_django_would(identity: ExternalIdentity) -> None:
    digest = identity_digest(ISSUER, "ä")
    assert digest == identity.digest
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            found = identity_with_user(digest, "default")
            assert found is not None
            user: Any = found.user
        assert len(queries) == 1
        wanted = ExternalIdentity.objects.select_related("user").get()
        assert columns(found) == columns(wanted)
        assert columns(user) == columns(wanted.user)
        assert type(user.is_staff) is bool
        assert user.date_joined.tzinfo is not None
        for instance in (found, user):
            state = vars(instance)["_state"]
            assert (state.db, state.adding) == ("default", False)


@pytest.mark.django_db
def test_nobody_is_none(identity: ExternalIdentity) -> None:
    assert identity_with_user(identity.digest[::-1], "default") is None
    assert identity_with_user("", "default") is None


@pytest.mark.django_db
def test_an_instance_can_be_written(identity: ExternalIdentity) -> None:
    found = identity_with_user(identity.digest, "default")
    assert found is not None
    found.user.username = "bob"
    found.user.save()
    found.grants = "x"
    found.save()
    assert User.objects.get().username == "bob"
    assert ExternalIdentity.objects.get().grants == "x"


@pytest.mark.django_db
def test_a_row_that_was_changed_is_seen(identity: ExternalIdentity) -> None:
    assert identity_with_user(identity.digest, "default") is not None
    User.objects.update(is_active=False)
    found = identity_with_user(identity.digest, "default")
    assert found is not None
    assert found.user.is_active is False


@pytest.mark.django_db(transaction=True)
def test_threads_have_statements_of_their_own(identity: ExternalIdentity) -> None:
    both = threading.Barrier(2)

    def look() -> tuple[Any, Any]:
        both.wait(60)
        found = identity_with_user(identity.digest, "default")
        assert found is not None
        return found.user.username, next(
            iter(vars(connections["default"])["_drf_apikit_statements"].values())
        )

    (one, first), (other, second) = in_threads(look, look)
    assert one == other == "alice"
    assert first is not second
    assert first.sql == second.sql


@pytest.mark.django_db
def test_a_user_is_found_by_key(identity: ExternalIdentity) -> None:
    wanted: Any = User.objects.get()
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            found = user_with_key(User, wanted.pk, "default")
        assert len(queries) == 1
        assert columns(found) == columns(wanted)
    assert user_with_key(User, wanted.pk + 1, "default") is None
    assert identity.user_id == wanted.pk


@pytest.mark.django_db
def test_a_user_is_found_by_identity(identity: ExternalIdentity) -> None:
    wanted: Any = User.objects.get()
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            places = (identity.digest, ISSUER, "ä")
            found = user_of_identity(User, places, "default")
        assert len(queries) == 1
        assert columns(found) == columns(wanted)
    for wrong in (
        (identity.digest[::-1], ISSUER, "ä"),
        # Raw SQL can change a row and leave its digest.
        (identity.digest, ISSUER, "b"),
        (identity.digest, f"{ISSUER}/", "ä"),
    ):
        assert user_of_identity(User, wrong, "default") is None


class Described(models.Manager[User]):
    """Gives a column more, with a value for its statement, and one less."""

    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().annotate(x=models.Value("x")).defer("password")


@pytest.mark.django_db
def test_a_base_manager_does_not_change_what_is_asked(
    identity: ExternalIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: Any = User.objects.get()
    manager = Described()
    manager.model = User
    monkeypatch.setattr(User._meta, "base_manager", manager)
    vars(connections["default"]).pop("_drf_apikit_statements", None)
    by_key = user_with_key(User, wanted.pk, "default")
    places = (identity.digest, ISSUER, "ä")
    for found in (by_key, user_of_identity(User, places, "default")):
        assert columns(found) == columns(wanted)


@pytest.mark.django_db
def test_an_order_of_the_model_does_not_change_what_is_asked(
    identity: ExternalIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: Any = User.objects.get()
    order = [Coalesce("first_name", models.Value("x")), "-external_identities__grants"]
    monkeypatch.setattr(User._meta, "ordering", order)
    vars(connections["default"]).pop("_drf_apikit_statements", None)
    for _ in range(2):
        found = user_with_key(User, wanted.pk, "default")
        assert columns(found) == columns(wanted)
    (statement,) = vars(connections["default"])["_drf_apikit_statements"].values()
    assert "JOIN" not in statement.sql
    assert identity.user_id == wanted.pk


class Kept(models.Manager[User]):
    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().filter(is_active=True)


class Sorted(models.Manager[User]):
    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().order_by("pk")


@pytest.mark.parametrize(
    ("manager", "hides"), [(models.Manager(), False), (Sorted(), False), (Kept(), True)]
)
def test_a_manager_may_hide_some(manager: Any, hides: bool) -> None:
    manager.model = User
    assert filters_rows(manager) is hides
    assert filters_rows(User.objects) is False
