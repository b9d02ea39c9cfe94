"""What providers send, with values of our own: access tokens, and all that is none.

Where each shape comes from. "Read": in a document or the source of the provider;
"known": general knowledge of the field, found in no document of theirs. Providers
change what they send.

| provider | read | known |
|---|---|---|
| simplejwt | [1] all; no `kid`, no `sub`, `iss` and `aud` where set | [2] |
| Keycloak | [3] claim and header `typ`, `sub`, `nonce`, switch for at+jwt | [4] |
| Entra | [5] header and claims of both versions, `idtyp`, ID tokens | [6] |
| Cognito | [7] header without `typ`, users, `aud` by resource binding | [8] |
| Auth0 | [9] both dialects, machines, `permissions`, ID, logout claims | [10] |
| Okta | [11] header without `typ`, `cid`, `uid`, `scp`, ID tokens | [12] |
| standard | [13] everything | - |

[1] djangorestframework-simplejwt 5.5.1: tokens.py, backends.py, settings.py.
[2] `user_id` was a number before 5.5.
[3] TokenUtil.java (Bearer, DPoP, ID, Refresh, Offline, Logout; at+jwt, logout+jwt);
    Upgrading Guide 25.0.0 (`sub` comes from a mapper; `nonce` was in access tokens and
    is again with a mapper); issue 34146 (header at+jwt).
[4] The other claims; `client_id` is there for service accounts, and for users with a
    mapper alone; refresh tokens are signed with HMAC, a realm may be set otherwise.
[5] Access token claims reference; Optional claims reference; ID token claims reference.
[6] The issuer of version 1; `sub` equals `oid` in an application's token.
[7] Understanding the access token; Understanding the identity (ID) token; announcement
    of resource indicators; refresh tokens are opaque.
[8] `version`; a machine's `sub` is its `client_id`.
[9] Access Token Profiles (header, `azp` or `client_id`, `jti`, `gty`, machines, slash
    at the end of `iss`); ID Token Structure; Configure Back-Channel Logout.
[10] The header of logout tokens.
[11] OpenID Connect & OAuth 2.0 API; refresh tokens are opaque.
[12] A machine's `sub` is its `cid`; how the `jti` of access tokens starts.
[13] RFC 9068 section 2; RFC 9449 section 4.2; OpenID Connect Core section 2 and 3.3;
    OpenID Connect Back-Channel Logout section 2.4.

Dates are seconds from `NOW` of `tests.jose.minting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.jose.minting import NOW

__all__ = ["SAMPLES", "Kind", "Sample"]

Kind = Literal["access", "id", "refresh", "logout", "dpop"]
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One token, and for an access token what is to be read from it."""

    #: The name of a preset; `standard` for what no provider is needed for.
    provider: str
    kind: Kind
    name: str
    header: Claims
    claims: Claims
    client: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    subject: str | None = None
    is_of_client: bool = False
    #: Whether an access token is one by RFC 9068 as well.
    is_standard: bool = False

    def __str__(self) -> str:
        return f"{self.provider}-{self.kind}-{self.name}"


_ALG: Final[Claims] = {"alg": "RS256", "kid": "RSA"}
_JWT: Final[Claims] = {**_ALG, "typ": "JWT"}
_AT: Final[Claims] = {**_ALG, "typ": "at+jwt"}
_LOGOUT: Final[Claims] = {**_ALG, "typ": "logout+jwt"}
_DATES: Final[Claims] = {"iat": NOW - 20, "exp": NOW + 280}
_LOGGED_OUT: Final[Claims] = {
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
}
_READ_WRITE: Final = frozenset({"ledger:read", "ledger:write"})
_API: Final = "https://ledger.shop.example"

# --- RFC 9068 and OpenID Connect, of no provider -------------------------------

