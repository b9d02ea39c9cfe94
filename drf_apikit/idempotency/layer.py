"""The layer: replay, refuse, or run the handler in one transaction with its record."""

import functools
import logging
from typing import Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.db import connections, router, transaction
from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.exceptions import (
    IdempotencyInProgress,
    IdempotencyKeyAnonymous,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    IdempotencyResponseNotKept,
    IdempotencyUnavailable,
)
from drf_apikit.handlers import Call, Layer, Position, Proceed
from drf_apikit.idempotency import replay_cache
from drf_apikit.idempotency.answers import Answer, capture
from drf_apikit.idempotency.claims import (
    Claim,
    ContentionError,
    Kept,
    UnavailableError,
    claimed,
    store,
)
from drf_apikit.idempotency.fingerprint import fingerprint
from drf_apikit.idempotency.keys import (
    FORMAT,
    read_key,
    resolve_principal,
    resolve_scope,
    route_of,
)
from drf_apikit.idempotency.options import Options
from drf_apikit.idempotency.replay import authorize_replay, finds_objects
from drf_apikit.idempotency.sealing import SealError
from drf_apikit.models import IdempotencyRecord
from drf_apikit.signals import (
    idempotency_conflicted,
    idempotency_executed,
    idempotency_mismatched,
    idempotency_replayed,
)

__all__ = ["IdempotencyLayer"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: Seconds.
_RETRY_AFTER: Final = {"Retry-After": "1"}
logger = logging.getLogger("drf_apikit.idempotency")


class IdempotencyLayer(Layer):
    """Replay, refuse, or run the handler in one transaction with the record."""

    position = Position.IDEMPOTENCY

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Find out whether this request is protected, then protect it."""
        safe = call.request.method in _SAFE
        claim = None if safe else _claim(call, self.options)
        if claim is None:
            return proceed()
        kept = replay_cache.find(claim.scope)
        alias = self.options.using or router.db_for_write(IdempotencyRecord)
        if kept is not None:
            return _replay_cached(call, claim, kept, alias)
        try:
            with claimed(claim, alias) as kept:
                if kept is None:
                    return _execute(call, proceed, claim, self.options, alias)
                whole = _authorize(call, claim, kept)
        except ContentionError:
            count("idempotency.conflicted")
            _send(idempotency_conflicted, call, claim)
            raise IdempotencyInProgress(headers=_RETRY_AFTER) from None
        except UnavailableError:
            count("idempotency.unavailable")
            logger.exception("No claim can be written, so the view was not run.")
            raise IdempotencyUnavailable(headers=_RETRY_AFTER) from None
        return _replay(call, claim, kept, whole=whole, source="database")


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
        principal=resolve_principal(request) or owner,
        fingerprint=fingerprint(request, key, options.fingerprint),
        method=str(request.method),
        route=route_of(request),
        ttl=settings.ttl if options.ttl is None else options.ttl,
    )


def _execute(
    call: Call, proceed: Proceed, claim: Claim, options: Options, alias: str
) -> HttpResponseBase:
    """Run the handler; keep its answer, or roll back what it did."""
    response = call.finish(proceed())
    if (options.rollback_on or _is_failure)(response):
        transaction.set_rollback(True, using=alias)
    elif not connections[alias].needs_rollback:
        limit = options.max_body
        if limit is None:
            limit = apikit_settings.idempotency.max_body
        # Where a stream breaks here, the response is dropped, not closed: that would
        # end the request, and with it the connection, for all who listen.
        answer = capture(response, limit, is_asgi=_is_asgi(call))
        columns = answer.columns(claim.scope)
        store(claim.scope, columns, alias)
        committed = functools.partial(_committed, call, claim, columns)
        transaction.on_commit(committed, using=alias, robust=True)
    return response


def _is_asgi(call: Call) -> bool:
    return isinstance(call.request._request, ASGIRequest)


def _is_failure(response: HttpResponseBase) -> bool:
    return response.status_code >= 500


def _committed(call: Call, claim: Claim, columns: dict[str, Any]) -> None:
    replay_cache.keep(claim, columns)
    count("idempotency.executed")
    _send(idempotency_executed, call, claim)


def _replay_cached(call: Call, claim: Claim, kept: Kept, alias: str) -> HttpResponse:
    """Replay what the cache has; only an object has to be asked for."""
    if not finds_objects(call.view):
        whole = _authorize(call, claim, kept)
    else:
        # As in the first run: the view may lock what it asks for.
        savepoint = not connections[alias].settings_dict["ATOMIC_REQUESTS"]
        with transaction.atomic(using=alias, savepoint=savepoint):
            whole = _authorize(call, claim, kept)
    return _replay(call, claim, kept, whole=whole, source="cache")


def _authorize(call: Call, claim: Claim, kept: Kept) -> bool:
    return authorize_replay(call.view, own=kept.principal == claim.principal)


def _replay(
    call: Call, claim: Claim, kept: Kept, *, whole: bool, source: str
) -> HttpResponse:
    """Send the stored answer again; without `whole`, its status alone.

    Raises:
        IdempotencyKeyReused: it is the answer to another payload.
        IdempotencyResponseNotKept: it was too long, or cannot be read any more.

    """
    if kept.fingerprint != claim.fingerprint and kept.format_version == FORMAT:
        count("idempotency.mismatched")
        _send(idempotency_mismatched, call, claim)
        logger.info("A key came with another payload: %s", claim.scope)
        raise IdempotencyKeyReused
    answer = _answer(claim, kept) if whole else Answer(kept.status_code, (), b"")
    count("idempotency.replayed", source=source)
    _send(idempotency_replayed, call, claim)
    return answer.response()


def _answer(claim: Claim, kept: Kept) -> Answer:
    """Read what is kept, if it is whole and can be read."""
    try:
        answer = Answer.read(kept, claim.scope)
    except SealError as error:
        logger.exception("The answer of %s cannot be read.", claim.scope)
        count("idempotency.not_kept")
        text = _("The first request succeeded, but its answer cannot be read any more.")
        raise IdempotencyResponseNotKept(text) from error
    if answer.body is None:
        count("idempotency.not_kept")
        place = {name: text for name, text in answer.headers if name == "Location"}
        raise IdempotencyResponseNotKept(headers=place)
    return answer


def _send(signal: Any, call: Call, claim: Claim) -> None:
    """Tell listeners; one that fails must not decide about the effect."""
    signal.send_robust(sender=type(call.view), request=call.request, scope=claim.scope)
