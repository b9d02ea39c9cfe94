"""The key ring and our verifier, where simplejwt has its `TokenBackend`."""

import logging
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import (
    TokenBackendError,
    TokenBackendExpiredToken,
)

from drf_apikit.conf import IssuerSettings, TokensSettings, apikit_settings
from drf_apikit.exceptions import TokensUnavailable, TokenTooLarge
from drf_apikit.jose import Policy, Reason, TokenError, parse_compact, verify
from drf_apikit.jose.claims import ClaimRules
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.oidc.issuers import judged
from drf_apikit.problem_types import INVALID_TOKEN
from drf_apikit.tokens.claims import json_ready, refuse_registered, sizes
from drf_apikit.tokens.keyring import current_ring, local_keys
from drf_apikit.tokens.simplejwt_settings import names_primary_key, simple_jwt

__all__ = ["ACCESS", "AccessTokenBackend", "unavailable"]

logger = logging.getLogger(__name__)

#: `token_type` of an access token, in memory alone.
ACCESS: Final = "access"
#: RFC 9068 section 2.1.
_TYPE: Final = "at+jwt"
#: As for the tokens of any issuer.
_USUAL: Final = IssuerSettings(audience=frozenset())
#: RFC 9068 section 2.2.
_REQUIRED: Final = ("sub", "client_id", "iat", "exp")


class AccessTokenBackend:
    """From the claims of an access token to its text, and back.

    In memory these tokens have the claims that simplejwt knows, `token_type` and
    `user_id`; what is signed is as in RFC 9068.
    """

    def encode(self, payload: Mapping[Any, Any]) -> str:
        """Sign an access token.

        Raises:
            TokensUnavailable: there is no key to sign with.
            TokenTooLarge: more than `MAX_SIZE`; the log names the largest claims.
            ImproperlyConfigured: there is no `ISSUER`.
            AuthenticationFailed: the user has the name of a client, and would pass
                for it (RFC 9068 section 5).
            TypeError, ValueError: JSON has no such claims.

        """
        settings = _section()
        claims = {**_public(payload), "iss": settings.issuer, "aud": _aud(settings)}
        for name in _REQUIRED:
            if name not in claims:
                raise ImproperlyConfigured(f"An access token needs the claim {name!r}.")
        claims = json_ready(claims)
        if claims["sub"] == claims["client_id"]:
            logger.warning("Refused a user whose key is a client_id: %s", claims["sub"])
            raise AuthenticationFailed
        try:
            text = current_ring().signing_key().sign(claims, _TYPE)
        except KeysUnavailableError as error:
            raise unavailable(error.retry_after) from error
        if len(text) > settings.max_size:
            logger.error(
                "An access token of %d octets is more than MAX_SIZE, %d: %s",
                *(len(text), settings.max_size, sizes(claims)),
            )
            raise TokenTooLarge
        return text

    def decode(self, token: str | bytes, *, verify: bool = True) -> dict[str, Any]:
        """Verify an access token of ours, and give what simplejwt has in memory.

        With `verify` off nothing that it says may be believed.

        Raises:
            TokenBackendError: it is refused.
            TokensUnavailable: there are no keys to judge it by.

        """
        try:
            text = token.decode("ascii") if isinstance(token, bytes) else str(token)
            return _in_memory(_verified(text) if verify else _read(text))
        except KeysUnavailableError as error:
            raise unavailable(error.retry_after) from error
        except TokenError as error:
            logger.info("Refused a token: %s (%s)", error.reason, error.detail)
            is_over = error.reason is Reason.EXPIRED
            kind = TokenBackendExpiredToken if is_over else TokenBackendError
            raise kind(INVALID_TOKEN.documentation) from None
        except UnicodeDecodeError:
            raise TokenBackendError(INVALID_TOKEN.documentation) from None

    def get_leeway(self) -> timedelta:
        """Tell how far clocks may differ, as for the tokens of any issuer."""
        return timedelta(seconds=_USUAL.leeway)


def unavailable(seconds: int) -> TokensUnavailable:
    """Make the refusal of whoever should come again after so many seconds."""
    refusal = TokensUnavailable()
    # Both exception handlers, DRF's and ours, make Retry-After of it.
    vars(refusal)["wait"] = seconds
    return refusal


def _section() -> TokensSettings:
    settings = apikit_settings.tokens
    if settings.issuer is None:
        raise ImproperlyConfigured(
            "DRF_APIKIT['TOKENS']['ISSUER'] is not set: there is nobody to give out"
            " tokens. It must be the URL of this project."
        )
    return settings


def _aud(settings: TokensSettings) -> str | list[str]:
    """RFC 7519 section 4.1.3: a text if there is one."""
    listed = sorted(settings.audience or ())
    return listed[0] if len(listed) == 1 else listed


def _public(payload: Mapping[Any, Any]) -> dict[str, Any]:
    """Leave out what is in memory alone."""
    claims = dict(payload)
    claims.pop(simple_jwt("TOKEN_TYPE_CLAIM"), None)
    # A digest of the password's hash, for all to read.
    claims.pop(simple_jwt("REVOKE_TOKEN_CLAIM"), None)
    jti = claims.pop(simple_jwt("JTI_CLAIM"), None)
    if names_primary_key():
        user = claims.pop(simple_jwt("USER_ID_CLAIM"), None)
        if user is not None:
            claims.setdefault("sub", str(user))
    else:
        refuse_registered([simple_jwt("USER_ID_CLAIM")])
    return {**claims, "jti": jti or uuid.uuid4().hex}


def _in_memory(claims: Mapping[str, Any]) -> dict[str, Any]:
    payload = dict(claims)
    if names_primary_key():
        payload[simple_jwt("USER_ID_CLAIM")] = claims.get("sub")
    payload[simple_jwt("JTI_CLAIM")] = claims.get("jti")
    return {**payload, simple_jwt("TOKEN_TYPE_CLAIM"): ACCESS}


def _read(text: str) -> Mapping[str, Any]:
    return parse_compact(text).payload


def _verified(text: str) -> Mapping[str, Any]:
    settings = _section()
    rules = ClaimRules(
        issuer=str(settings.issuer),
        audiences=settings.audience,
        leeway=_USUAL.leeway,
    )
    policy = Policy(rules, _USUAL.algorithms)
    token = parse_compact(text)
    claims, _ = judged(
        local_keys(), token, lambda keys: verify(token, keys, policy, time.time())
    )
    return claims
