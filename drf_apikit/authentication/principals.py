"""Who is calling: a verified token, and the user or client behind it."""

from dataclasses import dataclass
from typing import Any, ClassVar

from drf_apikit.authentication.token import AccessToken
from drf_apikit.models import ExternalIdentity

__all__ = ["ClientPrincipal", "resolve_principal"]


@dataclass(frozen=True, slots=True)
class ClientPrincipal:
    """A machine client without a user in this project, as `request.user`.

    It is authenticated and has no rights but the scopes of its token.
    """

    issuer: str
    client_id: str

    pk: ClassVar[None] = None
    id: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.get_username()

    def get_username(self) -> str:
        """Name the client for logs."""
        return self.client_id

    def has_perm(self, *_: object, **__: object) -> bool:
        """Refuse: Django's permissions belong to users."""
        return False

    has_perms = has_module_perms = has_perm


def resolve_principal(token: AccessToken) -> Any:
    """Find the user by (issuer, subject), in one query.

    A machine client that is nobody here (`sub` equals `client_id`, RFC 9068
    section 2.2) is a `ClientPrincipal`. None means that the token is refused.
    """
    rows = ExternalIdentity.objects.select_related("user").filter(
        issuer=token.issuer, subject=token.subject
    )
    for row in rows:
        # A collation may have found what differs in case or trailing space.
        if (row.issuer, row.subject) == (token.issuer, token.subject):
            return row.user if row.user.is_active else None
    if token.is_of_client:
        return ClientPrincipal(token.issuer, str(token.client_id))
    return None
