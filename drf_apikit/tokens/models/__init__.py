"""What is kept of first-party tokens: keys that sign, and sessions."""

from drf_apikit.tokens.models.keys import SigningKeyRecord
from drf_apikit.tokens.models.sessions import TokenSession

__all__ = ["SigningKeyRecord", "TokenSession"]
