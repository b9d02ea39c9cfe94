"""Signals for audit and metrics. None of them carries a token, key or body."""

from django.dispatch import Signal

__all__ = [
    "idempotency_conflicted",
    "idempotency_executed",
    "idempotency_mismatched",
    "idempotency_released",
    "idempotency_replayed",
    "token_accepted",
    "token_rejected",
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
