"""Who is calling: the user or the machine client behind a verified token."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib.auth.models import Group, Permission
from django.db.models.manager import EmptyManager

from drf_apikit.authentication.token import AccessToken
from drf_apikit.models.identities import identity_digest
from drf_apikit.users.enrolment import (
    enrol,
    find_identity,
    find_user,
    local_user,
)
from drf_apikit.users.grants import apply_grants, maps_claims

__all__ = ["ClientPrincipal", "resolve_principal"]

_NO_GROUPS: Final = EmptyManager(Group)
_NO_PERMISSIONS: Final = EmptyManager(Permission)


@dataclass(frozen=True, slots=True)
class ClientPrincipal:
    """A machine client without a user in this project, as `request.user`.

    It is authenticated and has no rights but the scopes of its token: Django's
    permissions belong to users. Two of them are equal if they are one client of one
    issuer.
    """

    issuer: str
    client_id: str

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.client_id

    @property
    def pk(self) -> str:
        """A text that no other client has, and no user: throttles count by it."""
        return f"client-{identity_digest(self.issuer, self.client_id)}"

    id = pk

    @property
    def drf_apikit_caller(self) -> tuple[str, str, str]:
        """What `callers.principal_of` tells of it."""
        return ("client", self.issuer, self.client_id)

    @property
    def username(self) -> str:
        """The client's name, for logs."""
        return self.client_id

    def get_username(self) -> str:
        """Name the client for logs."""
        return self.client_id

    @property
    def groups(self) -> Any:
        """No groups."""
        return _NO_GROUPS

    @property
    def user_permissions(self) -> Any:
        """No permissions."""
        return _NO_PERMISSIONS

    def get_all_permissions(self, _obj: object = None) -> set[str]:
        """Give none."""
        return set()

    get_user_permissions = get_group_permissions = get_all_permissions

    def has_perm(self, _perm: str, _obj: object = None) -> bool:
        """Refuse."""
        return False

    def has_perms(self, perm_list: Iterable[str], _obj: object = None) -> bool:
        """Refuse, unless nothing is asked for."""
        return not list(perm_list)

    def has_module_perms(self, _app_label: str) -> bool:
        """Refuse."""
        return False


def resolve_principal(token: AccessToken) -> Any:
    """Find out whose the token is, by the `USERS` of its issuer; None refuses it.

    A subject that has been seen before takes one query. So does a machine client:
    it may have been given a user by hand, and one that is deactivated keeps it out.
    Otherwise it is a `ClientPrincipal`, never gets a user made or matched, and where
    subjects are primary keys nothing is asked at all: its name is none of them,
    though it may look like one.
    """
    if token.settings.users == "local":
        return _client(token) if token.is_of_client else local_user(token.subject)
    identity = None
    if maps_claims(token.settings):
        identity = find_identity(token)
    elif (user := find_user(token)) is not None:
        return user if user.is_active else None
    if identity is None:
        if token.is_of_client:
            return _client(token)
        identity = enrol(token)
    if identity is None or not identity.user.is_active:
        return None
    apply_grants(token, identity)
    return identity.user


def _client(token: AccessToken) -> ClientPrincipal:
    return ClientPrincipal(token.issuer, str(token.client_id))
