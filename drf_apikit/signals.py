"""Signals for audit and metrics. None of them carries a token, key or body."""

from django.dispatch import Signal

__all__ = [
    "idempotency_conflicted",
    "idempotency_executed",
    "idempotency_mismatched",
    "idempotency_released",
    "idempotency_replayed",
    "key_rotated",
    "keys_refreshed",
    "login_failed",
    "login_succeeded",
    "refresh_token_reused",
    "session_ended",
    "session_renewed",
    "signing_key_rotated",
    "token_accepted",
    "token_rejected",
    "token_session_ended",
    "validator_found_stale",
]

#: A protected operation ran and its answer was stored.
#: Arguments: `request`, `scope` (the digest that names the record).
idempotency_executed = Signal()

#: A stored answer was sent again. Arguments: `request`, `scope`.
idempotency_replayed = Signal()

#: A request was refused, since another transaction was in its way.
#: Arguments: `request`, `scope`.
idempotency_conflicted = Signal()

#: A key came again with another payload. Arguments: `request`, `scope`.
idempotency_mismatched = Signal()

#: A person has let an operation run again. Arguments: `request` (of the admin),
#: `scope`, `reason` (what that person wrote).
idempotency_released = Signal()

#: The keys of an issuer were fetched, by this process. Arguments: `issuer`,
#: `key_ids` (a tuple of the usable ones), `dropped` (a tuple of why others were left
#: out). Sent in a thread in the background.
keys_refreshed = Signal()

#: An issuer has other keys than before. Arguments: `issuer`, `added`, `removed`
#: (tuples of key ids; keys are compared by what they are). Sent likewise.
key_rotated = Signal()

#: A person has logged in, by a browser. Arguments: `request`, `user`, `issuer`,
#: `subject`. Django's own `user_logged_in` is sent as well.
login_succeeded = Signal()

#: A login came to nothing. Arguments: `request`, `reason` (`drf_apikit.login.Reason`),
#: `issuer`.
login_failed = Signal()

#: A session was renewed, with its refresh token or silently through the browser.
#: Arguments: `request`, `user`, `issuer`.
session_renewed = Signal()

#: The provider does not vouch for a session any more, or could not be asked for too
#: long. Arguments: `request`, `user`, `issuer`, `reason` (`drf_apikit.login.Ending`).
session_ended = Signal()

#: A refresh token came again after it had been used: somebody has a copy. Its session
#: was ended. Arguments: `session` (the `TokenSession`). Sent after the commit.
refresh_token_reused = Signal()

#: `apikit_keys`, or the schedule, has changed the keys that sign. Arguments: `added`,
#: `retired` (tuples of key ids).
signing_key_rotated = Signal()

#: A session of refresh tokens has ended. Arguments: `session` (the `TokenSession`),
#: `reason` (`drf_apikit.tokens.sessions.Ending`). Sent after the commit.
token_session_ended = Signal()

#: An access token was good, and somebody's. Arguments: `request`, `token` (the
#: `AccessToken`: verified claims, never the text).
token_accepted = Signal()

#: An access token was refused. Arguments: `request`, `reason`
#: (`drf_apikit.jose.Reason`), `issuer` (the trusted issuer, or None), `detail` (which
#: claim or member, never what it says).
token_rejected = Signal()

#: A 304 would have been wrong: what the view declares misses a change. 200 was
#: sent instead. Arguments: `request`, `tag` (the `EntityTag` that the client has).
validator_found_stale = Signal()
