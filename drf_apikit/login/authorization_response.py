"""What has to come back from the provider (RFC 6749 section 4.1.2, RFC 9207)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.crypto import constant_time_compare

from drf_apikit.login.attempts import Attempt
from drf_apikit.login.authorization import provider_metadata
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.registration import Registration, registration

__all__ = [
    "AuthorizationResponse",
    "authorization_response",
    "check_issuer",
    "refusal",
]

#: The parameters that count, and how long they may be.
_LENGTHS: Final[Mapping[str, int]] = {
    "code": 8192,
    "state": 512,
    "iss": 2048,
    "error": 128,
    "error_description": 8192,
    "error_uri": 2048,
}
#: RFC 6749 appendix A.11: `VSCHAR`.
_VISIBLE: Final = re.compile(r"[ -~]+")
#: What people write into a description is for the log, so it may be in any language.
_FREE: Final = frozenset({"error_description", "error_uri"})
#: RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6.
_UNWELL: Final = frozenset({"server_error", "temporarily_unavailable"})
_WANTS_TO_ASK: Final = frozenset(
    {
        *("login_required", "interaction_required", "consent_required"),
        *("account_selection_required", "unmet_authentication_requirements"),
    }
)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """An answer of which each parameter came once; `error` or `code` is there."""

    state: str
    code: str | None
    error: str | None
    issuer: str | None


def authorization_response(query: QueryDict) -> AuthorizationResponse:
    """Read an answer; what is unknown in it is ignored (RFC 6749 section 4.1.2).

    Raises:
        LoginError: it is none.

    """
    found = {name: _single(name, query) for name in _LENGTHS if name in query}
    state, code, error = (found.get(name) for name in ("state", "code", "error"))
    if not state:
        raise _malformed("there is no state")
    if (code is None) is (error is None):
        raise _malformed("not one of code and error")
    return AuthorizationResponse(state, code, error, found.get("iss"))


def check_issuer(response: AuthorizationResponse, attempt: Attempt) -> None:
    """See that the provider that was asked answers (RFC 9207 section 2.4).

    Raises:
        LoginError: another one does, or nobody can tell.

    """
    client = registration()
    if attempt.issuer != client.issuer:
        raise LoginError(Reason.ISSUER_MISMATCH, 400, "asked of a former one")
    if response.issuer is not None:
        if not constant_time_compare(response.issuer, attempt.issuer):
            raise LoginError(Reason.ISSUER_MISMATCH, 400, "iss is of another one")
        return
    if _sends_issuer(client):
        raise LoginError(Reason.ISSUER_MISMATCH, 400, "iss is missing")


def refusal(error: str) -> LoginError:
    """Say what an error of the provider means here."""
    if error == "access_denied":
        return LoginError(Reason.ACCESS_DENIED, 403, error)
    if error in _WANTS_TO_ASK:
        return LoginError(Reason.INTERACTION_REQUIRED, 403, error)
    if error in _UNWELL:
        # No 503, which administrators are told of: anybody can write this into a URL.
        return LoginError(Reason.PROVIDER_UNAVAILABLE, 400, error)
    return LoginError(Reason.PROVIDER_REFUSED, 400, error)


def _malformed(detail: str) -> LoginError:
    return LoginError(Reason.RESPONSE_MALFORMED, 400, detail)


def _single(name: str, query: QueryDict) -> str:
    values = query.getlist(name)
    if len(values) != 1:
        # RFC 6749 section 3.1.
        raise _malformed(f"{name} comes {len(values)} times")
    value = values[0]
    if len(value) > _LENGTHS[name]:
        raise _malformed(f"{name} is too long")
    if name not in _FREE and not _VISIBLE.fullmatch(value):
        raise _malformed(f"{name} is not of visible characters")
    return value


def _sends_issuer(client: Registration) -> bool:
    """Tell what the provider says; one that is down is found out by who needs it."""
    try:
        return provider_metadata(client).sends_iss
    except LoginError:
        return False
