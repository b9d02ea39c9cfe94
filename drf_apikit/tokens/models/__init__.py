"""What is kept of first-party tokens: keys that sign, and sessions."""

from drf_apikit.tokens.models.keys import SigningKeyRecord

__all__ = ["SigningKeyRecord"]
