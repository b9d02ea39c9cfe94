"""A key set with its age: what is kept, shared, and how long it is good for."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import KeySet, KeySetError, parse_key_set
from drf_apikit.oidc.discovery import discover, keys_url
from drf_apikit.oidc.fetch import Document, FetchError, fetch

__all__ = ["FORMAT", "SKEW", "Entry", "fetch_entry", "load_entry"]

#: Releases with another one do not see each other's keys.
FORMAT: Final = 2
#: Seconds by which the clocks of machines may differ; what comes from a later
#: future would count as fresh for too long.
SKEW: Final = 60
#: Seconds of freshness that `Cache-Control` cannot shorten any further.
_LEAST: Final = 60
_DAY: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Entry:
    """The keys of an issuer as they were at `fetched_at`.

    Times are seconds since the epoch. `discovered_at` is when `jwks_uri` was.
    """

    keys: KeySet
    document: Mapping[str, Any]
    fetched_at: float
    jwks_uri: str
    discovered_at: float
    max_age: int | None = None

    @property
    def fresh_until(self) -> float:
        """When it is time to fetch them anew."""
        lifetime = apikit_settings.authentication.jwks_lifetime
        if self.max_age is not None:
            lifetime = min(lifetime, max(_LEAST, self.max_age))
        return self.fetched_at + lifetime

    @property
    def usable_until(self) -> float:
        """When they are not used any more, although there are no others."""
        stale = apikit_settings.authentication.jwks_stale_lifetime
        return max(self.fresh_until, self.fetched_at + stale)

    def is_fresh(self, now: float) -> bool:
        """Tell whether nobody need fetch."""
        return self.fetched_at - SKEW <= now < self.fresh_until

    def is_usable(self, now: float) -> bool:
        """Tell whether tokens can be verified; not after a clock was set back."""
        return self.fetched_at - SKEW <= now < self.usable_until

    def has(self, kid: str | None) -> bool:
        """Tell whether there is a key for this `kid`; where there is none, never.

        A token without one may be of any key, also of one that is not there yet.
        """
        return kid is not None and any(key.kid == kid for key in self.keys.keys)

    def like(self, other: "Entry | None") -> "Entry":
        """Take the very key set of another one where they are the same."""
        if other is not None and other.document == self.document:
            return replace(self, keys=other.keys)
        return self

    def dump(self) -> str:
        """Write it for other processes."""
        members = {
            "fetched_at": self.fetched_at,
            "max_age": self.max_age,
            "jwks_uri": self.jwks_uri,
            "discovered_at": self.discovered_at,
            "document": self.document,
        }
        return json.dumps(members, allow_nan=False)


def load_entry(text: str, now: float) -> Entry:
    """Read what another process has written.

    Raises:
        ValueError: it is not that, or it comes from the future.

    """
    try:
        members = json.loads(text)
        entry = Entry(
            parse_key_set(members["document"]),
            members["document"],
            _number(members["fetched_at"]),
            str(members["jwks_uri"]),
            _number(members["discovered_at"]),
            None if members["max_age"] is None else int(_number(members["max_age"])),
        )
    except (LookupError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError(type(error).__name__) from None
    if entry.fetched_at > now + SKEW:
        raise ValueError("from the future")
    return entry


def fetch_entry(
    issuer: str,
    settings: IssuerSettings,
    former: Entry | None,
    now: float,
    proxies: Mapping[str, str] | None = None,
) -> Entry:
    """Fetch the keys of an issuer, by these proxies or those of the settings.

    Where they are is remembered for a day, and found anew when it is of no use.

    Raises:
        FetchError: they cannot be had.

    """

    def document(url: str) -> Document:
        return fetch(
            url,
            timeout=apikit_settings.authentication.fetch_timeout,
            allow_loopback_http=settings.insecure_loopback_http,
            proxies=proxies or apikit_settings.authentication.proxies,
        )

    def keys_at(uri: str, discovered_at: float) -> Entry:
        found = document(uri)
        try:
            keys = parse_key_set(found.content)
        except KeySetError as error:
            raise FetchError(f"{uri}: {error}") from None
        return Entry(keys, found.content, now, uri, discovered_at, found.max_age)

    if settings.jwks_uri is not None:
        return keys_at(settings.jwks_uri, now)
    failed: FetchError | None = None
    if former is not None and 0 <= now - former.discovered_at < _DAY:
        try:
            return keys_at(former.jwks_uri, former.discovered_at)
        except FetchError as error:
            failed = error
    uri = keys_url(issuer, discover(issuer, lambda url: document(url).content))
    if failed is not None and former is not None and uri == former.jwks_uri:
        raise failed
    return keys_at(uri, now)


def _number(value: Any) -> float:
    """Read a number; a bool is one only to Python."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number
