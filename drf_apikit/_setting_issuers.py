"""The section of the trusted issuers, `AUTHENTICATION`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting
from drf_apikit._setting_users import UserMapping, idle_mapping
from drf_apikit.jose import KeySet
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.profiles import PROFILES

__all__ = ["AuthenticationSettings", "IssuerSettings", "contradictions"]

_DAY = 24 * 60 * 60


def _is_quotable(value: str) -> bool:
    return value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings(UserMapping):
    """One entry of `ISSUERS` in the section `AUTHENTICATION`."""

    audience: frozenset[str] | None = setting(
        kinds.strings("the identifier of this API at the issuer, or a list of them"),
        "What `aud` of a token must contain (RFC 9068 section 4). Mandatory, but for a"
        " profile whose tokens have none: there `CLIENTS` will do.",
        default=None,
    )
    token_profile: str = setting(
        kinds.choice(*PROFILES),
        "What the issuer's access tokens look like: RFC 9068, or what a provider sends"
        " instead.",
        default="rfc9068",
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
    key_source: str | None = setting(
        kinds.optional(kinds.dotted_path),
        "A function that returns where the keys are, rather than a URL: an object with"
        " `keys()` and `refreshed(kid)`, as `drf_apikit.tokens.keyring.local_keys` does"
        " for tokens of this project.",
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
    subject_claim: str | None = setting(
        kinds.optional(kinds.text("the name of a claim")),
        "The claim that names the subject, if it is not that of the profile: one that"
        " the issuer never gives to somebody else, as `oid` of Entra is.",
        default=None,
    )
    scope_claim: str | None = setting(
        kinds.optional(kinds.text("the name of a claim, or a path such as 'a.b'")),
        "The claim that holds the scopes. None: that of the profile.",
        default=None,
    )
    users: str = setting(
        kinds.choice("lookup", "create", "local"),
        "Who a subject is: `lookup`, the user of an `ExternalIdentity` that is there;"
        " `create`, one that is made at first sight; `local`, the user of this project"
        " with that primary key, for tokens that it signs itself.",
        default="lookup",
    )
    insecure_ignore_confirmation: bool = setting(
        kinds.flag,
        "Whether a token that is bound to a key of its client (`cnf`, RFC 7800) is"
        " accepted without a proof of that key, from whoever has stolen it too.",
        default=False,
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
    jwks_stale_lifetime: int = setting(
        kinds.integer(60, 30 * _DAY),
        "Seconds for which keys are used while the issuer cannot be reached.",
        default=_DAY,
    )
    cache: str = setting(
        kinds.text("the alias of a cache in CACHES"),
        "The cache through which processes share fetched keys.",
        default="default",
    )
    transport: str = setting(
        kinds.dotted_path,
        "The function that all requests to issuers go through: `(method, url, *,"
        " headers, body, timeout, max_size, proxies)` to a `Reply`.",
        default="drf_apikit.oidc.transport.send",
    )
    proxies: Mapping[str, str] | None = setting(
        kinds.optional(kinds.proxies),
        "Proxies for requests to issuers, as `{'https': 'http://proxy.example:3128'}`."
        " None: those of the environment.",
        default=None,
        secret=True,
    )
    token_cache_size: int = setting(
        kinds.integer(0, 1_000_000),
        "The most verified tokens that a process remembers, so that it need not verify"
        " them again. 0: none.",
        default=0,
    )


def contradictions(
    issuer: str, settings: IssuerSettings
) -> Iterator[tuple[str, str, str]]:
    """Find settings that do not go together: the key, what is wrong, the remedy."""
    profile = PROFILES[settings.token_profile]
    if settings.audience is None and not (
        profile.without_audience and settings.clients
    ):
        wanted = "AUDIENCE or CLIENTS" if profile.without_audience else "AUDIENCE"
        yield (
            "AUDIENCE",
            "is missing",
            f"Set {wanted}, or a token for another API would do here.",
        )
    source = settings.jwks_uri or issuer
    if settings.jwks is None and settings.key_source is None:
        allowed = settings.insecure_loopback_http
        told = "the keys come from"
        yield from kinds.plain_http(source, told, "an issuer", allowed=allowed)
    if settings.clients is not None and not profile.clients:
        wrong = f"refuses everybody with TOKEN_PROFILE {profile.name!r}"
        yield "CLIENTS", wrong, "Its tokens name no client: remove it."
    if settings.key_source and (settings.jwks or settings.jwks_uri):
        remedy = "Say once where the keys are."
        yield "KEY_SOURCE", "is set, and so is JWKS or JWKS_URI", remedy
    yield from _idle(settings)


def _idle(settings: IssuerSettings) -> Iterator[tuple[str, str, str]]:
    """Find what would have no effect, though somebody relies on it."""
    yield from idle_mapping(settings)
    if settings.users == "local":
        remedy = "Users of this project keep the rights that they have here: remove it."
        if settings.match_verified_email:
            yield "MATCH_VERIFIED_EMAIL", "has no effect with USERS 'local'", remedy
        if settings.groups_claim is not None:
            yield "GROUPS_CLAIM", "has no effect with USERS 'local'", remedy
