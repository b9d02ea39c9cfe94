"""Sessions: families of refresh tokens, each of which works once.

Whoever has a refresh token uses it with `rotate`, and gets the next one. Of any number
of requests with one token exactly one does that; the others are refused without harm
for a while, and after that somebody has a copy, so the session ends (RFC 9700 section
4.14.2). All is decided by the database, and by its clock.
"""

from drf_apikit.tokens.sessions.ending import end_all, end_session, live_sessions
from drf_apikit.tokens.sessions.judgement import user_with_same_password
from drf_apikit.tokens.sessions.keeping import keep_session
from drf_apikit.tokens.sessions.opening import (
    LegacyToken,
    exchange_legacy,
    open_session,
    was_exchanged,
)
from drf_apikit.tokens.sessions.people import may_log_in
from drf_apikit.tokens.sessions.refusals import Ending, RefreshRefusedError, Refusal
from drf_apikit.tokens.sessions.rehashing import password_given
from drf_apikit.tokens.sessions.rotation import Rotated, find_session, rotate

__all__ = [
    "Ending",
    "LegacyToken",
    "RefreshRefusedError",
    "Refusal",
    "Rotated",
    "end_all",
    "end_session",
    "exchange_legacy",
    "find_session",
    "keep_session",
    "live_sessions",
    "may_log_in",
    "open_session",
    "password_given",
    "rotate",
    "user_with_same_password",
    "was_exchanged",
]
