"""Why a refresh token is refused, and why a session ends."""

from enum import StrEnum, auto

from drf_apikit.tokens.models import TokenSession

__all__ = ["Ending", "RefreshRefusedError", "Refusal"]


class Ending(StrEnum):
    """Why a session has ended."""

    #: Its client has logged out.
    LOGOUT = auto()
    #: Its user has ended it from elsewhere, or somebody of the staff has.
    REVOKED = auto()
    #: A refresh token came again after it had been used (RFC 9700 section 4.14.2).
    REUSE = auto()
    #: The password of its user has changed.
    PASSWORD = auto()
    #: Its user may not log in any more.
    INACTIVE = auto()


class Refusal(StrEnum):
    """Why a refresh token is refused."""

    #: It was not given out here, or its session is no more.
    UNKNOWN = auto()
    #: Its session was not used for too long, or is too old.
    EXPIRED = auto()
    #: Its session has ended before.
    ENDED = auto()
    #: Another request has just used it, which does no harm.
    USED = auto()
    #: It was used longer ago: its session has ended now.
    REUSED = auto()
    #: The password of its user has changed: its session has ended now.
    PASSWORD = auto()
    #: Its user may not log in any more: its session has ended now.
    INACTIVE = auto()
    #: Its client is not in the settings any more, which does no harm.
    CLIENT = auto()


class RefreshRefusedError(Exception):
    """A refresh token is refused; `session` is what it is of, where that is known."""

    def __init__(self, refusal: Refusal, session: TokenSession | None = None) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.session = session
