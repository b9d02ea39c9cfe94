"""The texts of refresh tokens: random, of a session, and told from any other text.

A text is `akr1_` and, in base64url, the session's id, 32 random octets, and a tag over
both by what SECRET_KEY gives. It is no JWT, so that nobody takes it for an access
token, and no change of signing keys concerns it. What is good is decided by the digest
alone; the tag tells a token that was given out here from one that somebody made up:
who merely knows the id of a session cannot end it.
"""

import hashlib
import hmac
import secrets
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from drf_apikit.sealing import derived_key, fernet_by

__all__ = ["RefreshText", "digest_of", "new_text", "read_text", "seal", "unseal"]

_PREFIX: Final = "akr1_"
#: Octets.
_ID: Final = 16
_RANDOM: Final = 32
_TAG: Final = 16
#: Characters of 64 octets in base64url, without padding.
_LENGTH: Final = 86
_TAGS: Final = "drf_apikit.tokens tag of a refresh token"
_SUCCESSORS: Final = "drf_apikit.tokens successor of a refresh token"


@dataclass(frozen=True, slots=True)
class RefreshText:
    """What a text says of itself; `is_ours` tells whether it was made here."""

    session_id: uuid.UUID
    text: str = field(repr=False)
    digest: str = field(repr=False)
    is_ours: bool


@sensitive_variables()
def new_text(session_id: uuid.UUID) -> str:
    """Make a refresh token of a session."""
    body = session_id.bytes + secrets.token_bytes(_RANDOM)
    return _PREFIX + _encoded(body + _tag(settings.SECRET_KEY, body))


@sensitive_variables()
def read_text(text: str) -> RefreshText | None:
    """Read a text; None for what is no refresh token of this kind."""
    encoded = text.removeprefix(_PREFIX)
    if len(encoded) != _LENGTH or encoded == text or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(f"{encoded}==")
    except ValueError:
        return None
    # Nothing else may stand for the same octets.
    if _encoded(raw) != encoded:
        return None
    body, tag = raw[:-_TAG], raw[-_TAG:]
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    is_ours = any(hmac.compare_digest(tag, _tag(key, body)) for key in keys)
    session_id = uuid.UUID(bytes=body[:_ID])
    return RefreshText(session_id, text, digest_of(text), is_ours)


@sensitive_variables()
def digest_of(text: str) -> str:
    """Give what is kept of a text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


@sensitive_variables()
def seal(successor: str, predecessor: str) -> str:
    """Encrypt a text so that only who has the other one can read it."""
    sealed = fernet_by(predecessor, _SUCCESSORS).encrypt(successor.encode())
    return sealed.decode("ascii")


@sensitive_variables()
def unseal(sealed: str, predecessor: str) -> str | None:
    """Give the text; None for what was not sealed by the other one."""
    try:
        return fernet_by(predecessor, _SUCCESSORS).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


@sensitive_variables()
def _tag(secret: str | bytes, body: bytes) -> bytes:
    return hmac.digest(_tag_key(secret), body, "sha256")[:_TAG]


@lru_cache(maxsize=32)
@sensitive_variables()
def _tag_key(secret: str | bytes) -> bytes:
    return derived_key(secret, _TAGS)
