"""Private keys: made, written and read."""

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.views.decorators.debug import sensitive_variables

from drf_apikit.jose import KeySetError
from drf_apikit.jose.signing import SigningKey, load_signing_key

__all__ = ["KeyMaterialError", "new_private_key", "read_signing_key"]


class KeyMaterialError(Exception):
    """A private key cannot be had; the text names its `kid` and the remedy."""


@sensitive_variables()
def new_private_key(algorithm: str) -> str:
    """Make a private key for an algorithm of the setting; give it in PEM."""
    private_key: Any
    match algorithm:
        case "ES256":
            private_key = ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            private_key = ed25519.Ed25519PrivateKey.generate()
        case _:
            private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    written: bytes = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return written.decode("ascii")


@sensitive_variables()
def read_signing_key(pem: str, kid: str | None = None) -> SigningKey | str:
    """Read a private key; what is wrong with it, as text, where it cannot be used.

    Nothing is raised from where the key is: reports of errors show what a function
    that raises has.
    """
    try:
        return load_signing_key(pem, kid)
    except KeySetError as error:
        return str(error)
