"""From the text of a token to its issuer and claims, by way of a cache if wanted."""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_apikit.conf import apikit_settings
from drf_apikit.jose import KeySet, TokenError, parse_compact
from drf_apikit.oidc.issuers import Issuer, find_issuer

__all__ = ["CACHE", "VerifiedToken", "forget", "verify_token"]


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that is good: whose it is, and what it says."""

    issuer: Issuer
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    token: VerifiedToken
    keys: KeySet
    since: float
    until: float


def verify_token(text: str, now: float) -> VerifiedToken:
    """Verify the text of an access token.

    `now` is in seconds since the epoch. With `TOKEN_CACHE_SIZE` a token that this
    process has verified is good until its `exp`, the next look at the issuer's keys
    or the next change of the settings, whichever comes first.

    Raises:
        TokenError: the token is refused; `issuer` names the trusted issuer, if it
            has got that far.
        KeysUnavailableError: it cannot be judged.

    """
    size = apikit_settings.authentication.token_cache_size
    if not size:
        return _verify(text, now)[0]
    # A digest rather than the token, which must not be found in memory.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    entry = CACHE.get(digest)
    if entry is not None and _is_good(entry, now):
        return entry.token
    token, keys = _verify(text, now)
    until = token.claims["exp"] + token.issuer.settings.leeway
    CACHE.put(digest, _Entry(token, keys, now, until), size)
    return token


def _verify(text: str, now: float) -> tuple[VerifiedToken, KeySet]:
    parsed = parse_compact(text)
    issuer = find_issuer(parsed.payload.get("iss"))
    try:
        claims, keys = issuer.verify(parsed, now)
    except TokenError as error:
        error.issuer = issuer.name
        raise
    return VerifiedToken(issuer, claims), keys


def _is_good(entry: _Entry, now: float) -> bool:
    """Ask whether verifying anew would come to the same.

    A clock that was set back is not followed: `nbf` and `iat` may lie ahead of it.
    """
    issuer = entry.token.issuer
    if not entry.since <= now < entry.until:
        return False
    trusted = apikit_settings.authentication.issuers.get(issuer.name)
    return trusted is issuer.settings and issuer.source.keys() is entry.keys


class _Cache:
    """The tokens that were used last."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: a child of a fork may find the lock held by nobody."""
        self.lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def get(self, digest: bytes) -> _Entry | None:
        with self.lock:
            entry = self._entries.get(digest)
            if entry is not None:
                self._entries.move_to_end(digest)
            return entry

    def put(self, digest: bytes, entry: _Entry, size: int) -> None:
        with self.lock:
            self._entries[digest] = entry
            self._entries.move_to_end(digest)
            while len(self._entries) > size:
                self._entries.popitem(last=False)


CACHE: Final = _Cache()
forget = CACHE.reset
os.register_at_fork(after_in_child=forget)
