"""The ledger's API, as a client sees it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests

from drf_apikit.clients import ClientCredentials
from worker.payments import Payment

__all__ = ["LedgerAPI", "Paid", "RefusedError"]

#: Seconds, for each request.
TIMEOUT: Final = 30.0
#: How often something that may be better in a moment is asked for.
ATTEMPTS: Final = 4
LONGEST_WAIT: Final = 5.0
#: "In progress" is one of the reasons for 409, and has Retry-After.
TRANSIENT: Final = frozenset({409, 429, 502, 503, 504})
#: These say nothing of what was asked for: of who asks, or how often.
NO_VERDICT: Final = frozenset({401, 408, 429})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class RefusedError(Exception):
    """The API has answered with a problem (RFC 9457)."""

    def __init__(self, response: requests.Response) -> None:
        problem = _members(response)
        self.title = problem.get("title") or f"Status {response.status_code}"
        self.detail = problem.get("detail") or response.reason
        #: What is wrong with the members, where that is the problem.
        errors = problem.get("errors")
        self.errors = [
            f"{str(error.get('pointer', '')).strip('#/')}: {error.get('detail')}"
            for error in (errors if isinstance(errors, list) else ())
            if isinstance(error, dict)
        ]
        super().__init__(f"{self.title}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Paid:
    """The transfer of a payment; `before`, if it was made in an earlier run."""

    transfer: int
    before: bool


class LedgerAPI:
    """Pays, and reads the books page by page.

    `auth` gets a token when there is none, and another one when it is refused.
    """

    def __init__(self, origin: str, auth: Any = None) -> None:
        self._origin = origin.rstrip("/")
        self._session = requests.Session()
        self._session.auth = auth or ClientCredentials("ledger")

    def pay(self, payment: Payment) -> Paid:
        """Make a transfer; the same one, however often this is called.

        Raises:
            RefusedError: the API says no.
            requests.RequestException: nobody knows; call again.

        """
        url = f"{self._origin}/api/transfers/"
        headers = {"Idempotency-Key": payment.key}
        response = self._send("POST", url, json=payment.order, headers=headers)
        before = response.headers.get("Idempotent-Replayed") == "true"
        return Paid(_transfer(_members(response)), before)

    def transfers(self, **filters: str) -> Iterator[list[dict[str, Any]]]:
        """Give the pages of the books, newest first.

        Raises:
            RefusedError: the API says no.
            requests.RequestException: it cannot be asked.

        """
        url: str | None = f"{self._origin}/api/transfers/"
        parameters: Mapping[str, str] | None = filters
        while url is not None:
            page = _members(self._send("GET", url, params=parameters))
            yield _results(page)
            # The link has all that it takes.
            link, parameters = page.get("next"), None
            url = None if link is None else self._followed(link)

    def _followed(self, link: object) -> str:
        """Put together where a link leads to: the token goes to the API alone."""
        own = urlsplit(self._origin)
        try:
            parts = urlsplit(str(link))
            is_own = _place(parts) == _place(own)
        except ValueError:
            is_own = False
        if not is_own:
            raise requests.RequestException("The next page is not of the same origin.")
        # Its own text, that nobody reads the host in another way.
        return urlunsplit((own.scheme, own.netloc, parts.path, parts.query, ""))

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send it, again if that may help: the key makes that safe for a POST."""
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                response = self._session.request(
                    method, url, timeout=TIMEOUT, allow_redirects=False, **options
                )
            except (requests.ConnectionError, requests.Timeout):
                if last:
                    raise
                time.sleep(min(attempt, LONGEST_WAIT))
                continue
            wait = _wait(response)
            if wait is None or last:
                break
            time.sleep(wait)
        return _judged(response)


def _judged(response: requests.Response) -> requests.Response:
    status = response.status_code
    if 200 <= status < 300:
        return response
    refusal = RefusedError(response)
    if 400 <= status < 500 and status not in NO_VERDICT and _wait(response) is None:
        raise refusal
    raise requests.HTTPError(str(refusal), response=response)


def _wait(response: requests.Response) -> float | None:
    """Give the seconds to wait; None where waiting does not help."""
    text = response.headers.get("Retry-After", "")
    if response.status_code not in TRANSIENT or not text.isdecimal():
        return None
    return min(float(text), LONGEST_WAIT)


def _members(response: requests.Response) -> dict[str, Any]:
    try:
        return _object(response.json())
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _results(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the transfers of a page."""
    results = page.get("results")
    if not isinstance(results, list):
        raise requests.RequestException("The answer is no page of transfers.")
    for result in results:
        _transfer(result)
    return results


def _transfer(value: object) -> int:
    """Give the id of a transfer."""
    number = _object(value).get("id")
    if type(number) is not int:
        raise requests.RequestException("The answer is no transfer.")
    return number


def _place(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Give the origin (RFC 6454 section 4)."""
    return url.scheme, url.hostname, url.port or DEFAULT_PORTS.get(url.scheme)
