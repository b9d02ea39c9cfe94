"""What can be wrong with a token, as one flat error with a machine code."""

import enum

__all__ = ["KeySetError", "Reason", "TokenError"]


class Reason(enum.StrEnum):
    """Why a token was refused. For logs and signals, never for clients."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    HEADER = "header"
    TYPE = "type"
    ALGORITHM = "algorithm"
    KEY_UNKNOWN = "key_unknown"
    KEY_UNFIT = "key_unfit"
    SIGNATURE = "signature"
    CLAIM_MISSING = "claim_missing"
    CLAIM_INVALID = "claim_invalid"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLIENT = "client"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    LIFETIME = "lifetime"
    SUBJECT = "subject"


class TokenError(Exception):
    """The token is refused; `reason` is the machine code, `detail` for logs.

    `detail` never quotes the token.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class KeySetError(ValueError):
    """The document is no JSON Web Key Set (RFC 7517 section 5)."""
