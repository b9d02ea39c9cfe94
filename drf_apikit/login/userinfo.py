"""What the provider tells of a person (OpenID Connect Core section 5.3)."""

import time
from collections.abc import Mapping
from typing import Any, Final

from drf_apikit.jose import TokenError
from drf_apikit.login.authorization import provider_metadata
from drf_apikit.login.client import id_token_verifier
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.registration import Registration
from drf_apikit.oidc.fetch import FetchError, ask, parse_object
from drf_apikit.oidc.id_tokens import verify_userinfo
from drf_apikit.oidc.jwks import KeysUnavailableError
from drf_apikit.oidc.transport import Reply

__all__ = ["ask_userinfo", "joined"]


_ACCEPT: Final = "application/json, application/jwt"
_SIGNED: Final = "application/jwt"
#: What an ID token says of itself and of its login, and no other answer changes.
_OF_THE_TOKEN: Final = (
    *("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "sid"),
    *("at_hash", "auth_time", "acr", "amr"),
)


def ask_userinfo(
    client: Registration, access_token: str, subject: object
) -> Mapping[str, Any] | None:
    """Ask the userinfo endpoint; None where the provider has none.

    Raises:
        LoginError: it cannot be asked, or what it sends is of somebody else.

    """
    url = client.userinfo_endpoint or provider_metadata(client).userinfo_endpoint
    if url is None:
        return None
    try:
        reply = ask(
            "GET",
            url,
            headers={"Authorization": f"Bearer {access_token}", "Accept": _ACCEPT},
            timeout=client.timeout,
            proxies=client.proxies,
            allow_loopback_http=client.settings.insecure_loopback_http,
        )
    except FetchError as error:
        # What lies behind it has the token in its variables.
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, str(error)) from None
    claims = _read(client, url, reply)
    if claims.get("sub") != subject:
        # Section 5.3.2: it must not be used.
        raise _invalid(f"{url} tells of another subject")
    return claims


def joined(claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what the ID token and the userinfo endpoint say.

    Userinfo comes first, but who has logged in, where and when is for the ID token to
    say. An address has been verified by whom it comes from, or by nobody.
    """
    whole = {**claims, **userinfo}
    if "email" in userinfo or "email_verified" in userinfo:
        source = userinfo if "email" in userinfo else claims
        whole["email_verified"] = source.get("email_verified", False)
    kept = {name: claims[name] for name in _OF_THE_TOKEN if name in claims}
    return {**whole, **kept}


def _read(client: Registration, url: str, reply: Reply) -> Mapping[str, Any]:
    if reply.status != 200:
        detail = f"{url} answered {reply.status}"
        if reply.status == 429 or reply.status >= 500:
            raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, detail)
        raise _invalid(detail)
    kind = (reply.header("Content-Type") or "").partition(";")[0].strip().lower()
    try:
        if kind == _SIGNED:
            text = reply.body.decode("ascii", "replace").strip()
            return verify_userinfo(text, id_token_verifier(client), time.time())
        return parse_object(reply.body)
    except FetchError as error:
        raise _invalid(f"{url} sends {error}") from None
    except TokenError as error:
        raise _invalid(f"{url} sends what is refused: {error}") from None
    except KeysUnavailableError as error:
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, str(error)) from None


def _invalid(detail: str) -> LoginError:
    return LoginError(Reason.USERINFO_INVALID, 400, detail)
