"""A login may hash a password anew, which is no other password."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import Group, User
from django.db import DEFAULT_DB_ALIAS
from pytest_django import Settings

from drf_apikit.tokens.sessions import Ending, end_session, password_given
from drf_apikit.tokens.sessions.rehashing import follow_rehash
from tests.tokens.sessions.families import begin, came_to, made, stored

pytestmark = pytest.mark.django_db
everywhere = pytest.mark.usefixtures("database")
PASSWORD = "correct horse"


class Weak(PBKDF2PasswordHasher):
    """As it was some years ago."""

    iterations = 1


class Strong(PBKDF2PasswordHasher):
    """As it is now."""

    iterations = 2


@pytest.fixture(autouse=True)
def strengthen(settings: Settings) -> Callable[[], None]:
    """Begin with the weak one; give what goes on with the strong one."""
    settings.PASSWORD_HASHERS = [f"{__name__}.Weak"]

    def change() -> None:
        settings.PASSWORD_HASHERS = [f"{__name__}.Strong"]

    return change


def log_in() -> None:
    assert authenticate(username="ada", password=PASSWORD)


@everywhere
def test_sessions_outlive_a_login_that_hashes_anew(
    strengthen: Callable[[], None],
) -> None:
    user = made()
    (session, text), (over, _) = begin(user), begin(user)
    other, _ = begin(made("bob"))
    end_session(over.pk, Ending.LOGOUT)
    strengthen()
    with password_given(PASSWORD):
        log_in()
    user.refresh_from_db()
    assert "$2$" in user.password
    assert came_to(text) == "rotated"
    assert [stored(one).auth_hash for one in (over, other)] == [
        one.auth_hash for one in (over, other)
    ]
    assert stored(session).auth_hash != session.auth_hash


def test_where_nobody_says_which_password_it_is_they_end(
    strengthen: Callable[[], None],
) -> None:
    """It might be another one."""
    _, text = begin()
    strengthen()
    with password_given(PASSWORD):
        pass
    log_in()
    assert came_to(text) == "password"


def another_is_set(user: User) -> None:
    user.set_password("another")
    user.save(update_fields=["password"])


def another_is_written(user: User) -> None:
    user.password = make_password("another")
    user.save(update_fields=["password"])


def none_is_usable(user: User) -> None:
    user.set_unusable_password()
    user.save(update_fields=["password"])


def more_is_saved(user: User) -> None:
    user.set_password(PASSWORD)
    user.save()


@pytest.mark.parametrize(
    "change", [another_is_set, another_is_written, none_is_usable, more_is_saved]
)
def test_any_other_change_at_a_login_ends_them(change: Callable[[User], None]) -> None:
    """As by a backend that asks a directory for passwords."""
    session, text = begin()
    with password_given(PASSWORD):
        change(session.user)
    assert came_to(text) == "password"


def test_one_that_was_not_the_password_before_ends_them() -> None:
    session, text = begin()
    with password_given("another"):
        another_is_set(session.user)
    assert came_to(text) == "password"


def test_what_else_is_saved_at_a_login(django_assert_num_queries: Any) -> None:
    session, text = begin()
    user, group = session.user, Group.objects.create(pk=session.user.pk, name="x")
    with password_given(PASSWORD), django_assert_num_queries(1):
        user.save(update_fields=["last_login"])
        # Another model may have a password too.
        follow_rehash(
            instance=group, using=DEFAULT_DB_ALIAS, update_fields=["password"]
        )
    assert came_to(text) == "rotated"
