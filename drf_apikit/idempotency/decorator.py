"""`@idempotent`, `IdempotencyMixin` and the layer behind both."""

import functools
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Final, TypeVar, overload

from django.db import connections, router, transaction
from django.http import HttpResponseBase

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import (
    IdempotencyInProgress,
    IdempotencyKeyAnonymous,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    IdempotencyResponseNotKept,
)
from drf_apikit.handlers import Call, Layer, LayeredView, Position, Proceed, layered
from drf_apikit.idempotency.fingerprint import fingerprint
from drf_apikit.idempotency.keys import FORMAT, read_key, resolve_scope, route_of
from drf_apikit.idempotency.replay import answer_of, authorize_replay, rebuild
from drf_apikit.idempotency.transactional import (
    Claim,
    ContentionError,
    claimed,
    store,
)
from drf_apikit.models import IdempotencyRecord
from drf_apikit.signals import (
    idempotency_conflicted,
    idempotency_executed,
    idempotency_mismatched,
    idempotency_replayed,
)

__all__ = ["IdempotencyLayer", "IdempotencyMixin", "idempotent"]

F = TypeVar("F", bound=Callable[..., Any])

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@overload
def idempotent(handler: F, /) -> F: ...


@overload
def idempotent(
    *, required: bool | None = None, using: str | None = None, ttl: int | None = None
) -> Callable[[F], F]: ...


def idempotent(
    handler: Any = None,
    /,
    *,
    required: bool | None = None,
    using: str | None = None,
    ttl: int | None = None,
) -> Any:
    """Protect a view method, an `@action` or a function under `@api_view`.

    The handler runs in one transaction with the record of its answer: an answer
    is stored if and only if the transaction that holds its effects commits. A
    retry with the same key gets the stored answer; anything raised, and any
    returned answer of 500 and above, is rolled back and leaves the key usable.

    `required`, `ttl` (seconds) default to the settings, `using` (a database
    alias) to where the router sends the record.

    Raises:
        IdempotencyKeyMissing: 400, no header where one is required.
        IdempotencyKeyMalformed: 400, the header is not a key.
        IdempotencyKeyAnonymous: 400, nobody is known to keep the answer for.
        IdempotencyInProgress: 409, the first request has not finished.
        IdempotencyKeyReused: 422, the same key with another payload.
        TypeError: on anything but a handler of a DRF view.

    """
    decorate = layered(IdempotencyLayer(required=required, using=using, ttl=ttl))
    return decorate if handler is None else decorate(handler)


class IdempotencyMixin(LayeredView):
    """Protect the actions, or HTTP methods in lower case, that are named."""

    idempotent_actions: ClassVar[Collection[str]] = ()

    def get_handler_layers(self) -> list[Layer]:
        """Add the layer where this request's action is named."""
        layers = super().get_handler_layers()
        action = getattr(self, "action", None) or str(self.request.method).lower()
        return (
            [*layers, IdempotencyLayer()]
            if action in self.idempotent_actions
            else layers
        )


class IdempotencyLayer(Layer):
    """Replay, refuse, or run the handler in one transaction with the record."""

    position = Position.IDEMPOTENCY

    def __init__(
        self,
        *,
        required: bool | None = None,
        using: str | None = None,
        ttl: int | None = None,
    ) -> None:
        self.required = required
        self.using = using
        self.ttl = ttl

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Find out whether this request is protected, then protect it."""
        claim = None if call.request.method in _SAFE else self._claim(call)
        if claim is None:
            return proceed()
        alias = self.using or router.db_for_write(IdempotencyRecord)
        try:
            with claimed(claim, alias) as record:
                if record is None:
                    return self._execute(call, proceed, claim.scope, alias)
        except ContentionError:
            _send(idempotency_conflicted, call, claim.scope)
            raise IdempotencyInProgress(headers={"Retry-After": "1"}) from None
        return _replay(call, claim, record)

    def _claim(self, call: Call) -> Claim | None:
        """Read the key, and the body before anything is locked."""
        request, settings = call.request, apikit_settings.idempotency
        key = read_key(request)
        if key is None:
            if settings.required if self.required is None else self.required:
                raise IdempotencyKeyMissing
            return None
        scope = resolve_scope(request, key)
        if scope is None:
            if settings.anonymous == "refuse":
                raise IdempotencyKeyAnonymous
            return None
        return Claim(
            scope=scope,
            fingerprint=fingerprint(request),
            method=str(request.method),
            route=route_of(request),
            ttl=settings.ttl if self.ttl is None else self.ttl,
        )

    @staticmethod
    def _execute(
        call: Call, proceed: Proceed, scope: str, alias: str
    ) -> HttpResponseBase:
        response = call.finish(proceed())
        if response.status_code >= 500:
            transaction.set_rollback(True, using=alias)
        elif not connections[alias].needs_rollback:
            store(scope, answer_of(response), alias)
            executed = functools.partial(_send, idempotency_executed, call, scope)
            transaction.on_commit(executed, using=alias)
        return response


def _replay(call: Call, claim: Claim, record: IdempotencyRecord) -> HttpResponseBase:
    """Send the stored answer again, to a caller who may still have it."""
    whole = authorize_replay(call.view)
    if record.format_version != FORMAT:
        raise IdempotencyResponseNotKept("The answer was kept in another format.")
    if record.fingerprint != claim.fingerprint:
        _send(idempotency_mismatched, call, claim.scope)
        raise IdempotencyKeyReused
    _send(idempotency_replayed, call, claim.scope)
    return rebuild(record, whole=whole)


def _send(signal: Any, call: Call, scope: str) -> None:
    """Tell listeners; one that fails must not decide about the effect."""
    signal.send_robust(sender=type(call.view), request=call.request, scope=scope)
