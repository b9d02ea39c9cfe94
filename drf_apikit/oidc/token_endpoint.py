"""Requests to a provider's token endpoint, and to the one that revokes tokens.

A request is made once. What goes wrong is either a refusal, which another try would
not change, or a provider that cannot be asked now. What is sent, and the tokens that
come, are in no error, log or repr.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.views.decorators.debug import sensitive_variables

from drf_apikit.oidc.client_authentication import ClientAuthentication
from drf_apikit.oidc.fetch import FetchError, ask, parse_object
from drf_apikit.oidc.transport import Reply

__all__ = [
    "MAX_LIFE",
    "MAX_TOKEN",
    "ProviderError",
    "ProviderUnavailableError",
    "TokenAnswer",
    "TokenRefusedError",
    "request_tokens",
    "revoke",
]

logger = logging.getLogger("drf_apikit.oidc")

#: Characters of a token.
MAX_TOKEN: Final = 16 * 1024
#: Seconds: no token is believed to live longer than a year.
MAX_LIFE: Final = 366.0 * 24 * 60 * 60
#: Characters of a description that are kept.
_MAX_DESCRIPTION: Final = 200
_HEADERS: Final = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
}
#: RFC 6750 section 2.1: what fits into `Authorization`.
_BEARER: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
#: RFC 6749 appendices A.16 and A.17.
_VISIBLE: Final = re.compile(r"[ -~]+")
#: RFC 6749 section 3.3.
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
#: RFC 6749 section 5.2.
_ERROR: Final = re.compile(r"[ !#-\[\]-~]{1,100}")
_SECONDS: Final = re.compile(r"[0-9]{1,20}")
#: Refusals that are none: the provider is at fault, and says so with status 400.
_OUTAGES: Final = frozenset({"server_error", "temporarily_unavailable"})
#: Parameters of a request that say nothing which others may not read.
_OPEN: Final = frozenset(
    {"audience", "client_id", "grant_type", "redirect_uri", "resource", "scope"}
    | {"client_assertion_type"}
)
#: Characters of a secret that is looked for in what the provider says: a shorter one
#: is found in any text.
_LEAST_SECRET: Final = 8


class ProviderError(Exception):
    """The provider has given no tokens; the text is for logs."""


class TokenRefusedError(ProviderError):
    """It has refused, and would again (RFC 6749 section 5.2).

    `error` is its code. `description` is its text, cut and printable, for logs alone.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"refused with {error}")
        self.error = error
        self.description = description