_STANDARD: Final[Claims] = {**_DATES, "iss": "https://as.shop.example"}
_STANDARD_ID: Final[Claims] = {
    **_STANDARD,
    "aud": "web-shop",
    "sub": "u-17",
    "azp": "web-shop",
    "auth_time": NOW - 20,
    "at_hash": "Zm91cnRlZW5ieXRlcw",
    "nonce": "n-4711",
}
# RFC 9449 section 4.2; a proof names neither issuer nor audience.
_PROOF: Final[Claims] = {
    "jti": "proof-1",
    "htm": "POST",
    "htu": f"{_API}/transfers/",
    "iat": NOW - 2,
    "ath": "aGFzaG9mdGhlYWNjZXNzdG9rZW5oYXNob2Z0aGVhY2Nlcw",
    "nonce": "server-nonce-1",
}
_PROOF_KEY: Final[Claims] = {
    "jwk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "Ag"},
    "alg": "RS256",
}

_STANDARD_SAMPLES: Final = (
    Sample(
        provider="rfc9068",
        kind="access",
        name="user",
        header=_AT,
        claims={
            **_STANDARD,
            "aud": _API,
            "sub": "u-17",
            "client_id": "web-shop",
            "jti": "at-1",
            "scope": "ledger:read ledger:write",
            "auth_time": NOW - 20,
            "acr": "1",
            "groups": ["clerks"],
        },
        client="web-shop",
        scopes=_READ_WRITE,
        subject="u-17",
        is_standard=True,
    ),
    Sample(
        provider="rfc9068",
        kind="access",
        name="machine, long type",
        header={**_ALG, "typ": "application/at+jwt"},
        claims={
            **_STANDARD,
            "aud": [_API, "https://stock.shop.example"],
            "sub": "night-batch",
            "client_id": "night-batch",
            "jti": "at-2",
            "scope": "ledger:read",
        },
        client="night-batch",
        scopes=frozenset({"ledger:read"}),
        subject="night-batch",
        is_of_client=True,
        is_standard=True,
    ),
    Sample("standard", "id", "code flow", _JWT, _STANDARD_ID),
    Sample(
        provider="standard",
        kind="id",
        name="without a nonce and a hash",
        header=_JWT,
        claims={
            name: value
            for name, value in _STANDARD_ID.items()
            if name not in {"nonce", "at_hash"}
        },
    ),
    Sample(
        provider="standard",
        kind="id",
        name="hybrid flow",
        header=_JWT,
        claims={**_STANDARD_ID, "c_hash": "Y29kZWhhc2hjb2RlaA", "s_hash": "c3RhdGU"},
    ),
    # OpenID Connect Core section 5.3.2; not an ID token, and as little meant for us.
    Sample(
        provider="standard",
        kind="id",
        name="signed userinfo",
        header=_JWT,
        claims={
            "iss": _STANDARD["iss"],
            "aud": "web-shop",
            "sub": "u-17",
            "email": "ada@shop.example",
            "email_verified": True,
        },
    ),
    Sample(
        provider="standard",
        kind="logout",
        name="typed",
        header=_LOGOUT,
        claims={
            **_STANDARD,
            **_LOGGED_OUT,
            "aud": "web-shop",
            "sub": "u-17",
            "sid": "s-1",
            "jti": "lo-1",
        },
    ),
    Sample("standard", "dpop", "proof", {**_PROOF_KEY, "typ": "dpop+jwt"}, _PROOF),
    Sample("standard", "dpop", "proof, no type", {**_PROOF_KEY, "typ": "JWT"}, _PROOF),
)

# --- djangorestframework-simplejwt 5.5.1 ---------------------------------------

# `Token.__init__`, `Token.for_user`, `TokenBackend.encode`: PyJWT's header, no kid.
_SIMPLEJWT_HEADER: Final[Claims] = {"alg": "RS256", "typ": "JWT"}
_SIMPLEJWT: Final[Claims] = {
    **_DATES,
    "jti": "0f3c2d5b7a914c6e8d20b1f4a6c8e013",
    "user_id": "42",
    "aud": "ledger",
    "iss": "https://shop.example",
}

