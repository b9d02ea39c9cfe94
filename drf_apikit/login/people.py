"""Who has logged in: from verified claims to the user."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import router, transaction

from drf_apikit.conf import LoginSettings
from drf_apikit.jose import claim_at
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.hooked import hooked
from drf_apikit.login.registration import Registration
from drf_apikit.models import ExternalIdentity
from drf_apikit.users.enrolment import enrol, find_identity
from drf_apikit.users.grants import apply_grants

__all__ = ["Hooks", "Person", "regrant", "user_of"]

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider vouches for; a `Subject` of the engine."""

    claims: Claims
    settings: LoginSettings

    @classmethod
    def of(cls, claims: Claims, client: Registration) -> "Person":
        """Go by the settings of the login."""
        users = "create" if client.creates_users else "lookup"
        return cls(claims, replace(client.settings, users=users))

    @property
    def issuer(self) -> str:
        """The `iss` claim."""
        return str(self.claims["iss"])

    @property
    def subject(self) -> str:
        """The `sub` claim."""
        return str(self.claims["sub"])

    @property
    def issued_at(self) -> float:
        """The `iat` claim, in seconds since the epoch."""
        return float(self.claims["iat"])


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a project has of its own: to find, to make and to change a user.

    Without `find`, users are found by `MATCH_VERIFIED_EMAIL`.
    """

    find: Callable[[Claims], Iterable[Any]] | None
    make: Callable[[Claims], Any]
    update: Callable[[Any, Claims], Any]
    may_log_in: Callable[[Any], bool]


def user_of(person: Person, hooks: Hooks) -> Any:
    """Give the user, who is found by issuer and subject, linked or made.

    Raises:
        LoginError: there is none, or one who may not log in.

    """
    made: list[Any] = []
    identity = find_identity(person) or hooked(lambda: _enrolled(person, hooks, made))
    if identity is None:
        detail = "nobody here has this identity, and nobody was linked or made"
        raise LoginError(Reason.USER_UNKNOWN, 403, detail)
    user = identity.user
    _check(user, hooks)
    apply_grants(person, identity)
    if any(each.pk == user.pk for each in made):
        return user
    user = hooked(lambda: _updated(person, hooks, user))
    _check(user, hooks)
    return user


def regrant(claims: Claims, client: Registration) -> None:
    """Give and take groups and staff status by a later ID token of the same login.

    One that says nothing of them changes nothing: the userinfo endpoint may say it.
    """
    person = Person.of(claims, client)
    path = person.settings.groups_claim
    if path is None or claim_at(claims, path) is None:
        return
    identity = find_identity(person)
    if identity is not None:
        apply_grants(person, identity)


def _enrolled(person: Person, hooks: Hooks, made: list[Any]) -> ExternalIdentity | None:
    find = hooks.find

    def make(_email: str | None, _alias: str) -> Any:
        user = hooks.make(person.claims)
        made.extend([] if user is None else [user])
        return user

    return enrol(
        person, make, None if find is None else lambda _alias: find(person.claims)
    )


def _updated(person: Person, hooks: Hooks, user: Any) -> Any:
    """Let the project change a user; an error of its leaves no trace."""
    with transaction.atomic(using=router.db_for_write(type(user), instance=user)):
        return hooks.update(user, person.claims)


def _check(user: Any, hooks: Hooks) -> None:
    if user is None:
        raise LoginError(Reason.USER_UNKNOWN, 403, "update_user() gives none")
    if not hooks.may_log_in(user):
        raise LoginError(Reason.USER_INACTIVE, 403, f"user {user.pk}")
