"""Kinds of failures of a login, as programs are told of them."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from drf_apikit.problem_types import ProblemType

__all__ = ["LOGIN_FAILED", "LOGIN_REFUSED", "LOGIN_UNAVAILABLE", "SESSION_EXPIRED"]

_REASON: Final = {"type": "string"}

LOGIN_FAILED: Final = ProblemType(
    "login-failed",
    _("Login failed"),
    400,
    _("The login came to nothing; `reason` says why. Begin it again."),
    {"reason": _REASON},
)
LOGIN_REFUSED: Final = ProblemType(
    "login-refused",
    _("Login refused"),
    403,
    _("The login was declined, or the account may not be used here."),
    {"reason": _REASON},
)
LOGIN_UNAVAILABLE: Final = ProblemType(
    "login-unavailable",
    _("Login is unavailable"),
    503,
    _("The provider cannot be asked right now. Try again in a while."),
    {"reason": _REASON},
    {"Retry-After": _("Seconds to wait.")},
)
SESSION_EXPIRED: Final = ProblemType(
    "session-expired",
    _("Session expired"),
    403,
    _("The session has to be renewed: send the browser to `refresh_url`."),
    {"refresh_url": {"type": "string", "format": "uri"}},
)