_SIMPLEJWT_SAMPLES: Final = (
    Sample(
        provider="simplejwt",
        kind="access",
        name="user",
        header=_SIMPLEJWT_HEADER,
        claims={**_SIMPLEJWT, "token_type": "access"},
        subject="42",
    ),
    Sample(
        provider="simplejwt",
        kind="access",
        name="user by number, two audiences, revocable",
        header=_SIMPLEJWT_HEADER,
        claims={
            **_SIMPLEJWT,
            "token_type": "access",
            "user_id": 42,
            "aud": ["ledger", "stock"],
            "hash_password": "9A0364B9E99BB480DD25E1F0284C8555",
        },
        subject="42",
    ),
    Sample(
        provider="simplejwt",
        kind="refresh",
        name="refresh",
        header=_SIMPLEJWT_HEADER,
        claims={**_SIMPLEJWT, "token_type": "refresh", "exp": NOW + 86_400},
    ),
    Sample(
        provider="simplejwt",
        kind="refresh",
        name="sliding",
        header=_SIMPLEJWT_HEADER,
        claims={**_SIMPLEJWT, "token_type": "sliding", "refresh_exp": NOW + 86_400},
    ),
)

# --- Keycloak ------------------------------------------------------------------

_KEYCLOAK: Final[Claims] = {
    **_DATES,
    "jti": "onrtac:6f3b9f0e-0d5c-4f21-9a55-6b1f0f6f2a10",
    "iss": "https://sso.shop.example/realms/shop",
}
_KEYCLOAK_USER: Final[Claims] = {
    **_KEYCLOAK,
    "auth_time": NOW - 60,
    "aud": ["ledger", "account"],
    "sub": "7d1f4f3c-5b0a-4a3e-8d51-2f6f8c1b9e77",
    "typ": "Bearer",
    "azp": "web-shop",
    "sid": "b5a2c9d4-33c2-4b62-8a6e-0a5b1cf9d1e2",
    "acr": "1",
    "allowed-origins": ["https://www.shop.example"],
    "realm_access": {"roles": ["default-roles-shop", "clerk"]},
    "resource_access": {"ledger": {"roles": ["approver"]}},
    "scope": "openid ledger:read ledger:write",
    "email_verified": True,
    "preferred_username": "ada",
    "email": "ada@shop.example",
}
_KEYCLOAK_ACCOUNT: Final[Claims] = {
    **_KEYCLOAK,
    "aud": "ledger",
    "sub": "e3a1c2aa-1f7e-4a0f-9f3d-7a4f0e8b6c55",
    "typ": "Bearer",
    "azp": "Night-Batch",
    "acr": "1",
    "scope": "ledger:read",
    "clientHost": "192.0.2.7",
    "clientAddress": "192.0.2.7",
    "client_id": "Night-Batch",
    "preferred_username": "service-account-night-batch",
}
_KEYCLOAK_SCOPES: Final = _READ_WRITE | {"openid"}
_KEYCLOAK_SUBJECT: Final = str(_KEYCLOAK_USER["sub"])

