"""One hook that counts for all blocks: `DRF_APIKIT["METRICS"]["COUNTER"]`.

    def counter(event: str, labels: dict[str, str]) -> None: ...

It gets one call for each occurrence of an event in `EVENTS`. Labels have few
values, and never tell of a user, key, path or id: each value is a time series
for whoever keeps them. The call happens within the request, and maybe within a
transaction or a lock, or in a thread in the background: a hook is a plain function
that is quick and leaves the database alone.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from django.core.signals import setting_changed

from drf_apikit.conf import apikit_settings, load

__all__ = ["EVENTS", "Event", "count"]

logger = logging.getLogger(__name__)

Hook = Callable[[str, dict[str, str]], object]


@dataclass(frozen=True, slots=True)
class Event:
    """What is counted, and what the values of its labels are."""

    documentation: str
    labels: Mapping[str, str]


def count(event: str, /, **labels: str) -> None:
    """Tell the hook of one occurrence; for the blocks of this package alone.

    Whatever is wrong with the hook is logged, and decides about no request.
    """
    hook = _hook()
    if hook is None:
        return
    try:
        hook(event, labels)
    except Exception:
        logger.exception("The counter has failed at %s", event)


@cache
def _hook() -> Hook | None:
    """Load the hook once; one that cannot be loaded is not tried again."""
    try:
        path = apikit_settings.metrics.counter
        hook: Hook | None = None if path is None else load(path)
    except Exception:
        logger.exception("The counter cannot be loaded: nothing is counted")
        return None
    return hook


def _forget(*, setting: str, **_: object) -> None:
    if setting == "DRF_APIKIT":
        _hook.cache_clear()


setting_changed.connect(_forget, dispatch_uid="drf_apikit.counters")


def _event(documentation: str, **labels: str) -> Event:
    return Event(documentation, MappingProxyType(labels))


#: All that is counted. `docs/reference/metrics.md` shows the same.
EVENTS: Final[Mapping[str, Event]] = MappingProxyType(
    {
        "problems.answered": _event(
            "A problem document was made for an answer.",
            type="the slug of its type, or `about-blank`",
            status="its status",
        ),
        "conditional.not_modified": _event(
            "A read was answered with 304.",
            kind="`object`, or `list` for every URL that is not that of one object",
        ),
        "conditional.precondition_failed": _event(
            "A request was refused with 412: the client has not seen what is there.",
        ),
        "conditional.precondition_required": _event(
            "A write without a condition was refused with 428.",
        ),
        "conditional.edit_conflict": _event(
            "A write without a condition was refused with 409: others were faster.",
        ),
        "conditional.validator_found_stale": _event(
            "A sample has shown that a 304 would have been wrong; 200 was sent.",
        ),
        "authentication.token_accepted": _event(
            "An access token was valid, and somebody's.",
        ),
        "authentication.token_rejected": _event(
            "An access token was refused.",
            reason="a value of `drf_apikit.jose.Reason`",
        ),
        "authentication.keys_unavailable": _event(
            "A request was refused with 503: there were no keys to judge its token.",
        ),
        "authentication.keys_fetched": _event(
            "The keys of an issuer were fetched.",
        ),
        "authentication.keys_fetch_failed": _event(
            "The keys of an issuer could not be fetched.",
        ),
        "authentication.keys_rotated": _event(
            "An issuer has other keys than before.",
        ),
        "login.succeeded": _event(
            "A person has logged in.",
        ),
        "login.failed": _event(
            "A login came to nothing.",
            reason="a value of `drf_apikit.login.Reason`",
        ),
        "login.session_renewed": _event(
            "A session was renewed, with its refresh token or silently through the"
            " browser.",
        ),
        "login.session_ended": _event(
            "A session was ended, since the provider does not vouch for it any more.",
            reason="a value of `drf_apikit.login.Ending`",
        ),
        "tokens.issued": _event(
            "An access token was made, with a login or a refresh.",
            by="`login` or `refresh`",
        ),
        "tokens.refresh_refused": _event(
            "A refresh token was refused.",
            reason="a value of `drf_apikit.tokens.sessions.Refusal`",
        ),
        "tokens.session_ended": _event(
            "A session of refresh tokens has ended.",
            reason="a value of `drf_apikit.tokens.sessions.Ending`",
        ),
        "tokens.key_rotated": _event(
            "A key that signs was added or taken away.",
        ),
        "tokens.purged": _event(
            "A batch of sessions that are over was deleted.",
        ),
        "clients.token_fetched": _event(
            "A token for calls to another service was fetched.",
        ),
        "clients.token_failed": _event(
            "A token for calls to another service could not be had.",
            reason="`refused` by the issuer, or `unavailable`",
        ),
        "clients.token_refused": _event(
            "Another service has answered 401 to a token of ours.",
        ),
        "pagination.page_read": _event(
            "A page of a list was read.",
            kind="`cursor`, `limit_offset` or `page_number`",
        ),
        "pagination.cursor_refused": _event(
            "A cursor was refused.",
            reason="`foreign`: of another list, ordering, filter or version;"
            " `unknown`: not given out by this API",
        ),
        "pagination.count_timed_out": _event(
            "A count took longer than `COUNT_TIMEOUT`: one that is cheaper was shown.",
            strategy="what took too long: `exact`, then tried as `bounded`; or"
            " `bounded`, then given up",
        ),
        "idempotency.executed": _event(
            "A protected operation has run, and that is recorded.",
        ),
        "idempotency.replayed": _event(
            "A stored answer was sent again.",
            source="`database` or `cache`",
        ),
        "idempotency.conflicted": _event(
            "A request was refused with 409: another transaction was in its way.",
        ),
        "idempotency.mismatched": _event(
            "A key was refused with 422, since it came with another payload before.",
        ),
        "idempotency.not_kept": _event(
            "A retry was refused with 409: the answer is too long, unreadable or"
            " unknown.",
        ),
        "idempotency.released": _event(
            "A key was released by hand, so that it can be used anew.",
        ),
        "idempotency.unavailable": _event(
            "A request was refused with 503, since no key could be claimed.",
        ),
        "idempotency.purged": _event(
            "A batch of expired records was deleted; one call for each batch.",
        ),
    }
)
