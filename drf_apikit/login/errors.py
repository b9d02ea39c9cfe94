"""Why a login came to nothing: for the log in full, for a person in plain words.

What a person or a program is told depends on the reason alone. Nothing that a
provider or a browser has sent is ever shown.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["LoginError", "Reason", "explanation"]


class Reason(StrEnum):
    """Why a login came to nothing; the values are stable, for metrics and support."""

    #: The answer of the provider is none: parameters doubled, missing or too long.
    RESPONSE_MALFORMED = "response_malformed"
    #: The browser has sent no session: cookies off, or another browser.
    SESSION_MISSING = "session_missing"
    #: The session has not asked for this, or has had its answer already.
    STATE_UNKNOWN = "state_unknown"
    #: It has taken too long.
    STATE_EXPIRED = "state_expired"
    #: The answer is of another provider (RFC 9207).
    ISSUER_MISMATCH = "issuer_mismatch"
    #: The person, or a rule of the provider, said no.
    ACCESS_DENIED = "access_denied"
    #: The provider wants to ask the person (OpenID Connect Core section 3.1.2.6).
    INTERACTION_REQUIRED = "interaction_required"
    #: The provider does not take the request: it, or this project, is set up wrongly.
    PROVIDER_REFUSED = "provider_refused"
    #: The provider cannot be reached, or is not well.
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    #: The provider gives nothing for the code.
    CODE_REFUSED = "code_refused"
    #: The provider's answer has no ID token, or one that is not good.
    IDENTITY_INVALID = "identity_invalid"
    #: What the userinfo endpoint sends is nothing, or of somebody else.
    USERINFO_INVALID = "userinfo_invalid"
    #: `verify_claims()` of the project said no.
    CLAIMS_REFUSED = "claims_refused"
    #: Nobody here, and nobody is made.
    USER_UNKNOWN = "user_unknown"
    #: The user may not log in any more.
    USER_INACTIVE = "user_inactive"
    #: More than one user could be meant, or the one who is meant is taken.
    USER_AMBIGUOUS = "user_ambiguous"
    #: No backend would have it.
    BACKEND_REFUSED = "backend_refused"


class LoginError(Exception):
    """A login came to nothing.

    `status` is 400, 403 or 503; `detail` is for the log alone.
    """

    def __init__(self, reason: Reason, status: int, detail: str = "") -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.status = status
        self.detail = detail


def explanation(reason: Reason) -> str | Promise:
    """Tell a person what has happened, and what to do."""
    return _EXPLANATIONS.get(reason, _OURS)


_AGAIN: Final = _(
    "The login could not be completed, since the answer of the login service was not"
    " the one that was expected. Please log in again."
)
_OURS: Final = _(
    "The login service and this site do not understand each other. Trying again may"
    " help; if it does not, please tell the people who run this site."
)
_NOBODY: Final = _(
    "You have logged in at the login service, but your account may not use this site."
)
_EXPLANATIONS: Final[Mapping[Reason, str | Promise]] = {
    Reason.RESPONSE_MALFORMED: _AGAIN,
    Reason.SESSION_MISSING: _(
        "This browser did not send the cookie that the login began with. Please allow"
        " cookies for this site, stay in one browser, and log in again."
    ),
    Reason.STATE_UNKNOWN: _(
        "This login was completed before, or did not begin in this browser. Please log"
        " in again."
    ),
    Reason.STATE_EXPIRED: _("The login took too long. Please log in again."),
    Reason.ISSUER_MISMATCH: _AGAIN,
    Reason.ACCESS_DENIED: _(
        "You were not logged in, because the request was declined at the login service."
        " If that was not what you wanted, log in again."
    ),
    Reason.INTERACTION_REQUIRED: _(
        "The login service needs you to log in again before you can go on."
    ),
    Reason.PROVIDER_UNAVAILABLE: _(
        "The login service cannot be reached at the moment. Please try again in a"
        " while."
    ),
    Reason.CODE_REFUSED: _AGAIN,
    Reason.IDENTITY_INVALID: _AGAIN,
    Reason.CLAIMS_REFUSED: _NOBODY,
    Reason.USER_UNKNOWN: _NOBODY,
    Reason.USER_INACTIVE: _NOBODY,
    Reason.USER_AMBIGUOUS: _NOBODY,
    Reason.BACKEND_REFUSED: _NOBODY,
}