_KEYCLOAK_ACCESS: Final = (
    Sample(
        provider="keycloak",
        kind="access",
        name="user",
        header=_JWT,
        claims=_KEYCLOAK_USER,
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
    ),
    # Before 25.0.0, and since then with the mapper "Nonce backwards compatible".
    Sample(
        provider="keycloak",
        kind="access",
        name="user, with a nonce",
        header=_JWT,
        claims={
            **_KEYCLOAK_USER,
            "nonce": "n-4711",
            "session_state": _KEYCLOAK_USER["sid"],
        },
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
    ),
    # 'Use "at+jwt" as access token header type'; `client_id` is still missing.
    Sample(
        provider="keycloak",
        kind="access",
        name="user, at+jwt",
        header=_AT,
        claims=_KEYCLOAK_USER,
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
    ),
    # The same with a mapper of the type "Hardcoded claim".
    Sample(
        provider="keycloak",
        kind="access",
        name="user, at+jwt and client_id",
        header=_AT,
        claims={**_KEYCLOAK_USER, "client_id": "web-shop"},
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
        is_standard=True,
    ),
    # "Always use lightweight access token", with `sub` and `aud` kept by mappers.
    Sample(
        provider="keycloak",
        kind="access",
        name="user, lightweight",
        header=_JWT,
        claims={
            name: _KEYCLOAK_USER[name]
            for name in (
                *("iat", "exp", "jti", "iss", "aud", "sub"),
                *("typ", "azp", "sid", "scope"),
            )
        },
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
    ),
    # Whoever may register chooses the name.
    Sample(
        provider="keycloak",
        kind="access",
        name="user who calls itself a service account",
        header=_AT,
        claims={
            **_KEYCLOAK_USER,
            "client_id": "web-shop",
            "preferred_username": "service-account-web-shop",
        },
        client="web-shop",
        scopes=_KEYCLOAK_SCOPES,
        subject=_KEYCLOAK_SUBJECT,
        is_standard=True,
    ),
    Sample(
        provider="keycloak",
        kind="access",
        name="service account",
        header=_JWT,
        claims=_KEYCLOAK_ACCOUNT,
        client="Night-Batch",
        scopes=frozenset({"ledger:read"}),
        subject=str(_KEYCLOAK_ACCOUNT["sub"]),
        is_of_client=True,
    ),
)
_KEYCLOAK_SESSION: Final[Claims] = {
    name: _KEYCLOAK_USER[name]
    for name in ("iat", "exp", "jti", "iss", "sub", "azp", "sid", "acr")
}
_KEYCLOAK_OTHERS: Final = (
    Sample(
        provider="keycloak",
        kind="id",
        name="id",
        header=_JWT,
        claims={
            **_KEYCLOAK_SESSION,
            "aud": "web-shop",
            "typ": "ID",
            "auth_time": NOW - 60,
            "nonce": "n-4711",
            "at_hash": "Zm91cnRlZW5ieXRlcw",
            "preferred_username": "ada",
        },
    ),
    # By a refresh: no nonce; and no hash where there is no access token beside it.
    Sample(
        provider="keycloak",
        kind="id",
        name="id, bare",
        header=_JWT,
        claims={**_KEYCLOAK_SESSION, "aud": "web-shop", "typ": "ID"},
    ),
    # The keys of a realm are HMAC keys for these; a realm may be set otherwise.
    Sample(
        provider="keycloak",
        kind="refresh",
        name="refresh",
        header=_JWT,
        claims={
            **_KEYCLOAK_SESSION,
            "aud": _KEYCLOAK["iss"],
            "typ": "Refresh",
            "scope": "openid ledger:read",
        },
    ),
    Sample(
        provider="keycloak",
        kind="refresh",
        name="offline",
        header=_JWT,
        claims={
            **_KEYCLOAK_SESSION,
            "aud": _KEYCLOAK["iss"],
            "typ": "Offline",
            "scope": "openid offline_access ledger:read",
        },
    ),
    Sample(
        provider="keycloak",
        kind="logout",
        name="untyped",
        header=_JWT,
        claims={**_KEYCLOAK_SESSION, **_LOGGED_OUT, "aud": "web-shop", "typ": "Logout"},
    ),
    Sample(
        provider="keycloak",
        kind="logout",
        name="typed",
        header=_LOGOUT,
        claims={**_KEYCLOAK_SESSION, **_LOGGED_OUT, "aud": "web-shop", "typ": "Logout"},
    ),
)

# --- Microsoft Entra -----------------------------------------------------------

_TENANT: Final = "3f1f2a60-7a8e-4b0f-9c2d-51b0c9d6e4a1"
_ENTRA_API: Final = "b0d5c1f2-9c7e-4c55-8f3e-2a6d7e9f0c13"
_ENTRA_CLIENT: Final = "c9a7e8d6-12f4-4b7a-a1d3-6e5f4c3b2a10"
_ENTRA_USER: Final = "Yb1c8mJ0m3F6q2Tz5vWxS4nKp9LrQeUd7HaGfTiOcE0"
_ENTRA_ACCOUNT: Final = "5d2e9c0b-3f6a-4d18-b7c4-8a1e0f9d6b37"
_ENTRA: Final[Claims] = {
    **_DATES,
    "nbf": NOW - 20,
    "tid": _TENANT,
    "aio": "opaque",
    "rh": "0.opaque.",
    "uti": "q3Zt0b1wQkq3J9b5xY8AAA",
}
_ENTRA_V1: Final[Claims] = {
    **_ENTRA,
    "iss": f"https://sts.windows.net/{_TENANT}/",
    "idp": f"https://sts.windows.net/{_TENANT}/",
    "ver": "1.0",
}
_ENTRA_V2: Final[Claims] = {
    **_ENTRA,
    "iss": f"https://login.microsoftonline.com/{_TENANT}/v2.0",
    "ver": "2.0",
}
_ENTRA_V1_HEADER: Final[Claims] = {**_JWT, "x5t": "RSA"}
_ENTRA_SCOPES: Final = frozenset({"Ledger.Read", "Ledger.Write"})
_ENTRA_ROLES: Final = frozenset({"Ledger.Read.All"})

