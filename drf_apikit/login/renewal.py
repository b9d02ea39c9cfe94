"""Renewing a session by its refresh token (RFC 6749 section 6), once for all requests.

Of the requests that find it due, the one that gets the lock asks the provider. While
the tokens still hold, the others go on; when they do not, they wait for what comes of
it. What the provider gives is stored before anything else is done with it: a refresh
token that was used is worth nothing any more.
"""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import DatabaseError
from django.views.decorators.debug import sensitive_variables

from drf_apikit.jose import Reason, TokenError
from drf_apikit.jose.id_token import check_refreshed_id_token
from drf_apikit.login.client import id_token_verifier, revoke_token, token_request
from drf_apikit.login.endings import Ending
from drf_apikit.login.people import regrant
from drf_apikit.login.registration import Registration, registration
from drf_apikit.login.sessions import PAUSE, Ticket, is_in_grace, tokens_from
from drf_apikit.login.vault import KeptTokens, keep, kept
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.oidc.id_tokens import verify_id_token
from drf_apikit.oidc.sharing import Lock, LockState, SharedLevel
from drf_apikit.oidc.token_endpoint import ProviderError, TokenAnswer, TokenRefusedError

__all__ = ["Renewed", "forget_outages", "renew"]

logger = logging.getLogger("drf_apikit.login")