class ProviderUnavailableError(ProviderError):
    """It cannot be asked now, or answers nonsense.

    `retry_after` is in seconds, or None where it does not say.
    """

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What a token endpoint has given (RFC 6749 section 5.1).

    `expires_in` is in seconds: a number or the text of one, a year at the most. None
    where the provider says nothing, or nothing that could be: then nobody knows.
    """

    access_token: str = field(repr=False)
    expires_in: float | None = None
    scope: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


# Error reports show variables: those of what is called from here are hidden too.
@sensitive_variables()
def request_tokens(
    url: str,
    form: Mapping[str, str],
    authentication: ClientAuthentication,
    *,
    timeout: float,
    proxies: Mapping[str, str] | None = None,
    allow_loopback_http: bool = False,
    now: float,
) -> TokenAnswer:
    """Ask a token endpoint for what `form` says; `now` is seconds of the epoch.

    Raises:
        TokenRefusedError: it refuses.
        ProviderUnavailableError: it cannot be reached, or answers nonsense.

    """
    request = _Request.made(form, authentication, now)
    reply = request.post(
        url,
        timeout=timeout,
        proxies=proxies,
        allow_loopback_http=allow_loopback_http,
    )
    if reply.status == 200:
        try:
            return _answer(parse_object(reply.body))
        except FetchError as error:
            raise ProviderUnavailableError(f"{url} sends {error}") from None
    raise _failure(url, reply, request)


@sensitive_variables()
def revoke(
    url: str,
    token: str,
    authentication: ClientAuthentication,
    *,
    timeout: float,
    proxies: Mapping[str, str] | None = None,
    allow_loopback_http: bool = False,
    now: float,
) -> bool:
    """Ask for a token to be revoked (RFC 7009 section 2); tell whether it is.

    It is no error where it is not: the log says why.
    """
    request = _Request.made({"token": token}, authentication, now)
    try:
        reply = request.post(
            url,
            timeout=timeout,
            proxies=proxies,
            allow_loopback_http=allow_loopback_http,
        )
    except ProviderError as error:
        logger.warning("Cannot revoke a token: %s", error)
        return False
    if reply.status == 200:
        return True
    logger.warning("Cannot revoke a token: %s", _failure(url, reply, request))
    return False


@dataclass(frozen=True, slots=True, repr=False)
class _Request:
    """A form as it is sent. Error reports show variables, so it shows nothing."""

    headers: Mapping[str, str]
    body: bytes
    #: What of it nobody else may see.
    secrets: frozenset[str]

    @classmethod
    def made(
        cls, form: Mapping[str, str], authentication: ClientAuthentication, now: float
    ) -> "_Request":
        """Add to a form what shows who sends it."""
        fields, headers = dict(form), dict(_HEADERS)
        authentication.apply(fields, headers, now)
        sent = {value for name, value in fields.items() if name not in _OPEN}
        sent.add(authentication.client_secret or "")
        secrets = frozenset(text for text in sent if len(text) >= _LEAST_SECRET)
        return cls(headers, urlencode(fields).encode("ascii"), secrets)

    def post(self, url: str, **options: Any) -> Reply:
        """Send it; give the answer, whatever its status."""
        try:
            return ask("POST", url, headers=self.headers, body=self.body, **options)
        except FetchError as error:
            # What lies behind it has the request in its variables.
            raise ProviderUnavailableError(str(error)) from None


def _answer(members: Mapping[str, Any]) -> TokenAnswer:
    """Read RFC 6749 section 5.1; an error is a word on what is sent instead."""
    token = members.get("access_token")
    if not isinstance(token, str):
        raise FetchError("no access token")
    if len(token) > MAX_TOKEN or not _BEARER.fullmatch(token):
        raise FetchError("an access token that is none of RFC 6750")
    kind = members.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        # RFC 6749 section 7.1: one must not use a token of an unknown type.
        raise FetchError("a token that is not of the type Bearer")
    scope = members.get("scope")
    is_scope = isinstance(scope, str) and _SCOPE.fullmatch(scope)
    return TokenAnswer(
        token,
        _life(members.get("expires_in")),
        scope if is_scope else None,
        _optional(members, "refresh_token"),
        _optional(members, "id_token"),
    )


def _optional(members: Mapping[str, Any], name: str) -> str | None:
    token = members.get(name)
    if token is None or token == "":
        return None
    good = isinstance(token, str) and len(token) <= MAX_TOKEN
    if not good or not _VISIBLE.fullmatch(token):
        raise FetchError(f"an unusable {name}")
    return str(token)


def _life(value: Any) -> float | None:
    """Read `expires_in`; some write a text, and for some nothing is what it says."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(min(value, MAX_LIFE)) if value > 0 else None


def _failure(url: str, reply: Reply, request: _Request) -> ProviderError:
    """Tell a refusal (RFC 6749 section 5.2) from what is none."""
    error, description = _refusal(reply, request)
    is_final = 400 <= reply.status < 500 and reply.status != 429
    if error and is_final and error not in _OUTAGES:
        return TokenRefusedError(error, description)
    named = f" with {error}" if error else ""
    return ProviderUnavailableError(
        f"{url} answered {reply.status}{named}", _retry_after(reply)
    )


def _refusal(reply: Reply, request: _Request) -> tuple[str, str]:
    """Read the code and the text of an error; none of them quotes a secret."""
    try:
        members = parse_object(reply.body)
    except FetchError:
        return "", ""
    error, text = members.get("error"), members.get("error_description")
    if not isinstance(error, str) or not _ERROR.fullmatch(error):
        return "", ""
    if any(secret in error for secret in request.secrets):
        return "", ""
    description = text if isinstance(text, str) else ""
    for secret in request.secrets:
        description = description.replace(secret, "***")
    return error, _printable(description[:_MAX_DESCRIPTION])


def _printable(text: str) -> str:
    """Replace what would end a line of a log, or hide in it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _retry_after(reply: Reply) -> int | None:
    """RFC 9110 section 10.2.3; a date is not believed, since clocks differ."""
    value = (reply.header("Retry-After") or "").strip()
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None
