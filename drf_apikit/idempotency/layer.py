"""The layer: whether a request is protected, whose it is, and of what."""

from typing import Any, Final

from django.db import router
from django.http import HttpResponseBase

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import IdempotencyKeyAnonymous, IdempotencyKeyMissing
from drf_apikit.handlers import Call, Layer, Position, Proceed
from drf_apikit.idempotency.claims import Claim
from drf_apikit.idempotency.fingerprint import fingerprint
from drf_apikit.idempotency.keys import (
    read_key,
    resolve_principal,
    resolve_scope,
    route_of,
)
from drf_apikit.idempotency.operation import Operation
from drf_apikit.idempotency.options import Options
from drf_apikit.models import IdempotencyRecord

__all__ = ["SAFE", "IdempotencyLayer"]

#: Methods that are never protected, in lower case: RFC 9110 section 9.2.1.
SAFE: Final = frozenset({"get", "head", "options", "trace"})
#: Where Django's request keeps the scopes that are being run in it.
_RUNNING: Final = "_drf_apikit_idempotency_scopes"


class IdempotencyLayer(Layer):
    """Replay, refuse, or run the handler in one transaction with the record."""

    position = Position.IDEMPOTENCY

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Find out whether this request is protected, then protect it."""
        safe = str(call.request.method).lower() in SAFE
        claim = None if safe else _claim(call, self.options)
        if claim is None:
            return proceed()
        # A protected view may hand its request on to another one.
        django_request: Any = call.request._request
        running: set[str] = vars(django_request).setdefault(_RUNNING, set())
        if claim.scope in running:
            return proceed()
        alias = self.options.using or router.db_for_write(IdempotencyRecord)
        running.add(claim.scope)
        try:
            return Operation(call, claim, self.options, alias).run(proceed)
        finally:
            running.discard(claim.scope)


def _claim(call: Call, options: Options) -> Claim | None:
    """Read the key, and the body before anything is locked."""
    request, settings = call.request, apikit_settings.idempotency
    key = read_key(request)
    if key is None:
        if settings.required if options.required is None else options.required:
            raise IdempotencyKeyMissing
        return None
    owner = resolve_principal(request, options.key_scope)
    if owner is None:
        if settings.anonymous == "refuse":
            raise IdempotencyKeyAnonymous
        return None
    return Claim(
        scope=resolve_scope(request, owner, key),
        # Callers whose keys are those of one account are still several.
        principal=(options.key_scope and resolve_principal(request)) or owner,
        fingerprint=fingerprint(request, key, options.fingerprint),
        method=str(request.method),
        route=route_of(request),
        ttl=settings.ttl if options.ttl is None else options.ttl,
    )