_ENTRA_ACCESS: Final = (
    Sample(
        provider="entra",
        kind="access",
        name="v1, user",
        header=_ENTRA_V1_HEADER,
        claims={
            **_ENTRA_V1,
            "aud": f"api://{_ENTRA_API}",
            "acr": "1",
            "amr": ["pwd", "mfa"],
            "appid": _ENTRA_CLIENT,
            "appidacr": "0",
            "ipaddr": "192.0.2.9",
            "name": "Ada",
            "oid": "0a9b8c7d-6e5f-4a3b-8c1d-0e9f8a7b6c5d",
            "scp": "Ledger.Read Ledger.Write",
            "sub": _ENTRA_USER,
            "unique_name": "ada@shop.example",
            "upn": "ada@shop.example",
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_SCOPES,
        subject=_ENTRA_USER,
    ),
    Sample(
        provider="entra",
        kind="access",
        name="v1, application",
        header=_ENTRA_V1_HEADER,
        claims={
            **_ENTRA_V1,
            "aud": f"api://{_ENTRA_API}",
            "appid": _ENTRA_CLIENT,
            "appidacr": "2",
            "oid": _ENTRA_ACCOUNT,
            "sub": _ENTRA_ACCOUNT,
            "roles": ["Ledger.Read.All"],
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_ROLES,
        subject=_ENTRA_ACCOUNT,
        is_of_client=True,
    ),
    Sample(
        provider="entra",
        kind="access",
        name="v2, user with a role",
        header=_JWT,
        claims={
            **_ENTRA_V2,
            "aud": _ENTRA_API,
            "azp": _ENTRA_CLIENT,
            "azpacr": "0",
            "name": "Ada",
            "oid": "0a9b8c7d-6e5f-4a3b-8c1d-0e9f8a7b6c5d",
            "preferred_username": "ada@shop.example",
            "roles": ["Approver"],
            "scp": "Ledger.Read Ledger.Write",
            "sub": _ENTRA_USER,
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_SCOPES,
        subject=_ENTRA_USER,
    ),
    Sample(
        provider="entra",
        kind="access",
        name="v2, user with idtyp",
        header=_JWT,
        claims={
            **_ENTRA_V2,
            "aud": _ENTRA_API,
            "azp": _ENTRA_CLIENT,
            "azpacr": "1",
            "idtyp": "user",
            "scp": "Ledger.Read Ledger.Write",
            "sub": _ENTRA_USER,
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_SCOPES,
        subject=_ENTRA_USER,
    ),
    Sample(
        provider="entra",
        kind="access",
        name="v2, application",
        header=_JWT,
        claims={
            **_ENTRA_V2,
            "aud": _ENTRA_API,
            "azp": _ENTRA_CLIENT,
            "azpacr": "1",
            "oid": _ENTRA_ACCOUNT,
            "sub": _ENTRA_ACCOUNT,
            "roles": ["Ledger.Read.All"],
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_ROLES,
        subject=_ENTRA_ACCOUNT,
        is_of_client=True,
    ),
    Sample(
        provider="entra",
        kind="access",
        name="v2, application with idtyp",
        header=_JWT,
        claims={
            **_ENTRA_V2,
            "aud": _ENTRA_API,
            "azp": _ENTRA_CLIENT,
            "azpacr": "2",
            "idtyp": "app",
            "oid": _ENTRA_ACCOUNT,
            "sub": _ENTRA_ACCOUNT,
            "roles": ["Ledger.Read.All"],
        },
        client=_ENTRA_CLIENT,
        scopes=_ENTRA_ROLES,
        subject=_ENTRA_ACCOUNT,
        is_of_client=True,
    ),
)
_ENTRA_ID: Final[Claims] = {
    **_ENTRA_V2,
    # One registration for the API and its client is common: the same audience.
    "aud": _ENTRA_API,
    "name": "Ada",
    "nonce": "n-4711",
    "oid": "0a9b8c7d-6e5f-4a3b-8c1d-0e9f8a7b6c5d",
    "preferred_username": "ada@shop.example",
    "roles": ["Approver"],
    "sub": _ENTRA_USER,
}
_ENTRA_OTHERS: Final = (
    Sample("entra", "id", "v2", _JWT, _ENTRA_ID),
    Sample(
        provider="entra",
        kind="id",
        name="v2, without a nonce",
        header=_JWT,
        claims={name: value for name, value in _ENTRA_ID.items() if name != "nonce"},
    ),
    Sample(
        provider="entra",
        kind="id",
        name="v1",
        header=_ENTRA_V1_HEADER,
        claims={
            **_ENTRA_V1,
            "aud": _ENTRA_CLIENT,
            "amr": ["pwd"],
            "ipaddr": "192.0.2.9",
            "nonce": "n-4711",
            "oid": "0a9b8c7d-6e5f-4a3b-8c1d-0e9f8a7b6c5d",
            "sub": _ENTRA_USER,
            "unique_name": "ada@shop.example",
            "upn": "ada@shop.example",
        },
    ),
)

# --- Amazon Cognito ------------------------------------------------------------

_COGNITO_CLIENT: Final = "2q8m5v7x9z1c3b4n6l0k8j7h5g"
_COGNITO_USER: Final = "0c94a8f2-5071-4e3b-9d66-2b7f1a8e4c53"
_COGNITO: Final[Claims] = {
    **_DATES,
    "auth_time": NOW - 20,
    "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Shop12345",
}
_COGNITO_ACCESS_USER: Final[Claims] = {
    **_COGNITO,
    "sub": _COGNITO_USER,
    "cognito:groups": ["clerks"],
    "version": 2,
    "client_id": _COGNITO_CLIENT,
    "origin_jti": "7be5f0d4-48a0-4d43-8f0e-6ef3c5b7f6a2",
    "event_id": "b14c9b7f-66ff-43c5-8a35-7d0c20ad4b9e",
    "token_use": "access",
    "scope": "openid ledger/read",
    "jti": "d8c6a1f7-9d2b-4c06-a5d3-97b5a4c2e1f0",
    "username": "ada",
}

_COGNITO_SAMPLES: Final = (
    Sample(
        provider="cognito",
        kind="access",
        name="user",
        header=_ALG,
        claims=_COGNITO_ACCESS_USER,
        client=_COGNITO_CLIENT,
        scopes=frozenset({"openid", "ledger/read"}),
        subject=_COGNITO_USER,
    ),
    Sample(
        provider="cognito",
        kind="access",
        name="user, bound to a resource",
        header=_ALG,
        claims={**_COGNITO_ACCESS_USER, "aud": _API},
        client=_COGNITO_CLIENT,
        scopes=frozenset({"openid", "ledger/read"}),
        subject=_COGNITO_USER,
    ),
    Sample(
        provider="cognito",
        kind="access",
        name="machine",
        header=_ALG,
        claims={
            **_COGNITO,
            "sub": _COGNITO_CLIENT,
            "token_use": "access",
            "scope": "ledger/read ledger/write",
            "version": 2,
            "jti": "0b9d2b6e-44cb-46c6-8b89-45b7a3f54c11",
            "client_id": _COGNITO_CLIENT,
        },
        client=_COGNITO_CLIENT,
        scopes=frozenset({"ledger/read", "ledger/write"}),
        subject=_COGNITO_CLIENT,
        is_of_client=True,
    ),
    Sample(
        provider="cognito",
        kind="id",
        name="id",
        header=_ALG,
        claims={
            **_COGNITO,
            "sub": _COGNITO_USER,
            "aud": _COGNITO_CLIENT,
            "cognito:groups": ["clerks"],
            "cognito:username": "ada",
            "email": "ada@shop.example",
            "email_verified": True,
            "event_id": "b14c9b7f-66ff-43c5-8a35-7d0c20ad4b9e",
            "jti": "30c1e7b5-2d7a-4e0f-86ad-1f4f5f20c8aa",
            "origin_jti": "7be5f0d4-48a0-4d43-8f0e-6ef3c5b7f6a2",
            "token_use": "id",
        },
    ),
)

# --- Auth0 ---------------------------------------------------------------------

_AUTH0_CLIENT: Final = "K3uQ9sV1xZ7bN5mT2wR8yP4cL6hJ0gFd"
_AUTH0: Final[Claims] = {**_DATES, "iss": "https://shop.eu.auth0.com/"}
_AUTH0_USER: Final[Claims] = {
    **_AUTH0,
    "sub": "auth0|65a1f0c2b3d4e5f6a7b8c9d0",
    "aud": [_API, "https://shop.eu.auth0.com/userinfo"],
    "scope": "openid profile ledger:read",
}
_AUTH0_MACHINE: Final[Claims] = {
    **_AUTH0,
    "sub": f"{_AUTH0_CLIENT}@clients",
    "aud": _API,
    "scope": "ledger:read ledger:write",
}
_AUTH0_ID: Final[Claims] = {
    **_AUTH0,
    "sub": "auth0|65a1f0c2b3d4e5f6a7b8c9d0",
    "aud": _AUTH0_CLIENT,
    "name": "Ada",
    "email": "ada@shop.example",
    "email_verified": True,
    "sid": "s-1",
}
_AUTH0_SCOPES: Final = frozenset({"openid", "profile", "ledger:read"})

_AUTH0_SAMPLES: Final = (
    Sample(
        provider="auth0",
        kind="access",
        name="user",
        header=_JWT,
        claims={**_AUTH0_USER, "azp": _AUTH0_CLIENT},
        client=_AUTH0_CLIENT,
        scopes=_AUTH0_SCOPES,
        subject="auth0|65a1f0c2b3d4e5f6a7b8c9d0",
    ),
    # The dialect access_token_authz.
    Sample(
        provider="auth0",
        kind="access",
        name="user with permissions",
        header=_JWT,
        claims={
            **_AUTH0_USER,
            "azp": _AUTH0_CLIENT,
            "gty": "password",
            "permissions": ["ledger:read", "ledger:approve"],
        },
        client=_AUTH0_CLIENT,
        scopes=_AUTH0_SCOPES,
        subject="auth0|65a1f0c2b3d4e5f6a7b8c9d0",
    ),
    Sample(
        provider="auth0",
        kind="access",
        name="machine",
        header=_JWT,
        claims={**_AUTH0_MACHINE, "azp": _AUTH0_CLIENT, "gty": "client-credentials"},
        client=_AUTH0_CLIENT,
        scopes=_READ_WRITE,
        subject=f"{_AUTH0_CLIENT}@clients",
        is_of_client=True,
    ),
    Sample(
        provider="auth0",
        kind="access",
        name="user, rfc9068_profile_authz",
        header=_AT,
        claims={
            **_AUTH0_USER,
            "client_id": _AUTH0_CLIENT,
            "jti": "Vt4mQy8nZc2kRs6wXb0pLd",
            "permissions": ["ledger:read"],
        },
        client=_AUTH0_CLIENT,
        scopes=_AUTH0_SCOPES,
        subject="auth0|65a1f0c2b3d4e5f6a7b8c9d0",
        is_standard=True,
    ),
    # Known as a machine by the preset alone: RFC 9068 wants `sub` to be `client_id`.
    Sample(
        provider="auth0",
        kind="access",
        name="machine, rfc9068_profile",
        header=_AT,
        claims={
            **_AUTH0_MACHINE,
            "client_id": _AUTH0_CLIENT,
            "jti": "Hs7dKf3gJp9aMn1qWe5rTy",
        },
        client=_AUTH0_CLIENT,
        scopes=_READ_WRITE,
        subject=f"{_AUTH0_CLIENT}@clients",
        is_of_client=True,
        is_standard=True,
    ),
    Sample("auth0", "id", "with a nonce", _JWT, {**_AUTH0_ID, "nonce": "n-4711"}),
    Sample("auth0", "id", "without a nonce", _JWT, _AUTH0_ID),
    Sample(
        provider="auth0",
        kind="logout",
        name="logout",
        header=_LOGOUT,
        claims={
            **_AUTH0,
            **_LOGGED_OUT,
            "aud": _AUTH0_CLIENT,
            "sub": "auth0|65a1f0c2b3d4e5f6a7b8c9d0",
            "sid": "s-1",
            "jti": "lo-1",
        },
    ),
    Sample(
        provider="auth0",
        kind="logout",
        name="logout, untyped",
        header=_JWT,
        claims={
            **_AUTH0,
            **_LOGGED_OUT,
            "aud": _AUTH0_CLIENT,
            "sub": "auth0|65a1f0c2b3d4e5f6a7b8c9d0",
            "sid": "s-1",
            "jti": "lo-1",
        },
    ),
)

# --- Okta, a custom authorization server ---------------------------------------

_OKTA_CLIENT: Final = "0oa8shop1CLIENTkq357"
_OKTA: Final[Claims] = {
    **_DATES,
    "ver": 1,
    "iss": "https://shop.okta.com/oauth2/aus4ledger9SERVER357",
}

_OKTA_SAMPLES: Final = (
    Sample(
        provider="okta",
        kind="access",
        name="user",
        header=_ALG,
        claims={
            **_OKTA,
            "jti": "AT.r3fKq0yUu6sWv9xZb1cN4mT7pL2hJ5gD8aSeRiOoPqw",
            "aud": "api://ledger",
            "cid": _OKTA_CLIENT,
            "uid": "00u4ada8USER2kq357",
            "scp": ["openid", "ledger:read"],
            "auth_time": NOW - 60,
            "sub": "ada@shop.example",
        },
        client=_OKTA_CLIENT,
        scopes=frozenset({"openid", "ledger:read"}),
        subject="ada@shop.example",
    ),
    Sample(
        provider="okta",
        kind="access",
        name="machine",
        header=_ALG,
        claims={
            **_OKTA,
            "jti": "AT.Zx5cVb7nM1qWe3rTy9uIo0pAs2dFg4hJk6lQwErTyUi",
            "aud": "api://ledger",
            "cid": _OKTA_CLIENT,
            "scp": ["ledger:read", "ledger:write"],
            "sub": _OKTA_CLIENT,
        },
        client=_OKTA_CLIENT,
        scopes=_READ_WRITE,
        subject=_OKTA_CLIENT,
        is_of_client=True,
    ),
    Sample(
        provider="okta",
        kind="id",
        name="implicit flow",
        header=_ALG,
        claims={
            **_OKTA,
            "sub": "00u4ada8USER2kq357",
            "name": "Ada",
            "aud": _OKTA_CLIENT,
            "jti": "ID.Qa1wSx2eDc3rFv4tGb5yHn6uJm7iKo8lP9zXcVbNmAs",
            "amr": ["pwd"],
            "idp": "00o1shop2IDP3kq357",
            "nonce": "n-4711",
            "preferred_username": "ada@shop.example",
            "auth_time": NOW - 60,
            "at_hash": "Zm91cnRlZW5ieXRlcw",
        },
    ),
    Sample(
        provider="okta",
        kind="id",
        name="bare",
        header=_ALG,
        claims={
            **_OKTA,
            "sub": "00u4ada8USER2kq357",
            "aud": _OKTA_CLIENT,
            "jti": "ID.Lk0jHg9fDs8aPo7iUy6tRe5wQm4nBv3cXz2qAsZxEdC",
            "amr": ["pwd"],
            "idp": "00o1shop2IDP3kq357",
            "auth_time": NOW - 60,
        },
    ),
)

SAMPLES: Final[tuple[Sample, ...]] = (
    *_STANDARD_SAMPLES,
    *_SIMPLEJWT_SAMPLES,
    *_KEYCLOAK_ACCESS,
    *_KEYCLOAK_OTHERS,
    *_ENTRA_ACCESS,
    *_ENTRA_OTHERS,
    *_COGNITO_SAMPLES,
    *_AUTH0_SAMPLES,
    *_OKTA_SAMPLES,
)
