"""Answers at rest: compressed where that helps, encrypted where keys are set."""

import os
import zlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drf_apikit.conf import apikit_settings

__all__ = ["SealError", "is_encrypted", "seal", "unseal"]

#: What `codec` says, as bits.
_COMPRESSED: Final = 1
_ENCRYPTED: Final = 2
#: Octets below which compression gains nothing.
_SHORT: Final = 256
#: Octets, NIST SP 800-38D section 8.2.
_NONCE: Final = 12


class SealError(Exception):
    """A stored answer cannot be read: its key is gone, or it was changed."""


def seal(plain: bytes, record: str) -> tuple[int, bytes]:
    """Give the codec and the octets to be stored.

    What is encrypted is bound to what `record` says of its record, so that it can
    be read with nothing else.
    """
    codec, sealed = 0, plain
    if len(plain) >= _SHORT:
        # The fastest level: a client waits for it.
        compressed = zlib.compress(plain, level=1)
        if len(compressed) < len(plain):
            codec, sealed = _COMPRESSED, compressed
    keys = apikit_settings.idempotency.encryption_keys
    if keys:
        nonce = os.urandom(_NONCE)
        codec |= _ENCRYPTED
        sealed = nonce + AESGCM(keys[0]).encrypt(
            nonce, sealed, _bound_to(codec, record)
        )
    return codec, sealed


def unseal(codec: int, sealed: bytes, record: str) -> bytes:
    """Give what `seal` was given.

    Raises:
        SealError: no key of the settings reads it, or it is no answer of ours.

    """
    if codec & _ENCRYPTED:
        sealed = _decrypt(codec, sealed, record)
    try:
        return zlib.decompress(sealed) if codec & _COMPRESSED else sealed
    except zlib.error as error:
        raise SealError("The stored answer is damaged.") from error


def is_encrypted(codec: int) -> bool:
    """Tell an answer that only a key can have made."""
    return bool(codec & _ENCRYPTED)


def _decrypt(codec: int, sealed: bytes, record: str) -> bytes:
    nonce, rest = sealed[:_NONCE], sealed[_NONCE:]
    for key in apikit_settings.idempotency.encryption_keys:
        try:
            return AESGCM(key).decrypt(nonce, rest, _bound_to(codec, record))
        except (InvalidTag, ValueError):
            continue
    raise SealError("No key in ENCRYPTION_KEYS reads the stored answer.")


def _bound_to(codec: int, record: str) -> bytes:
    return f"{codec}:{record}".encode()
