"""The provider's signing key: one file, made on first use."""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured

__all__ = ["derived_secret", "private_key", "signing_key_pem"]

KEY_BITS = 2048


def signing_key_pem(path: Path) -> str:
    """Return the PEM text of the RSA key in `path`, making the file when absent.

    Processes that start at once end up with the same key: each writes its own new
    file and links it into place, and a link never replaces an existing name.
    Raises ImproperlyConfigured when the file holds no private RSA key.
    """
    if not path.exists():
        _create(path)
    pem = path.read_text(encoding="ascii", errors="replace")
    try:
        private_key(pem)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{path} holds no unencrypted RSA private key in PEM form."
        ) from error
    return pem


@lru_cache(maxsize=4)
def private_key(pem: str) -> rsa.RSAPrivateKey:
    """Parse `pem`. Raises ValueError or TypeError when it is no RSA private key."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("The key is not an RSA key.")
    return key


def derived_secret(pem: str) -> str:
    """Derive Django's secret key from the signing key.

    So one file is all the state that several processes have to share.
    """
    return hmac.new(pem.encode(), b"identity: SECRET_KEY", hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_generate())
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        # Another process was first: its key is the one.
        return
    finally:
        draft.unlink()


def _generate() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
