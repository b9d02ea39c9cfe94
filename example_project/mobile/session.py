"""A person's session on a phone: log in once, and have a good token from then on.

What an app has to get right, in any language:

- it renews the access token before it ends, so that no call is refused;
- one renewal at a time: all others wait for it, and go on with what it got;
- an answer that was lost, or is cut or unreadable, is asked for again, with the same
  refresh token, and soon: the ledger repeats its answer for `REUSE_GRACE` seconds, and
  takes a used token that comes later for a stolen one;
- whoever is told to come later does so;
- a refresh token that is refused is the end: the person logs in again.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import requests

__all__ = ["Session", "SessionOverError", "Tokens"]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
#: How much of an access token's life is used.
SHARE: Final = 0.8
#: Seconds, for a call.
TIMEOUT: Final = 30.0
#: A renewal is over within the grace: no attempt begins that may end after that.
RENEWAL: Final = 9.0
ATTEMPTS: Final = 3
ATTEMPT: Final = 2.5
PAUSE: Final = 0.5
#: Of these the ledger has done nothing, and Retry-After says when to ask again.
NOT_NOW: Final = frozenset({429, 503})
#: A proxy has not heard of the answer.
LOST: Final = frozenset({502, 504})


class SessionOverError(Exception):
    """There is no session, or no more: the person has to log in."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the ledger gave; `renew_at` is by the app's own clock."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    renew_at: float


class Session:
    """Calls the API as a person; any number of threads may share it."""

    def __init__(
        self,
        origin: str,
        client_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(origin)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError(f"{origin} has no TLS: the password could be read.")
        self.http = requests.Session()
        self._origin = origin.rstrip("/")
        self._client_id = client_id
        self._clock = clock
        self._renewing = threading.Lock()
        self._tokens: Tokens | None = None

    @property
    def tokens(self) -> Tokens:
        """The tokens of now; an app keeps the second one in the phone's keystore.

        Raises:
            SessionOverError: nobody is logged in.

        """
        if self._tokens is None:
            raise SessionOverError("Nobody is logged in.")
        return self._tokens

    def log_in(self, username: str, password: str) -> None:
        """Begin a session.

        Raises:
            requests.RequestException: it did not come to that.

        """
        asked = self._clock()
        body = {
            "username": username,
            "password": password,
            "client_id": self._client_id,
        }
        answer = self._post("", body)
        answer.raise_for_status()
        tokens = _tokens(answer.content, asked)
        with self._renewing:
            self._tokens = tokens

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Make a call with a token that is good.

        Raises:
            SessionOverError: the person has to log in.
            requests.RequestException: the ledger cannot be asked.

        """
        tokens = self.tokens
        if self._clock() >= tokens.renew_at:
            tokens = self._renewed(tokens)
        answer = self._call(method, path, tokens, options)
        if answer.status_code == requests.codes.unauthorized:
            # Its key was taken back, or the phone slept: another token may do.
            answer = self._call(method, path, self._renewed(tokens), options)
        return answer

    def log_out(self) -> None:
        """End the session at the ledger, and forget it in any case.

        Raises:
            requests.RequestException: the ledger cannot be asked, and goes on with it.

        """
        with self._renewing:
            tokens, self._tokens = self._tokens, None
        if tokens is not None:
            body = {"refresh": tokens.refresh}
            self._post("blacklist/", body).raise_for_status()

    def _renewed(self, stale: Tokens) -> Tokens:
        """Give other tokens than these; one thread asks, the others wait for it."""
        with self._renewing:
            if self.tokens is stale:
                try:
                    self._tokens = self._ask_again(stale.refresh)
                except SessionOverError:
                    self._tokens = None
                    raise
            return self.tokens

    def _ask_again(self, refresh: str) -> Tokens:
        """Renew, again where the answer was lost: the token is the same one then."""
        latest, attempts = self._clock() + RENEWAL - ATTEMPT, ATTEMPTS
        while True:
            attempts -= 1
            try:
                return self._attempt(refresh)
            except requests.RequestException as error:
                pause = _pause(error)
                if pause is None or not attempts or self._clock() + pause > latest:
                    raise
                time.sleep(pause)
                # The phone may have slept for longer.
                if self._clock() > latest:
                    raise

    def _attempt(self, refresh: str) -> Tokens:
        asked = self._clock()
        with self._post(
            "refresh/", {"refresh": refresh}, timeout=ATTEMPT, stream=True
        ) as answer:
            body = self._read(answer, asked + ATTEMPT)
        # 409: another copy of this app has used it, and what it got is not here. To
        # ask once more would do harm.
        if answer.status_code in {requests.codes.unauthorized, requests.codes.conflict}:
            raise SessionOverError(f"The refresh token is no good: {body!r}")
        answer.raise_for_status()
        return _tokens(body, asked)

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        """Read the body; a timeout is for each wait, and there may be many."""
        body = bytearray()
        # One by one: to wait for more may take any time.
        for octet in answer.iter_content(1):
            body += octet
            if self._clock() > deadline:
                raise requests.Timeout("The answer comes too slowly.")
        return bytes(body)

    def _post(
        self, endpoint: str, body: dict[str, str], **options: Any
    ) -> requests.Response:
        path = f"/api/token/{endpoint}"
        # What is packed comes in pieces, and is read as a whole.
        headers = {"Accept-Encoding": "identity"}
        options = {"timeout": TIMEOUT, "headers": headers, **options}
        return self._send("POST", path, json=body, **options)

    def _call(
        self, method: str, path: str, tokens: Tokens, options: dict[str, Any]
    ) -> requests.Response:
        headers = options.get("headers", {})
        bearer = {"Authorization": f"Bearer {tokens.access}"}
        return self._send(
            method, path, **{"timeout": TIMEOUT, **options, "headers": headers | bearer}
        )

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self._origin}{path}"
        # Tokens and passwords go nowhere else.
        return self.http.request(method, url, allow_redirects=False, **options)


def _pause(error: requests.RequestException) -> float | None:
    """Say after how many seconds to ask again, if at all."""
    if not isinstance(error, requests.HTTPError) or error.response is None:
        return PAUSE
    status = error.response.status_code
    if status in NOT_NOW:
        after = error.response.headers.get("Retry-After", "")
        return float(after) if after.isdecimal() else PAUSE
    return PAUSE if status in LOST else None


def _tokens(content: bytes, asked: float) -> Tokens:
    try:
        body = json.loads(content)
        life = SHARE * float(body["expires_in"])
        return Tokens(str(body["access"]), str(body["refresh"]), asked + life)
    except (ValueError, TypeError, KeyError) as error:
        raise requests.RequestException("The answer has no tokens.") from error
