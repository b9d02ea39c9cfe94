"""Texts at rest that nobody else can read: encrypted by what SECRET_KEY gives.

For what is kept for a while, as in a cache or a session. A key of SECRET_KEY_FALLBACKS
still reads what it has sealed, as everywhere in Django.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

__all__ = [
    "derived_key",
    "fernet_by",
    "needs_no_fallback",
    "read_sealed",
    "seal_text",
    "unseal_text",
]


@sensitive_variables()
def seal_text(text: str, purpose: str) -> str:
    """Encrypt a text; only the same purpose reads it."""
    return _fernet(_secrets(), purpose).encrypt(text.encode()).decode("ascii")


@sensitive_variables()
def unseal_text(sealed: str, purpose: str) -> str | None:
    """Give the text; None for what was not sealed here, or was changed since."""
    try:
        return _fernet(_secrets(), purpose).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError):
        return None


@sensitive_variables()
def needs_no_fallback(sealed: str, purpose: str) -> bool:
    """Tell a text that SECRET_KEY alone reads."""
    try:
        _fernet(_secrets()[:1], purpose).decrypt(sealed.encode())
    except (InvalidToken, UnicodeError):
        return False
    return True


@sensitive_variables()
def read_sealed(sealed: str, purpose: str) -> str:
    """Give the text.

    Raises:
        ValueError: it was not sealed here for that purpose, or was changed since.

    """
    text = unseal_text(sealed, purpose)
    if text is None:
        raise ValueError("not sealed here")
    return text


def _secrets() -> tuple[str | bytes, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=32)
@sensitive_variables()
def _fernet(secrets: tuple[str | bytes, ...], purpose: str) -> MultiFernet:
    info = f"drf_apikit.sealing {purpose}"
    return MultiFernet([fernet_by(secret, info) for secret in secrets])


@sensitive_variables()
def fernet_by(secret: str | bytes, info: str) -> Fernet:
    """Give what encrypts by a secret, for one use that `info` names."""
    return Fernet(urlsafe_b64encode(derived_key(secret, info)))


@sensitive_variables()
def derived_key(secret: str | bytes, info: str) -> bytes:
    """Derive 32 octets (RFC 5869) that tell nothing about the secret."""
    # Whatever text there is has octets, and no other text has the same ones.
    raw = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode())
    return derivation.derive(raw)
