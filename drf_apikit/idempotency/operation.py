"""One protected operation: its first run, or a replay of it."""

import functools
import logging
from dataclasses import dataclass
from typing import Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.views import APIView

from drf_apikit.conf import apikit_settings
from drf_apikit.contention import is_outage
from drf_apikit.counters import count
from drf_apikit.exceptions import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyResponseNotKept,
    IdempotencyUnavailable,
)
from drf_apikit.handlers import Call, Proceed
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
from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.idempotency.options import Options
from drf_apikit.idempotency.replay import asks, authorize_replay
from drf_apikit.idempotency.sealing import SealError
from drf_apikit.signals import (
    idempotency_conflicted,
    idempotency_executed,
    idempotency_mismatched,
    idempotency_replayed,
)

__all__ = ["Operation"]

#: Seconds.
_RETRY_AFTER: Final = {"Retry-After": "1"}
logger = logging.getLogger("drf_apikit.idempotency")


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that is protected, with its claim, in the database of an alias."""

    call: Call
    claim: Claim
    options: Options
    alias: str

    def run(self, proceed: Proceed) -> HttpResponseBase:
        """Replay it, or run the handler and keep what it answers.

        Raises:
            IdempotencyInProgress: another request is at it.
            IdempotencyKeyReused: it was done with another payload.
            IdempotencyResponseNotKept: it is done, and its answer is not there.
            IdempotencyUnavailable: the database cannot be asked.

        """
        kept = replay_cache.find(self.claim.scope, self.alias)
        if kept is not None:
            return self._replay_cached(kept)
        try:
            with claimed(self.claim, self.alias) as kept:
                if kept is None:
                    return self._execute(proceed)
                whole = self._authorize(kept)
        except ContentionError:
            count("idempotency.conflicted")
            self._send(idempotency_conflicted)
            raise IdempotencyInProgress(headers=_RETRY_AFTER) from None
        except UnavailableError as error:
            raise _unavailable(error) from None
        return self._replay(kept, whole=whole, source="database")

    def _execute(self, proceed: Proceed) -> HttpResponseBase:
        """Run the handler; keep its answer, or roll back what it did."""
        connection: Any = connections[self.alias]
        columns: dict[str, Any] = {}

        def committed() -> None:
            self._committed(columns)

        # Before those of the handler: one of them that fails leaves the others out.
        transaction.on_commit(committed, using=self.alias, robust=True)
        broken = connection.rollback_exc
        response = self.call.finish(proceed())
        if (self.options.rollback_on or _is_failure)(response):
            transaction.set_rollback(True, using=self.alias)
        elif not connection.needs_rollback:
            columns.update(self._captured(response))
            store(self.claim.scope, columns, self.alias)
        elif connection.rollback_exc is not broken:
            # Django has marked the transaction; the handler does not know, and says
            # that all is well.
            raise transaction.TransactionManagementError(
                "The view has caught a database error, after which its transaction can"
                " only be rolled back. Put `transaction.atomic()` around what may fail."
            ) from connection.rollback_exc
        return response

    def _captured(self, response: HttpResponseBase) -> dict[str, Any]:
        limit = self.options.max_body
        if limit is None:
            limit = apikit_settings.idempotency.max_body
        # Where a stream breaks here, the response is dropped, not closed: that would
        # end the request, and with it the connection, for all who listen.
        is_asgi = isinstance(self.call.request._request, ASGIRequest)
        answer = capture(response, limit, is_asgi=is_asgi)
        return answer.columns(self.claim.scope)

    def _committed(self, columns: dict[str, Any]) -> None:
        replay_cache.keep(self.claim, columns, self.alias)
        count("idempotency.executed")
        self._send(idempotency_executed)

    def _replay_cached(self, kept: Kept) -> HttpResponse:
        """Replay what the cache has; only an object has to be asked for."""
        whole = self._asked(kept) if asks(self.call.view) else self._authorize(kept)
        return self._replay(kept, whole=whole, source="cache")

    def _asked(self, kept: Kept) -> bool:
        """Authorize in a transaction, as in the first run: the view may lock."""
        savepoint = not connections[self.alias].settings_dict["ATOMIC_REQUESTS"]
        entered = False
        try:
            with transaction.atomic(using=self.alias, savepoint=savepoint):
                entered = True
                return self._authorize(kept)
        except (OperationalError, InterfaceError) as error:
            if entered or not is_outage(error):
                raise
            raise _unavailable(error) from None

    def _authorize(self, kept: Kept) -> bool:
        own = kept.principal == self.claim.principal
        return authorize_replay(self.call.view, own=own)

    def _replay(self, kept: Kept, *, whole: bool, source: str) -> HttpResponse:
        """Send the stored answer again; without `whole`, its status alone."""
        is_other = kept.fingerprint != self.claim.fingerprint
        if is_other and kept.format_version == FORMAT:
            count("idempotency.mismatched")
            self._send(idempotency_mismatched)
            logger.info("A key came with another payload: %s", self.claim.scope)
            raise IdempotencyKeyReused
        if kept.status_code is None:
            # MySQL commits before it changes a table: the handler has done that.
            raise self._not_kept(
                _("The first request has begun, and how it ended is not known.")
            )
        answer = self._answer(kept) if whole else Answer(kept.status_code, (), b"")
        # The answer has been through the view's own, once and for all.
        view = self.call.view
        vars(view)["finalize_response"] = functools.partial(
            APIView.finalize_response, view
        )
        count("idempotency.replayed", source=source)
        self._send(idempotency_replayed)
        return answer.response()

    def _answer(self, kept: Kept) -> Answer:
        """Read what is kept, if it is whole and can be read."""
        try:
            answer = Answer.read(kept, self.claim.scope)
        except SealError as error:
            text = _(
                "The first request succeeded, but its answer cannot be read any more."
            )
            raise self._not_kept(text) from error
        if answer.body is None:
            count("idempotency.not_kept")
            place = {name: text for name, text in answer.headers if name == "Location"}
            raise IdempotencyResponseNotKept(headers=place)
        return answer

    def _not_kept(self, text: str) -> IdempotencyResponseNotKept:
        count("idempotency.not_kept")
        logger.error("The answer of %s cannot be sent: %s", self.claim.scope, text)
        return IdempotencyResponseNotKept(text)

    def _send(self, signal: Any) -> None:
        """Tell listeners; one that fails must not decide about the effect."""
        sender, scope = type(self.call.view), self.claim.scope
        signal.send_robust(sender=sender, request=self.call.request, scope=scope)


def _unavailable(error: Exception) -> IdempotencyUnavailable:
    count("idempotency.unavailable")
    logger.error("The database cannot be asked: nothing was run.", exc_info=error)
    return IdempotencyUnavailable(headers=_RETRY_AFTER)


def _is_failure(response: HttpResponseBase) -> bool:
    return response.status_code >= 500