#: Seconds between two looks for what another request has got.
_BEAT: Final = 0.05
#: Seconds in which one that has no lock may have stored what it has got.
_STORING: Final = 1.0
#: RFC 6749 section 5.2: the refresh token is worth nothing; and what the provider says
#: at the authorization endpoint elsewhere (OpenID Connect Core section 3.1.2.6). Other
#: refusals are faults of a configuration, which somebody will put right.
_OVER: Final[Mapping[str, Ending]] = {
    "invalid_grant": Ending.REFUSED,
    "access_denied": Ending.REFUSED,
    "interaction_required": Ending.INTERACTION_REQUIRED,
    "login_required": Ending.INTERACTION_REQUIRED,
    "account_selection_required": Ending.INTERACTION_REQUIRED,
    "consent_required": Ending.INTERACTION_REQUIRED,
}
#: Until when a provider is not asked by this process, since it was not there.
_AWAY: Final[dict[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Renewed:
    """What has come of it: newer tokens, an ending, or neither: it goes on as it is."""

    tokens: KeptTokens | None = None
    ending: Ending | None = None
    detail: str = ""
    #: Whether it was this request that has asked.
    asked: bool = False


def renew(session: SessionBase, ticket: Ticket, held: KeptTokens) -> Renewed:
    """Renew tokens that are due, which have a refresh token."""
    return _Renewal(session, ticket, held).run()


def forget_outages() -> None:
    """Ask every provider again at the next need."""
    _AWAY.clear()


class _OutageError(Exception):
    """The session cannot be renewed now; the text is for logs."""


class _EndedError(Exception):
    """The provider does not vouch for the session any more."""

    def __init__(self, ending: Ending, detail: str) -> None:
        super().__init__(detail)
        self.ending = ending


class _GoneError(Exception):
    """There was a logout or a login anew: nobody needs what the provider has given."""

    def __init__(self, refresh_token: str) -> None:
        super().__init__()
        self.refresh_token = refresh_token


class _Renewal:
    def __init__(self, session: SessionBase, ticket: Ticket, held: KeptTokens) -> None:
        self._session, self._vault, self._held = session, ticket.vault, held
        self._client = registration()
        digest = hashlib.sha256(str(ticket.vault).encode()).hexdigest()
        self._shared = SharedLevel(f"drf_apikit:login:renewal:{digest}")

    def run(self) -> Renewed:
        """Ask, or see what another request gets."""
        if self._is_away():
            return self._without()
        with self._shared.session():
            lock = self._queue()
            try:
                return self._run(lock)
            finally:
                # One that stands for an outage stays.
                self._shared.unlock(lock)

    def _run(self, lock: Lock) -> Renewed:
        newer = self._newer()
        if newer is not None:
            return Renewed(newer)
        if lock.state not in {LockState.MINE, LockState.NONE}:
            return self._without()
        return self._ask(lock)

    def _queue(self) -> Lock:
        """Get the lock; wait for whoever has it only when the tokens are over."""
        life = _lock_life(self._client)
        deadline, beat = time.monotonic() + life, threading.Event()
        while True:
            lock = self._shared.lock(time.time(), life)
            is_over = time.time() >= self._held.expires_at
            if lock.state is not LockState.BUSY or not is_over or self._newer():
                return lock
            if time.monotonic() >= deadline:
                return lock
            beat.wait(_BEAT)

    def _ask(self, lock: Lock) -> Renewed:
        try:
            return Renewed(self._exchanged(), asked=True)
        except _OutageError as error:
            logger.warning("A session cannot be renewed now: %s", error)
            self._shared.fail(lock, time.time())
            return self._without()
        except _EndedError as error:
            # A cache that keeps nothing gives the lock to everybody.
            again = self._shared.lock(time.time(), _lock_life(self._client))
            is_alone = again.state is not LockState.BUSY
            newer = self._await_newer(_STORING if is_alone else 0)
            # Without a lock another request was faster with the refresh token; or
            # there was a login anew, which this says nothing about.
            if newer is not None or kept(self._session, self._vault) is None:
                return Renewed(newer)
            return Renewed(ending=error.ending, detail=str(error))
        except _GoneError as error:
            revoke_token(error.refresh_token)
            return Renewed()

    @sensitive_variables()
    def _exchanged(self) -> KeptTokens:
        now, held = time.time(), self._held
        answer = self._answer()
        rotated = answer.refresh_token or held.refresh_token
        if rotated != held.refresh_token:
            # The former one is worth nothing now, whatever becomes of the rest.
            held = self._store(replace(held, refresh_token=rotated))
        claims = self._checked(answer, held)
        tokens = self._store(tokens_from(answer, held, now))
        if claims is not None:
            self._regrant(claims)
        return tokens

    @sensitive_variables()
    def _answer(self) -> TokenAnswer:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": str(self._held.refresh_token),
        }
        try:
            return token_request(self._client, form)
        except TokenRefusedError as error:
            ending = _OVER.get(error.error)
            if ending is not None:
                raise _EndedError(ending, str(error)) from None
            raise _OutageError(f"{error}: {error.description}") from None
        except ProviderError as error:
            # Of other sessions a refusal would say nothing.
            _AWAY[self._client.issuer] = time.time() + PAUSE
            raise _OutageError(str(error)) from None

    @sensitive_variables()
    def _checked(
        self, answer: TokenAnswer, held: KeptTokens
    ) -> Mapping[str, Any] | None:
        """Judge the ID token, if one came (OpenID Connect Core section 12.2)."""
        if answer.id_token is None:
            return None
        # How long ago the person has shown who they are was asked at the login.
        verifier = replace(id_token_verifier(self._client), max_age=None)
        subject = held.claims["sub"]
        try:
            claims = verify_id_token(
                answer.id_token,
                verifier,
                nonce=None,
                access_token=answer.access_token,
                now=time.time(),
                refreshed=True,
            )
            subject = claims["sub"]
            check_refreshed_id_token(claims, held.claims)
        except KeysUnavailableError as error:
            raise _OutageError(str(error)) from None
        except TokenError as error:
            if error.reason is Reason.KEY_UNKNOWN:
                # The provider has another key, which cannot be had yet.
                raise _OutageError(str(error)) from None
            is_same = subject == held.claims["sub"]
            ending = Ending.INVALID if is_same else Ending.ANOTHER_USER
            raise _EndedError(ending, str(error)) from None
        return claims

    @sensitive_variables()
    def _store(self, tokens: KeptTokens) -> KeptTokens:
        try:
            key = keep(self._session, self._vault, tokens)
        except (DatabaseError, UpdateError) as error:
            detail = f"the tokens cannot be stored: {type(error).__name__}"
            raise _OutageError(detail) from error
        if key is None:
            raise _GoneError(str(tokens.refresh_token))
        return tokens

    @sensitive_variables()
    def _regrant(self, claims: Mapping[str, Any]) -> None:
        try:
            regrant(claims, self._client)
        except DatabaseError:
            # Nothing is noted then, and the next renewal does it.
            logger.exception("What a renewed session grants cannot be written now")

    @sensitive_variables()
    def _newer(self) -> KeptTokens | None:
        """Look for what another request has got; what it got in part is noted."""
        found = kept(self._session, self._vault)
        self._held = found or self._held
        return found if found and time.time() < found.renew_at else None

    def _await_newer(self, seconds: float) -> KeptTokens | None:
        deadline, beat = time.monotonic() + seconds, threading.Event()
        while (newer := self._newer()) is None and time.monotonic() < deadline:
            beat.wait(_BEAT)
        return newer

    def _without(self) -> Renewed:
        """Go on without the provider, for as long as that is allowed."""
        if is_in_grace(self._held.expires_at, time.time()):
            return Renewed()
        return Renewed(ending=Ending.UNAVAILABLE)

    def _is_away(self) -> bool:
        """Tell whether it was not there a moment ago, and that does no harm."""
        now = time.time()
        until = _AWAY.get(self._client.issuer, 0.0)
        is_away = until - PAUSE <= now < until
        return is_away and is_in_grace(self._held.expires_at, now)


def _lock_life(client: Registration) -> int:
    """Give the seconds after which somebody else may ask: more than asking takes."""
    # The metadata, the tokens, the keys.
    return max(PAUSE, math.ceil(3 * client.timeout) + 2)
