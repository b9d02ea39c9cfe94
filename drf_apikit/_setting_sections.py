"""The sections of `DRF_APIKIT` as frozen dataclasses.

A field's metadata has its kind and its line in the reference.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from drf_apikit import _setting_kinds as kinds
from drf_apikit.jose import KeySet
from drf_apikit.jose.algorithms import ALGORITHMS

__all__ = [
    "SECTIONS",
    "AuthenticationSettings",
    "ConditionalSettings",
    "IdempotencySettings",
    "IssuerSettings",
    "PaginationSettings",
    "ProblemsSettings",
]

_DAY = 24 * 60 * 60
_MIB = 1024 * 1024
_COUNTS = ("exact", "bounded", "estimated", "none")


def _setting(kind: kinds.Kind, doc: str, *, default: Any = MISSING) -> Any:
    """Declare a field; an empty dict comes out of a factory, a new one each time."""
    metadata = {"kind": kind, "doc": doc}
    if default == {}:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def _is_type_base(value: str) -> bool:
    return value.startswith(("https://", "http://", "/")) and value.endswith("/")


def _paths(value: Any) -> frozenset[str]:
    remedy = "a list of path prefixes from the root, such as ['/api/']"
    paths: frozenset[str] = kinds.strings(remedy)(value)
    if not all(path.startswith("/") for path in paths):
        raise ValueError(remedy)
    return paths


def _is_quotable(value: str) -> bool:
    return value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaginationSettings:
    """Section `PAGINATION`."""

    page_size: int | None = _setting(
        kinds.optional(kinds.integer(1, 10_000)),
        "Rows of a page when the client asks for no size. None: the `PAGE_SIZE` of"
        " `REST_FRAMEWORK`, and `MAX_PAGE_SIZE` where that is None too.",
        default=None,
    )
    max_page_size: int = _setting(
        kinds.integer(1, 10_000),
        "The most rows that a client can ask for.",
        default=100,
    )
    clamp_page_size: bool = _setting(
        kinds.flag,
        "Whether a number that is no size of a page is read as the nearest one,"
        " instead of being refused with 400.",
        default=False,
    )
    max_offset: int = _setting(
        kinds.integer(0, 1_000_000_000),
        "The most rows that the limit/offset and page number paginators skip: the"
        " database reads all of them.",
        default=10_000,
    )
    count: str = _setting(
        kinds.choice(*_COUNTS),
        "How `count` is found: `exact`; `bounded`, which stops at `COUNT_BOUND`;"
        " `estimated` by PostgreSQL's planner, elsewhere `bounded`; or `none`.",
        default="exact",
    )
    count_choices: frozenset[str] = _setting(
        kinds.strings(f"a list out of {', '.join(_COUNTS)}", _COUNTS),
        "What a client may choose by the parameter `count`. Not set: there is no such"
        " parameter.",
        default=frozenset(),
    )
    count_bound: int = _setting(
        kinds.integer(1, 100_000_000),
        "Where a `bounded` count stops.",
        default=10_000,
    )
    count_timeout: int | None = _setting(
        kinds.optional(kinds.integer(1, 600_000)),
        "Milliseconds that a count may take. An exact one is then tried `bounded`, for"
        " as long again; in the end it is what the page shows. None: no limit.",
        default=None,
    )
    invalid_as_404: bool = _setting(
        kinds.flag,
        "Whether a cursor, page or offset that is not valid is answered with 404, as"
        " by DRF's own classes, instead of a 400 problem that names the parameter.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemsSettings:
    """Section `PROBLEMS`."""

    type_base: str = _setting(
        kinds.text(
            "an absolute URI or a path from the root, ending in '/'", _is_type_base
        ),
        "What stands before the slug in `type` (RFC 9457 section 3.1.1).",
        default="/problems/",
    )
    max_errors: int = _setting(
        kinds.integer(1, 10_000),
        "The most entries of `errors` in one document; `errors_total` has the rest.",
        default=100,
    )

    paths: frozenset[str] | None = _setting(
        kinds.optional(_paths),
        "Where Django's own error views answer with problems; elsewhere they show"
        " Django's pages. None: everywhere, unless a browser asks for a page.",
        default=None,
    )
    database_errors_as_503: bool = _setting(
        kinds.flag,
        "Whether an operational error of the database is answered with 503 and"
        " Retry-After rather than with 500. It is logged and signalled all the same.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalSettings:
    """Section `CONDITIONAL`."""

    require_preconditions: bool = _setting(
        kinds.flag,
        "Whether PUT, PATCH and DELETE without If-Match are answered with 428.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencySettings:
    """Section `IDEMPOTENCY`."""

    required: bool = _setting(
        kinds.flag,
        "Whether a request without Idempotency-Key is answered with 400.",
        default=False,
    )
    ttl: int = _setting(
        kinds.integer(60, 366 * _DAY),
        "Seconds for which an answer is kept and replayed.",
        default=_DAY,
    )
    max_body: int = _setting(
        kinds.integer(0, 64 * _MIB),
        "Octets of the largest answer that is kept. A longer one is sent, but a retry"
        " is told that it was not kept.",
        default=_MIB,
    )
    anonymous: str = _setting(
        kinds.choice("refuse", "pass"),
        "What happens to a key from an anonymous caller: `refuse` answers 400, `pass`"
        " runs the view without protection.",
        default="refuse",
    )
    tenant: str | None = _setting(
        kinds.optional(kinds.dotted_path),
        "A function that gets the request and returns the tenant as a string, where one"
        " principal acts for several tenants.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One entry of `ISSUERS` in the section `AUTHENTICATION`."""

    audience: frozenset[str] = _setting(
        kinds.strings("the identifier of this API at the issuer, or a list of them"),
        "What `aud` of a token must contain. Mandatory (RFC 9068 section 4).",
    )
    algorithms: frozenset[str] = _setting(
        kinds.strings(f"algorithms out of {', '.join(sorted(ALGORITHMS))}", ALGORITHMS),
        "Signature algorithms that are accepted (RFC 8725 section 3.1).",
        default=ALGORITHMS,
    )
    clients: frozenset[str] | None = _setting(
        kinds.optional(kinds.strings("a list of client identifiers")),
        "The only clients whose tokens are accepted. None: all of the issuer's.",
        default=None,
    )
    jwks: KeySet | None = _setting(
        kinds.optional(kinds.key_set),
        "The issuer's keys, given here rather than fetched (RFC 7517 section 5).",
        default=None,
    )
    jwks_uri: str | None = _setting(
        kinds.optional(kinds.url("an absolute URL")),
        "Where the keys are. None: what the issuer's discovery document says.",
        default=None,
    )
    leeway: int = _setting(
        kinds.integer(0, 300), "Seconds by which clocks may differ.", default=30
    )
    max_lifetime: int | None = _setting(
        kinds.optional(kinds.integer(1, 366 * _DAY)),
        "Seconds between `iat` and `exp` at the most. None: no limit.",
        default=None,
    )
    insecure_loopback_http: bool = _setting(
        kinds.flag,
        "Whether keys may be fetched over plain HTTP from this very machine. For"
        " development alone.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSettings:
    """Section `AUTHENTICATION`."""

    issuers: Mapping[str, IssuerSettings] = _setting(
        kinds.mapping("a dict from issuer URL to a dict of that issuer's settings"),
        "The trusted issuers by their exact `iss` (RFC 8414 section 2).",
        default={},
    )
    realm: str = _setting(
        kinds.text("visible ASCII without quotes", _is_quotable),
        "The `realm` of challenges (RFC 6750 section 3).",
        default="api",
    )
    principal_resolver: str = _setting(
        kinds.dotted_path,
        "A function that gets a verified `AccessToken` and returns the user, or None.",
        default="drf_apikit.authentication.principals.resolve_principal",
    )
    fetch_timeout: int = _setting(
        kinds.integer(1, 30), "Seconds that a fetch from an issuer may take.", default=4
    )
    jwks_lifetime: int = _setting(
        kinds.integer(60, _DAY),
        "Seconds for which fetched keys count as fresh.",
        default=600,
    )
    cache: str = _setting(
        kinds.text("the alias of a cache in CACHES"),
        "The cache through which processes share fetched keys.",
        default="default",
    )


SECTIONS: Mapping[str, type] = {
    "PAGINATION": PaginationSettings,
    "PROBLEMS": ProblemsSettings,
    "CONDITIONAL": ConditionalSettings,
    "IDEMPOTENCY": IdempotencySettings,
    "AUTHENTICATION": AuthenticationSettings,
}
