"""The section of the tokens that this project gives out itself, `TOKENS`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting

__all__ = [
    "SigningKeySettings",
    "TokenClientSettings",
    "TokensSettings",
    "signing_key_contradictions",
    "token_client_contradictions",
    "tokens_contradictions",
]

_DAY = 24 * 60 * 60
_SOURCES = ("private_key", "file", "env")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeySettings:
    """One entry of `KEYS` in the section `TOKENS`."""

    private_key: str | None = setting(
        kinds.optional(kinds.private_key),
        "The private key in PEM form.",
        default=None,
        secret=True,
    )
    file: str | None = setting(
        kinds.optional(kinds.text("the path of a file")),
        "A file that has it; it is read again when it has changed. Another key needs"
        " another key id.",
        default=None,
    )
    env: str | None = setting(
        kinds.optional(kinds.text("the name of an environment variable")),
        "An environment variable that has it.",
        default=None,
    )
    active_from: datetime | None = setting(
        kinds.optional(kinds.moment),
        "From when it signs, as `2026-12-01T00:00:00Z`; until then it is published"
        " only. None: from ever.",
        default=None,
    )
    dead_from: datetime | None = setting(
        kinds.optional(kinds.moment),
        "From when nothing that it has signed is accepted, in an emergency. None: when"
        " the last token that it has signed is over.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClientSettings:
    """One entry of `CLIENTS` in the section `TOKENS`."""

    scopes: frozenset[str] | None = setting(
        kinds.optional(kinds.strings("a list of scopes")),
        "The scopes that its tokens may have. None: `SCOPES` of the section.",
        default=None,
    )
    access_lifetime: int | None = setting(
        kinds.optional(kinds.integer(30, _DAY)),
        "As in the section, for this client. None: as there.",
        default=None,
    )
    refresh_lifetime: int | None = setting(
        kinds.optional(kinds.integer(60, 366 * _DAY)),
        "As in the section, for this client. None: as there.",
        default=None,
    )
    session_lifetime: int | None = setting(
        kinds.optional(kinds.integer(60, 3660 * _DAY)),
        "As in the section, for this client. None: as there.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensSettings:
    """Section `TOKENS`, for `drf_apikit.tokens` in `INSTALLED_APPS`."""

    issuer: str | None = setting(
        kinds.optional(kinds.issuer),
        "The `iss` of the tokens: the URL of this project (RFC 8414 section 2). None:"
        " no tokens are given out.",
        default=None,
    )
    audience: frozenset[str] | None = setting(
        kinds.optional(kinds.strings("the identifier of the API, or a list of them")),
        "The `aud` of the access tokens: the API that they are for (RFC 9068 section"
        " 3). Mandatory with `ISSUER`.",
        default=None,
    )
    algorithm: str = setting(
        kinds.choice("RS256", "ES256", "EdDSA"),
        "The algorithm of keys that are made here (RFC 7518 section 3.1, RFC 8037).",
        default="RS256",
    )
    keys: Mapping[str, SigningKeySettings] = setting(
        kinds.mapping("a dict from a `kid` of yours to a dict of that key's settings"),
        "Private keys that are kept elsewhere. Not set: they are made here, and kept"
        " in the database, encrypted.",
        default={},
    )
    encryption_keys: tuple[bytes, ...] = setting(
        kinds.secret_keys,
        "Keys that encrypt the private keys in the database: 32 octets each, in"
        " URL-safe base64. The first one encrypts, all of them decrypt. Not set: what"
        " SECRET_KEY gives.",
        default=(),
        secret=True,
    )
    rotation_period: int | None = setting(
        kinds.optional(kinds.integer(3600, 3660 * _DAY)),
        "Seconds for which a key of the database signs before the next one does. None:"
        " until `apikit_keys rotate`.",
        default=90 * _DAY,
    )
    publication_lead: int = setting(
        kinds.integer(0, 30 * _DAY),
        "Seconds for which a new key is published before it signs: more than anybody"
        " keeps the key set.",
        default=3600,
    )
    access_lifetime: int | None = setting(
        kinds.optional(kinds.integer(30, _DAY)),
        "Seconds for which an access token is good. None: `ACCESS_TOKEN_LIFETIME` of"
        " `SIMPLE_JWT`, or else 300.",
        default=None,
    )
    refresh_lifetime: int | None = setting(
        kinds.optional(kinds.integer(60, 366 * _DAY)),
        "Seconds for which a refresh token is good. None: `REFRESH_TOKEN_LIFETIME` of"
        " `SIMPLE_JWT`, or else 14 days.",
        default=None,
    )
    session_lifetime: int = setting(
        kinds.integer(60, 3660 * _DAY),
        "Seconds after which a session ends however often it was refreshed.",
        default=90 * _DAY,
    )
    reuse_grace: int = setting(
        kinds.integer(0, 300),
        "Seconds for which a refresh token that has just been used is refused without"
        " harm. After that its session ends, since somebody has a copy (RFC 9700"
        " section 4.14.2).",
        default=10,
    )
    repeat_successor: bool = setting(
        kinds.flag,
        "Whether whoever comes within `REUSE_GRACE` gets the same successor instead of"
        " being refused, for clients that lose answers.",
        default=False,
    )
    max_size: int = setting(
        kinds.integer(512, 15_000),
        "The most octets of an access token: proxies and servers limit headers.",
        default=2048,
    )
    scopes: frozenset[str] = setting(
        kinds.strings("a list of scopes"),
        "The scopes that tokens may have. Not set: none.",
        default=frozenset(),
    )
    clients: Mapping[str, TokenClientSettings] = setting(
        kinds.mapping("a dict from a client identifier to a dict of its settings"),
        "The applications that people log in with, by their `client_id`. Not set: one,"
        " `first-party`.",
        default={},
    )
    claims: str | None = setting(
        kinds.optional(kinds.dotted_path),
        "A function that gets the user and the `TokenSession`, and returns further"
        " claims, as a dict, each time an access token is made.",
        default=None,
    )
    legacy_refresh_tokens: str = setting(
        kinds.choice("refuse", "exchange"),
        "What happens to refresh tokens that simplejwt gave out: `refuse` has people"
        " log in again, `exchange` takes each of them once.",
        default="refuse",
    )


def tokens_contradictions(settings: TokensSettings) -> Iterator[tuple[str, str, str]]:
    """Find settings that do not go together: the key, what is wrong, the remedy."""
    if settings.issuer is not None and settings.audience is None:
        remedy = "Name the API that the tokens are for, as its ISSUERS entry does."
        yield "AUDIENCE", "is missing", remedy
    longest = settings.session_lifetime
    if settings.refresh_lifetime is not None and settings.refresh_lifetime > longest:
        wrong = f"is more than SESSION_LIFETIME, {longest}"
        yield "REFRESH_LIFETIME", wrong, "A session would end before: make it less."
    if settings.keys and all(key.active_from for key in settings.keys.values()):
        remedy = "Leave ACTIVE_FROM of the oldest key out: it signs until then."
        yield "KEYS", "may have no key that signs", remedy


def signing_key_contradictions(
    kid: str, settings: SigningKeySettings
) -> Iterator[tuple[str, str, str]]:
    """Find what keeps a key from being read."""
    given = [name for name in _SOURCES if getattr(settings, name) is not None]
    remedy = "Give one of PRIVATE_KEY, FILE and ENV."
    if not given:
        yield "PRIVATE_KEY", "is missing", remedy
    elif len(given) > 1:
        names = " and ".join(name.upper() for name in given)
        yield given[0].upper(), f"is one of {names} for {kid!r}", remedy


def token_client_contradictions(
    name: str, settings: TokenClientSettings
) -> Iterator[tuple[str, str, str]]:
    """Find lives of which one has no effect."""
    short, long = settings.refresh_lifetime, settings.session_lifetime
    if short is not None and long is not None and short > long:
        wrong = f"is more than SESSION_LIFETIME of {name!r}, {long}"
        yield "REFRESH_LIFETIME", wrong, "A session would end before: make it less."
