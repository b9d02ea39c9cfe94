"""Pure verification of signed tokens: compact JWS, keys, algorithms, claims.

Nothing here knows Django or does I/O, and the clock is an argument. Whatever
the input, only `TokenError` and `KeySetError` leave this package.
"""

from drf_apikit.jose.claims import claim_at
from drf_apikit.jose.compact import CompactToken, parse_compact
from drf_apikit.jose.errors import KeySetError, Reason, TokenError
from drf_apikit.jose.keys import KeySet, VerificationKey, parse_key_set
from drf_apikit.jose.profiles import PROFILES, TokenProfile, profile_of
from drf_apikit.jose.verifier import Policy, Rules, verify

__all__ = [
    "PROFILES",
    "CompactToken",
    "KeySet",
    "KeySetError",
    "Policy",
    "Reason",
    "Rules",
    "TokenError",
    "TokenProfile",
    "VerificationKey",
    "claim_at",
    "parse_compact",
    "parse_key_set",
    "profile_of",
    "verify",
]
