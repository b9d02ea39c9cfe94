"""The class that calls to other services name: `requests.get(url, auth=...)`."""

from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from requests.auth import AuthBase
from requests.exceptions import InvalidSchema, RequestException
from requests.models import PreparedRequest, Response

from drf_apikit.clients.errors import TokenUnavailableError
from drf_apikit.clients.tokens import find_client
from drf_apikit.counters import count
from drf_apikit.oidc.fetch import FetchError, check_url
from drf_apikit.oidc.shared_value import UnobtainableError

__all__ = ["ClientCredentials"]

_PORTS: Final = {"http": 80, "https": 443}


class ClientCredentials(AuthBase):
    """Sends the token of a client (RFC 6749 section 4.4), and gets one where needed.

    `name` is one of `DRF_APIKIT["CLIENTS"]["CREDENTIALS"]`, which is read at each
    use: make an object wherever you like, for any number of threads and processes.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientCredentials) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Add the token to a request; a 401 to it is answered with another one."""
        url = r.url or ""
        self._check(url)
        r.headers["Authorization"] = f"Bearer {self.access_token()}"
        r.hooks["response"].append(_Retry(self, url, r.body))
        return r

    def access_token(self) -> str:
        """Give the token, for whatever is no requests.

        Raises:
            TokenUnavailableError: there is none, and none can be had now.

        """
        try:
            return find_client(self.name).token.get()
        except UnobtainableError as error:
            told = f"No token for {self.name!r}: {error.reason}"
            raise TokenUnavailableError(told, error.retry_after) from None

    def another_token(self, refused: str) -> str | None:
        """Give another token than one that a service has answered 401 to.

        It may be one that another process has already. None: there is none, or one
        was fetched for that reason not long ago; let the 401 stand.
        """
        count("clients.token_refused")
        return find_client(self.name).token.replace(refused)

    def _check(self, url: str) -> None:
        """Refuse to show a token to whoever listens (RFC 6750 section 5.3)."""
        allowed = find_client(self.name).settings.insecure_loopback_http
        try:
            check_url(url, allow_loopback_http=allowed)
        except FetchError:
            # The URL itself may hold what is not for logs.
            raise InvalidSchema("a token is sent over https alone") from None


class _Retry:
    """Answers a 401 to one request with another token, once."""

    def __init__(self, credentials: ClientCredentials, url: str, body: Any) -> None:
        self._credentials = credentials
        self._origin = _origin(url)
        self._start = _position(body)

    def __call__(self, response: Response, **options: Any) -> Response:
        request = response.request
        refused = _token(request)
        # This is called for answers to redirects too, which may come from elsewhere.
        is_ours = refused is not None and _origin(request.url or "") == self._origin
        if response.status_code != 401 or refused is None or not is_ours:
            return response
        token = self._credentials.another_token(refused)
        if token is None or not self._is_rewound(request.body):
            return response
        return _sent_again(response, token, options)

    def _is_rewound(self, body: Any) -> bool:
        if body is None or isinstance(body, str | bytes):
            return True
        if self._start is None:
            return False
        try:
            body.seek(self._start)
        except (AttributeError, OSError, ValueError):
            return False
        return True


def _sent_again(response: Response, token: str, options: dict[str, Any]) -> Response:
    """Send a request with another token, as requests does for digest authentication.

    Its hooks are called for the answer by whoever calls this one.
    """
    _finish(response, is_stream=bool(options.get("stream")))
    request = response.request.copy()
    request.headers["Authorization"] = f"Bearer {token}"
    again: Response = response.connection.send(request, **options)
    again.history.append(response)
    again.request = request
    return again


def _finish(response: Response, *, is_stream: bool) -> None:
    """Give the connection back; a stream may have no end, so it is not read."""
    with suppress(RequestException, RuntimeError):
        _ = is_stream or response.content
    response.close()


def _origin(url: str) -> tuple[str, str, int | None]:
    """RFC 6454 section 4."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def _token(request: PreparedRequest) -> str | None:
    scheme, _, token = str(request.headers.get("Authorization", "")).partition(" ")
    return token if scheme == "Bearer" and token else None


def _position(body: Any) -> int | None:
    """Tell where a file was, so that it can be sent again from there."""
    try:
        return int(body.tell())
    except (AttributeError, OSError, ValueError):
        return None
