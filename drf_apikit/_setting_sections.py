"""The sections of `DRF_APIKIT` as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_clients import ClientSettings, ClientsSettings
from drf_apikit._setting_issuers import AuthenticationSettings, IssuerSettings
from drf_apikit._setting_kinds import setting
from drf_apikit._setting_login import LoginSettings
from drf_apikit._setting_tokens import (
    SigningKeySettings,
    TokenClientSettings,
    TokensSettings,
)

__all__ = [
    "SECTIONS",
    "AuthenticationSettings",
    "ClientSettings",
    "ClientsSettings",
    "ConditionalSettings",
    "IdempotencySettings",
    "IssuerSettings",
    "LoginSettings",
    "MetricsSettings",
    "PaginationSettings",
    "ProblemsSettings",
    "SigningKeySettings",
    "TokenClientSettings",
    "TokensSettings",
]

_DAY = 24 * 60 * 60
_MIB = 1024 * 1024
#: Headers of one caller, one connection or one moment, in lower case.
_NEVER_KEPT = (
    *("authentication-info", "connection", "content-length", "date", "keep-alive"),
    *("proxy-authenticate", "proxy-authorization", "set-cookie", "trailer"),
    *("authorization", "cookie", "transfer-encoding", "upgrade", "www-authenticate"),
)
_COUNTS = ("exact", "bounded", "estimated", "none")


def _is_type_base(value: str) -> bool:
    return value.startswith(("https://", "http://", "/")) and value.endswith("/")


def _paths(value: Any) -> frozenset[str]:
    remedy = "a list of path prefixes from the root, such as ['/api/']"
    paths: frozenset[str] = kinds.strings(remedy)(value)
    if not all(path.startswith("/") for path in paths):
        raise ValueError(remedy)
    return paths


@dataclass(frozen=True, slots=True, kw_only=True)
class PaginationSettings:
    """Section `PAGINATION`."""

    page_size: int | None = setting(
        kinds.optional(kinds.integer(1, 10_000)),
        "Rows of a page when the client asks for no size. None: the `PAGE_SIZE` of"
        " `REST_FRAMEWORK`, and `MAX_PAGE_SIZE` where that is None too.",
        default=None,
    )
    max_page_size: int = setting(
        kinds.integer(1, 10_000),
        "The most rows that a client can ask for.",
        default=100,
    )
    clamp_page_size: bool = setting(
        kinds.flag,
        "Whether a number that is no size of a page is read as the nearest one,"
        " instead of being refused with 400.",
        default=False,
    )
    max_offset: int = setting(
        kinds.integer(0, 1_000_000_000),
        "The most rows that the limit/offset and page number paginators skip: the"
        " database reads all of them.",
        default=10_000,
    )
    count: str = setting(
        kinds.choice(*_COUNTS),
        "How `count` is found: `exact`; `bounded`, which stops at `COUNT_BOUND`;"
        " `estimated` by PostgreSQL's planner, elsewhere `bounded`; or `none`.",
        default="exact",
    )
    count_choices: frozenset[str] = setting(
        kinds.strings(f"a list out of {', '.join(_COUNTS)}", _COUNTS),
        "What a client may choose by the parameter `count`. Not set: there is no such"
        " parameter.",
        default=frozenset(),
    )
    count_bound: int = setting(
        kinds.integer(1, 100_000_000),
        "Where a `bounded` count stops.",
        default=10_000,
    )
    count_timeout: int | None = setting(
        kinds.optional(kinds.integer(1, 600_000)),
        "Milliseconds that a count may take. An exact one is then tried `bounded`, for"
        " as long again; in the end it is what the page shows. None: no limit.",
        default=None,
    )
    invalid_as_404: bool = setting(
        kinds.flag,
        "Whether a cursor, page or offset that is not valid is answered with 404, as"
        " by DRF's own classes, instead of a 400 problem that names the parameter.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemsSettings:
    """Section `PROBLEMS`."""

    type_base: str = setting(
        kinds.text(
            "an absolute URI or a path from the root, ending in '/'", _is_type_base
        ),
        "What stands before the slug in `type` (RFC 9457 section 3.1.1).",
        default="/problems/",
    )
    max_errors: int = setting(
        kinds.integer(1, 10_000),
        "The most entries of `errors` in one document; `errors_total` has the rest.",
        default=100,
    )

    paths: frozenset[str] | None = setting(
        kinds.optional(_paths),
        "Where Django's own error views answer with problems; elsewhere they show"
        " Django's pages. None: everywhere, unless a browser asks for a page.",
        default=None,
    )
    database_errors_as_503: bool = setting(
        kinds.flag,
        "Whether an operational error of the database is answered with 503 and"
        " Retry-After rather than with 500. It is logged and signalled all the same.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalSettings:
    """Section `CONDITIONAL`."""

    require_preconditions: bool = setting(
        kinds.flag,
        "Whether PUT, PATCH and DELETE without If-Match are answered with 428.",
        default=False,
    )
    accept_weak_if_match: bool = setting(
        kinds.flag,
        "Whether If-Match takes our tags also where a layer that compresses has made"
        " them weak, which RFC 9110 section 13.1.1 does not.",
        default=False,
    )
    put_validators: str = setting(
        kinds.choice("never", "always"),
        "Whether the answer to a PUT has the new `ETag`: `never`, as RFC 9110 section"
        " 9.3.4 says of content that the server may have changed, or `always`.",
        default="never",
    )
    verify_sample_rate: float = setting(
        kinds.share,
        "The share of 304s, decided by anything cheaper than the bytes, for which these"
        " are rendered and compared all the same. 1 in tests, 0.01 in production.",
        default=0.0,
    )
    revision: str = setting(
        kinds.text("a text that each release changes", lambda _: True),
        "What all tags change with: the release, where its code shapes the bytes.",
        default="",
    )
    cache: str = setting(
        kinds.text("the alias of a cache in CACHES"),
        "The cache through which processes share generations.",
        default="default",
    )
    generations: frozenset[str] = setting(
        kinds.model_labels,
        "The models whose generations are kept, such as `auth.User`: what `Generation`"
        " may name. Not set: none.",
        default=frozenset(),
    )
    generation_life: int = setting(
        kinds.integer(1, 366 * _DAY),
        "Seconds after which a generation ends by itself, for changes that Django's"
        " connections did not make.",
        default=3600,
    )
    generation_mark_life: int = setting(
        kinds.integer(1, _DAY),
        "Seconds for which a transaction that has written keeps a generation from"
        " being used: more than any transaction takes.",
        default=300,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencySettings:
    """Section `IDEMPOTENCY`."""

    required: bool = setting(
        kinds.flag,
        "Whether a request without Idempotency-Key is answered with 400.",
        default=False,
    )
    ttl: int = setting(
        kinds.integer(60, 366 * _DAY),
        "Seconds for which an answer is kept and replayed.",
        default=_DAY,
    )
    max_body: int = setting(
        kinds.integer(0, 64 * _MIB),
        "Octets of the largest answer that is kept. A longer one is sent, but a retry"
        " is told that it was not kept.",
        default=_MIB,
    )
    anonymous: str = setting(
        kinds.choice("refuse", "pass"),
        "What happens to a key from an anonymous caller: `refuse` answers 400, `pass`"
        " runs the view without protection.",
        default="refuse",
    )
    tenant: str | None = setting(
        kinds.optional(kinds.dotted_path),
        "A function that gets the request and returns the tenant as a string, where one"
        " principal acts for several tenants.",
        default=None,
    )
    headers: frozenset[str] = setting(
        kinds.header_names(*_NEVER_KEPT),
        "Further headers that are kept with an answer and replayed. Not set: none but"
        " those of the reference.",
        default=frozenset(),
    )
    encryption_keys: tuple[bytes, ...] = setting(
        kinds.secret_keys,
        "Keys that encrypt the answers at rest: 32 octets each, in URL-safe base64. The"
        " first one encrypts, all of them decrypt. Not set: answers are not encrypted.",
        default=(),
        secret=True,
    )
    cache: str | None = setting(
        kinds.optional(kinds.text("the alias of a cache in CACHES")),
        "The cache out of which answers are replayed without asking the database. The"
        " database stays the arbiter of what has been done. None: no such cache.",
        default=None,
    )
    cache_life: int = setting(
        kinds.integer(1, 366 * _DAY),
        "Seconds for which an answer stays in that cache.",
        default=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Section `METRICS`."""

    counter: str | None = setting(
        kinds.optional(kinds.dotted_path),
        "A function that is called with the name of an event and its labels, both of"
        " few values, each time that a block has something to count.",
        default=None,
    )


SECTIONS: Mapping[str, type] = {
    "PAGINATION": PaginationSettings,
    "PROBLEMS": ProblemsSettings,
    "CONDITIONAL": ConditionalSettings,
    "IDEMPOTENCY": IdempotencySettings,
    "AUTHENTICATION": AuthenticationSettings,
    "LOGIN": LoginSettings,
    "CLIENTS": ClientsSettings,
    "TOKENS": TokensSettings,
    "METRICS": MetricsSettings,
}
