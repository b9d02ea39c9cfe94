"""Private keys at rest: encrypted, and bound to the record that they belong to."""

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.views.decorators.debug import sensitive_variables

from drf_apikit.sealing import needs_no_fallback, seal_text, unseal_text

__all__ = ["is_current", "seal", "unseal"]

#: What a sealed key begins with: by ENCRYPTION_KEYS, and by what SECRET_KEY gives.
_KEYED: Final = "aes256gcm:"
_DERIVED: Final = "derived:"
#: Octets, NIST SP 800-38D section 8.2.
_NONCE: Final = 12


@sensitive_variables()
def seal(pem: str, record: str, keys: tuple[bytes, ...]) -> str:
    """Encrypt a private key; only its own `record` reads it.

    The first of `keys` does so (AES-256-GCM); without any, a key that comes out of
    SECRET_KEY.
    """
    if not keys:
        return _DERIVED + seal_text(pem, _purpose(record))
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(keys[0]).encrypt(nonce, pem.encode(), _bound_to(record))
    return _KEYED + base64.b64encode(sealed).decode("ascii")


@sensitive_variables()
def unseal(sealed: str, record: str, keys: tuple[bytes, ...]) -> str | None:
    """Decrypt it; None where no key does, or where it is that of another record."""
    if sealed.startswith(_DERIVED):
        return unseal_text(sealed.removeprefix(_DERIVED), _purpose(record))
    for key in keys:
        pem = _decrypted(sealed, record, key)
        if pem is not None:
            return pem
    return None


@sensitive_variables()
def is_current(sealed: str, record: str, keys: tuple[bytes, ...]) -> bool:
    """Tell what the first of `keys` reads, so that none of the others is needed.

    Where there are none, SECRET_KEY reads it, and no fallback of it is needed.
    """
    if not keys:
        derived = sealed.removeprefix(_DERIVED)
        return derived != sealed and needs_no_fallback(derived, _purpose(record))
    return _decrypted(sealed, record, keys[0]) is not None


@sensitive_variables()
def _decrypted(sealed: str, record: str, key: bytes) -> str | None:
    if not sealed.startswith(_KEYED):
        return None
    try:
        raw = base64.b64decode(sealed.removeprefix(_KEYED), validate=True)
        nonce, rest = raw[:_NONCE], raw[_NONCE:]
        return AESGCM(key).decrypt(nonce, rest, _bound_to(record)).decode()
    except (InvalidTag, ValueError):
        return None


def _purpose(record: str) -> str:
    return f"signing key {record}"


def _bound_to(record: str) -> bytes:
    return f"drf_apikit.tokens signing key {record}".encode()
