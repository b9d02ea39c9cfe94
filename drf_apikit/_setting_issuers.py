"""The section of the trusted issuers, `AUTHENTICATION`."""

from collections.abc import Mapping
from dataclasses import dataclass

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting
from drf_apikit.jose import KeySet
from drf_apikit.jose.algorithms import ALGORITHMS

__all__ = ["AuthenticationSettings", "IssuerSettings"]

_DAY = 24 * 60 * 60


def _is_quotable(value: str) -> bool:
    return value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One entry of `ISSUERS` in the section `AUTHENTICATION`."""

    audience: frozenset[str] = setting(
        kinds.strings("the identifier of this API at the issuer, or a list of them"),
        "What `aud` of a token must contain. Mandatory (RFC 9068 section 4).",
    )
    algorithms: frozenset[str] = setting(
        kinds.strings(f"algorithms out of {', '.join(sorted(ALGORITHMS))}", ALGORITHMS),
        "Signature algorithms that are accepted (RFC 8725 section 3.1).",
        default=ALGORITHMS,
    )
    clients: frozenset[str] | None = setting(
        kinds.optional(kinds.strings("a list of client identifiers")),
        "The only clients whose tokens are accepted. None: all of the issuer's.",
        default=None,
    )
    jwks: KeySet | None = setting(
        kinds.optional(kinds.key_set),
        "The issuer's keys, given here rather than fetched (RFC 7517 section 5).",
        default=None,
    )
    jwks_uri: str | None = setting(
        kinds.optional(kinds.url("an absolute URL")),
        "Where the keys are. None: what the issuer's discovery document says.",
        default=None,
    )
    leeway: int = setting(
        kinds.integer(0, 300), "Seconds by which clocks may differ.", default=30
    )
    max_lifetime: int | None = setting(
        kinds.optional(kinds.integer(1, 366 * _DAY)),
        "Seconds between `iat` and `exp` at the most. None: no limit.",
        default=None,
    )
    insecure_loopback_http: bool = setting(
        kinds.flag,
        "Whether keys may be fetched over plain HTTP from this very machine. For"
        " development alone.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSettings:
    """Section `AUTHENTICATION`."""

    issuers: Mapping[str, IssuerSettings] = setting(
        kinds.mapping("a dict from issuer URL to a dict of that issuer's settings"),
        "The trusted issuers by their exact `iss` (RFC 8414 section 2).",
        default={},
    )
    realm: str = setting(
        kinds.text("visible ASCII without quotes", _is_quotable),
        "The `realm` of challenges (RFC 6750 section 3).",
        default="api",
    )
    principal_resolver: str = setting(
        kinds.dotted_path,
        "A function that gets a verified `AccessToken` and returns the user, or None.",
        default="drf_apikit.authentication.principals.resolve_principal",
    )
    fetch_timeout: int = setting(
        kinds.integer(1, 30), "Seconds that a fetch from an issuer may take.", default=4
    )
    jwks_lifetime: int = setting(
        kinds.integer(60, _DAY),
        "Seconds for which fetched keys count as fresh.",
        default=600,
    )
    cache: str = setting(
        kinds.text("the alias of a cache in CACHES"),
        "The cache through which processes share fetched keys.",
        default="default",
    )
