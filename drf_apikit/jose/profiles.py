"""What the access tokens of a provider look like, and what shows that one is none.

A provider signs ID, refresh and logout tokens with the same keys. RFC 9068 tells
them apart by `typ`; where a provider does not, the evidence is in the claims.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, Final

__all__ = ["PROFILES", "RFC9068", "TokenProfile", "profile_of"]

Claims = Mapping[str, Any]

#: Of ID tokens (OpenID Connect Core section 3.3.2.11, FAPI 1 part 2), of logout and
#: other event tokens (RFC 8417 section 2.2), of DPoP proofs (RFC 9449 section 4.2).
_FOREIGN: Final = ("at_hash", "c_hash", "s_hash", "events", "htm", "htu", "ath")
#: Where a provider that is another one says what kind of token it is.
_KINDS: Final = ("typ", "token_use", "token_type")


def _is_subject(claims: Claims, client: str | None) -> bool:
    """RFC 9068 section 2.2: a client that acts for itself is the subject."""
    return client is not None and claims.get("sub") == client


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """The access tokens of one provider.

    `types` are the values of the header `typ`, in lower case and without
    `application/`; None stands for a token without one. `required` are claims
    besides `iss`, `exp`, `iat` and the subject; of `clients`, claims that name the
    client, one must be there unless there are none to look at, and so of `evidence`.
    `values` are claims that must be there and say one of a few things; `foreign` those
    of tokens of another kind.
    """

    name: str
    types: frozenset[str | None]
    required: tuple[str, ...] = ()
    clients: tuple[str, ...]
    scopes: tuple[str, ...] = ("scope",)
    subject: str = "sub"
    numeric_subject: bool = False
    evidence: tuple[str, ...] = ()
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    foreign: tuple[str, ...] = _FOREIGN
    #: ID tokens are for their client (OpenID Connect Core section 2).
    audience_is_never_client: bool = False
    #: `aud` may be missing; a list of clients then says whose tokens are meant.
    without_audience: bool = False
    is_of_client: Callable[[Claims, str | None], bool] = _is_subject

    def client_of(self, claims: Claims) -> str | None:
        """Give the client that a token was issued to."""
        return next((claims[name] for name in self.clients if name in claims), None)

    def scopes_of(self, claims: Claims) -> Any:
        """Give what a token may be used for, as it stands there."""
        return next((claims[name] for name in self.scopes if name in claims), None)


def _says_nothing(_claims: Claims, _client: str | None) -> bool:
    return False


def _has_keycloak_account(claims: Claims, client: str | None) -> bool:
    """Tell a service account, which has no session.

    A user may choose the name, and get the client's id by a mapper.
    """
    if "sid" in claims or "session_state" in claims:
        return False
    named = claims.get("client_id", claims.get("clientId"))
    user = claims.get("preferred_username")
    return named == client and user == f"service-account-{str(client).lower()}"


def _is_entra_app(claims: Claims, _client: str | None) -> bool:
    """Tell an application's token: of no user, so without delegated scopes."""
    kind = claims.get("idtyp")
    if kind is not None:
        return bool(kind == "app")
    own = "oid" in claims and claims["oid"] == claims.get("sub")
    return own and "scp" not in claims


def _is_auth0_machine(claims: Claims, client: str | None) -> bool:
    return claims.get("sub") == f"{client}@clients"


RFC9068: Final = TokenProfile(
    name="rfc9068",
    types=frozenset({"at+jwt"}),
    # Section 2.2.
    required=("aud", "client_id", "jti"),
    clients=("client_id",),
)

_PRESETS: Final = (
    RFC9068,
    TokenProfile(
        name="simplejwt",
        types=frozenset({"jwt"}),
        required=("jti",),
        clients=(),
        subject="user_id",
        numeric_subject=True,
        values={"token_type": frozenset({"access"})},
        foreign=(*_FOREIGN, "nonce"),
        is_of_client=_says_nothing,
    ),
    TokenProfile(
        name="keycloak",
        types=frozenset({"jwt", "at+jwt"}),
        required=("jti",),
        clients=("azp",),
        # ID, Refresh, Offline and Logout are the others. What is bound has `cnf`.
        values={"typ": frozenset({"Bearer", "DPoP"})},
        is_of_client=_has_keycloak_account,
    ),
    TokenProfile(
        name="entra",
        types=frozenset({"jwt"}),
        # Of version 2 and of version 1; ID tokens have neither.
        clients=("azp", "appid"),
        # Roles of a user's token are the user's; those of an application its own.
        scopes=("scp", "roles"),
        evidence=("scp", "roles", "idtyp"),
        foreign=(*_FOREIGN, *_KINDS, "nonce"),
        is_of_client=_is_entra_app,
    ),
    TokenProfile(
        name="cognito",
        types=frozenset({None, "jwt"}),
        required=("jti",),
        clients=("client_id",),
        values={"token_use": frozenset({"access"})},
        foreign=(*_FOREIGN, "nonce"),
        without_audience=True,
    ),
    TokenProfile(
        name="auth0",
        types=frozenset({"jwt", "at+jwt"}),
        clients=("azp", "client_id"),
        foreign=(*_FOREIGN, *_KINDS, "nonce"),
        audience_is_never_client=True,
        is_of_client=_is_auth0_machine,
    ),
    TokenProfile(
        name="okta",
        types=frozenset({None, "jwt", "at+jwt"}),
        required=("jti", "scp"),
        clients=("cid",),
        scopes=("scp",),
        foreign=(*_FOREIGN, *_KINDS, "nonce"),
        audience_is_never_client=True,
    ),
)

#: The presets by name, for `TOKEN_PROFILE`.
PROFILES: Final[Mapping[str, TokenProfile]] = MappingProxyType(
    {profile.name: profile for profile in _PRESETS}
)


@cache
def profile_of(name: str, subject: str | None = None) -> TokenProfile:
    """Give a preset, whose subject may be in another claim."""
    profile = PROFILES[name]
    return profile if subject is None else replace(profile, subject=subject)
