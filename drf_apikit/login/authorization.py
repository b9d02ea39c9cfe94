"""The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1).

Each one has a `state` of its own in the session, with all that its answer is judged
by: nonce, code verifier (RFC 7636), issuer, time, and where to go afterwards.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import get_random_string

from drf_apikit.login.attempts import Attempt, remember
from drf_apikit.login.client import metadata
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.registration import Registration, registration
from drf_apikit.oidc.metadata import ProviderMetadata
from drf_apikit.oidc.token_endpoint import ProviderUnavailableError

__all__ = ["authorization_url", "provider_metadata", "redirect_uri"]

logger = logging.getLogger(__name__)

#: What decides how an answer is judged, or would be a request beside this one.
_OURS: Final = frozenset(
    {
        *("response_type", "response_mode", "client_id", "redirect_uri", "state"),
        *("nonce", "code_challenge", "code_challenge_method", "request"),
        *("request_uri", "registration", "iss", "max_age"),
    }
)
#: Where to ask for what would be asked for here, but not checked in the answer.
_INSTEAD: Final[Mapping[str, str]] = {
    "max_age": ": DRF_APIKIT['LOGIN']['MAX_AGE'] asks for it, and checks it",
}
#: 22 characters out of 62 are 128 bits that nobody guesses (RFC 6749 section 10.10).
_SHORTEST: Final = 22
#: An answer whose state is longer is none.
_LONGEST: Final = 512
#: RFC 7636 section 4.1.
_VERIFIER: Final = (43, 128)


def authorization_url(
    request: HttpRequest,
    extra: Mapping[str, Any],
    *,
    next_url: str | None = None,
    silent: bool = False,
) -> str:
    """Give the URL that a browser goes to, and keep in the session what it asks for.

    `extra` are parameters of the project; `silent` asks for an answer without the
    person (`prompt=none`).

    Raises:
        LoginError: the provider cannot be asked where that is.

    """
    client = registration()
    endpoint = _endpoint(client)
    state = _random("OIDC_STATE_SIZE")
    nonce = _random("OIDC_NONCE_SIZE") if client.use_nonce else None
    verifier = _code_verifier() if client.use_pkce else None
    parameters: dict[str, Any] = {
        "scope": client.scopes,
        **_permitted(extra),
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri(request),
        "state": state,
        **_proofs(nonce, verifier),
    }
    if client.settings.max_age is not None:
        parameters["max_age"] = client.settings.max_age
    if silent:
        parameters["prompt"] = "none"
    attempt = Attempt(
        issuer=client.issuer,
        nonce=nonce,
        code_verifier=verifier,
        next_url=next_url,
        silent=silent,
    )
    remember(request.session, state, attempt)
    # The endpoint may have a query, which stays (RFC 6749 section 3.1).
    joint = "&" if "?" in endpoint else "?"
    return f"{endpoint}{joint}{urlencode(parameters, quote_via=quote)}"


def redirect_uri(request: HttpRequest) -> str:
    """Give the URL of the callback, as the provider knows it."""
    name = getattr(
        django_settings,
        "OIDC_AUTHENTICATION_CALLBACK_URL",
        "oidc_authentication_callback",
    )
    return request.build_absolute_uri(reverse(name))


def provider_metadata(client: Registration) -> ProviderMetadata:
    """Give what the provider says of itself.

    Raises:
        LoginError: it cannot be asked.

    """
    try:
        return metadata(client)
    except ProviderUnavailableError as error:
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, str(error)) from error


def _endpoint(client: Registration) -> str:
    endpoint = client.authorization_endpoint
    if endpoint is None:
        endpoint = provider_metadata(client).authorization_endpoint
    if endpoint is None:
        detail = f"{client.issuer} has no authorization endpoint that can be used"
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, detail)
    return endpoint


def _random(setting: str) -> str:
    size = getattr(django_settings, setting, None) or 32
    return get_random_string(min(max(size, _SHORTEST), _LONGEST))


def _code_verifier() -> str:
    shortest, longest = _VERIFIER
    size = getattr(django_settings, "OIDC_PKCE_CODE_VERIFIER_SIZE", None) or 64
    return get_random_string(min(max(size, shortest), longest))


def _proofs(nonce: str | None, verifier: str | None) -> dict[str, str]:
    """Give what ties the answer to this request: a nonce, and S256 (RFC 7636 4.2)."""
    proofs = {} if nonce is None else {"nonce": nonce}
    if verifier is not None:
        digest = sha256(verifier.encode("ascii")).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        proofs |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return proofs


def _permitted(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what would change how the answer is judged."""
    for name in sorted(_OURS.intersection(extra)):
        why = _INSTEAD.get(name, "")
        logger.warning("The extra parameter %s of the login is left out%s", name, why)
    return {name: value for name, value in extra.items() if name not in _OURS}
