"""The section of the browser login, `LOGIN`."""

from collections.abc import Iterator
from dataclasses import dataclass

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting
from drf_apikit._setting_users import UserMapping, idle_mapping

__all__ = ["LoginSettings", "login_contradictions"]

_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings(UserMapping):
    """Section `LOGIN`; what is not here is as mozilla-django-oidc has it."""

    issuer: str | None = setting(
        kinds.optional(kinds.issuer),
        "The provider that people log in at, by its exact `iss`; all else about it is"
        " discovered. None: nobody logs in here.",
        default=None,
    )
    client_auth_method: str | None = setting(
        kinds.optional(
            kinds.choice(
                "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
            )
        ),
        "How this client proves itself at the token endpoint (OpenID Connect Core"
        " section 9). None: as `OIDC_TOKEN_USE_BASIC_AUTH` says where it is set, else"
        " with the secret as the provider can take it; `none` without a secret.",
        default=None,
    )
    private_key: str | None = setting(
        kinds.optional(kinds.private_key),
        "The private key for `private_key_jwt`, in PEM form.",
        default=None,
        secret=True,
    )
    private_key_id: str | None = setting(
        kinds.optional(kinds.text("the `kid` that the provider knows the key by")),
        "Its `kid`. None: its thumbprint (RFC 7638).",
        default=None,
    )
    assertion_audience: str | None = setting(
        kinds.optional(kinds.text("what the provider wants as `aud` of an assertion")),
        "The `aud` of the assertions of `private_key_jwt`. None: the issuer.",
        default=None,
    )
    users: str | None = setting(
        kinds.optional(kinds.choice("lookup", "create")),
        "Who a subject is: `lookup`, the user of an `ExternalIdentity` that is there;"
        " `create`, one that is made at the first login. None: as `OIDC_CREATE_USER`"
        " says, which is to create one.",
        default=None,
    )
    leeway: int = setting(
        kinds.integer(0, 300), "Seconds by which clocks may differ.", default=30
    )
    max_age: int | None = setting(
        kinds.optional(kinds.integer(0, 366 * _DAY)),
        "Seconds since a person has shown who they are to the provider, at the most"
        " (`max_age`, OpenID Connect Core section 3.1.2.1). None: no limit.",
        default=None,
    )
    session_grace: int = setting(
        kinds.integer(0, _DAY),
        "Seconds for which a session that is due goes on while the provider cannot be"
        " reached.",
        default=300,
    )
    logout_at_provider: bool = setting(
        kinds.flag,
        "Whether who logs out here is logged out at the provider too (RP-Initiated"
        " Logout 1.0), if it offers that.",
        default=True,
    )
    insecure_loopback_http: bool = setting(
        kinds.flag,
        "Whether the provider may be reached over plain HTTP on this very machine. For"
        " development alone.",
        default=False,
    )


def login_contradictions(settings: LoginSettings) -> Iterator[tuple[str, str, str]]:
    """Find settings that do not go together: the key, what is wrong, the remedy."""
    if settings.issuer is not None:
        allowed = settings.insecure_loopback_http
        told = "the issuer is"
        yield from kinds.plain_http(
            settings.issuer, told, "a provider", allowed=allowed
        )
    if settings.client_auth_method == "private_key_jwt" and not settings.private_key:
        remedy = "Give the private key whose public half the provider has."
        yield "PRIVATE_KEY", "is missing", remedy
    yield from idle_mapping(settings)
