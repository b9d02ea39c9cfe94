"""What can be wrong with a token, as one flat error with a machine code."""

import enum

__all__ = ["KeySetError", "Reason", "TokenError"]


class Reason(enum.StrEnum):
    """Why a token was refused. For logs and signals, never for clients."""

    #: More octets than are looked at.
    TOO_LARGE = "too_large"
    #: Not three segments of canonical base64url over strict JSON.
    MALFORMED = "malformed"
    #: The header asks for what is not understood, or its `kid` is unusable.
    HEADER = "header"
    #: A token of another kind, to judge by `typ` or by its claims.
    TYPE = "type"
    #: An algorithm that is not accepted, such as `none`.
    ALGORITHM = "algorithm"
    #: The issuer has no key with this `kid`.
    KEY_UNKNOWN = "key_unknown"
    #: No key, or more than one, fits `kid` and algorithm.
    KEY_UNFIT = "key_unfit"
    #: The signature does not verify.
    SIGNATURE = "signature"
    #: A claim that must be there is not.
    CLAIM_MISSING = "claim_missing"
    #: A claim is not of its kind: text, number, list of texts.
    CLAIM_INVALID = "claim_invalid"
    #: Of an issuer that is not trusted.
    ISSUER = "issuer"
    #: For another API.
    AUDIENCE = "audience"
    #: Issued to a client that is not allowed.
    CLIENT = "client"
    #: `exp` has passed.
    EXPIRED = "expired"
    #: `nbf` or `iat` lies ahead.
    NOT_YET_VALID = "not_yet_valid"
    #: Lives longer than is allowed.
    LIFETIME = "lifetime"
    #: Bound to a key of its client (`cnf`), of which nothing proves possession.
    CONFIRMATION = "confirmation"
    #: A valid token of somebody who is nobody here, or is inactive.
    SUBJECT = "subject"
    #: Of another login than it came with, or for another access token.
    BINDING = "binding"


class TokenError(Exception):
    """The token is refused; `reason` is the machine code, `detail` for logs.

    `detail` never quotes the token. `issuer` names the trusted issuer that the
    token claims to be of, where somebody knows it.
    """

    issuer: str | None = None

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class KeySetError(ValueError):
    """The document is no JSON Web Key Set (RFC 7517 section 5)."""
