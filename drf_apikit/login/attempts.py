"""What a session keeps of each authorization request until its answer comes.

It is where mozilla-django-oidc has it, `oidc_states`, with more in each entry.
"""

import hashlib
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.stored import edit
from drf_apikit.oidc.sharing import LockState, SharedLevel

__all__ = ["Attempt", "open_attempts", "remember", "reopen", "take"]

#: Where mozilla-django-oidc keeps them too.
_STATES: Final = "oidc_states"
#: Seconds in which a person has to come back.
_LIFE: Final = 60 * 60
#: Seconds for which one and the same answer may be on its way twice.
_TWICE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One authorization request; `silent`: the provider was not to show anything."""

    issuer: str
    nonce: str | None
    code_verifier: str | None
    next_url: str | None = None
    silent: bool = False
    added_on: float = 0.0


def remember(session: SessionBase, state: str, attempt: Attempt) -> None:
    """Keep a request, and of too many forget the oldest."""
    entry = {
        "issuer": attempt.issuer,
        "nonce": attempt.nonce,
        "code_verifier": attempt.code_verifier,
        "next": attempt.next_url,
        "silent": attempt.silent,
        "added_on": time.time(),
    }
    limit = getattr(django_settings, "OIDC_MAX_STATES", None) or 50

    def add(items: MutableMapping[str, Any]) -> None:
        states = {**_entries(items), state: entry}
        by_time = sorted(states, key=lambda each: _time_of(states[each]), reverse=True)
        items[_STATES] = {each: states[each] for each in by_time[:limit]}

    edit(session, add)


def take(session: SessionBase, state: str) -> Attempt:
    """Give the request that an answer is for; it can have no other.

    Raises:
        LoginError: there is none, or it is too old.

    """
    found = _find(session, state)
    first = found is not None and _is_first(state)

    def remove(items: MutableMapping[str, Any]) -> None:
        left = {each: entry for each, entry in _entries(items).items() if each != found}
        items[_STATES] = left

    if found is None or not first:
        missing = session.session_key is None and _STATES not in session
        reason = Reason.SESSION_MISSING if missing else Reason.STATE_UNKNOWN
        raise LoginError(reason, 400)
    entry = _entries(session)[found]
    edit(session, remove)
    return _checked(entry)


def open_attempts(session: SessionBase) -> Mapping[str, Any]:
    """Give what other tabs of this browser are still waiting for."""
    return {
        state: entry
        for state, entry in _entries(session).items()
        if time.time() - _time_of(entry) <= _LIFE
    }


def reopen(session: SessionBase, attempts: Mapping[str, Any]) -> None:
    """Let a session that begins know them too."""
    if attempts:
        session[_STATES] = {**attempts}


def _find(session: Any, state: str) -> str | None:
    """Compare with all, each in constant time."""
    matching = [
        each for each in _entries(session) if constant_time_compare(each, state)
    ]
    return matching[0] if matching else None


def _is_first(state: str) -> bool:
    """Tell apart two requests with one answer, both of which have seen its state."""
    digest = hashlib.sha256(state.encode()).hexdigest()
    shared = SharedLevel(f"drf_apikit:login:state:{digest}")
    with shared.session():
        lock = shared.lock(time.time(), _TWICE)
    return lock.state is not LockState.BUSY


def _checked(entry: Mapping[str, Any]) -> Attempt:
    attempt = Attempt(
        issuer=str(entry.get("issuer")),
        nonce=entry.get("nonce"),
        code_verifier=entry.get("code_verifier"),
        next_url=entry.get("next"),
        silent=entry.get("silent") is True,
        added_on=_time_of(entry),
    )
    if time.time() - attempt.added_on > _LIFE:
        raise LoginError(Reason.STATE_EXPIRED, 400)
    return attempt


def _entries(items: Any) -> dict[str, dict[str, Any]]:
    """Give the requests; what else there is was put there by something else."""
    states = items.get(_STATES)
    listed = states.items() if isinstance(states, dict) else ()
    return {state: entry for state, entry in listed if isinstance(entry, dict)}


def _time_of(entry: Mapping[str, Any]) -> float:
    added_on = entry.get("added_on")
    return float(added_on) if isinstance(added_on, int | float) else 0.0
