"""Who is calling: a verified token, and the user or client behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from drf_apikit.models import ExternalIdentity

__all__ = ["AccessToken", "ClientPrincipal", "resolve_principal"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The verified claims of an access token; this is `request.auth`.

    `claims` is the whole payload; the token itself is not kept.
    """

    claims: Mapping[str, Any] = field(repr=False)

    @property
    def issuer(self) -> str:
        """The `iss` claim."""
        return str(self.claims["iss"])

    @property
    def subject(self) -> str:
        """The `sub` claim: unique within the issuer, never reassigned."""
        return str(self.claims["sub"])

    @property
    def client_id(self) -> str:
        """The client that the token was issued to (RFC 8693 section 4.3)."""
        return str(self.claims["client_id"])

    @property
    def scopes(self) -> frozenset[str]:
        """What the token may be used for (RFC 8693 section 4.2)."""
        scope = self.claims.get("scope", "")
        return (
            frozenset(scope.split(" ")) - {""}
            if isinstance(scope, str)
            else frozenset()
        )


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
    if token.subject == token.client_id:
        return ClientPrincipal(token.issuer, token.client_id)
    return None
