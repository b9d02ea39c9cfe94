"""Bearer tokens in the Authorization header (RFC 6750 section 2.1)."""

import logging
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_apikit.authentication.challenges import challenge
from drf_apikit.authentication.principals import AccessToken
from drf_apikit.conf import apikit_settings, load
from drf_apikit.counters import count
from drf_apikit.exceptions import AuthenticationUnavailable, InvalidToken
from drf_apikit.jose import Reason, TokenError, parse_compact
from drf_apikit.oidc import Issuer, KeysUnavailableError, find_issuer
from drf_apikit.signals import token_rejected

__all__ = ["JWTBearerAuthentication"]

logger = logging.getLogger(__name__)

#: Where a refused request keeps its error code for the challenge.
_ERROR = "_drf_apikit_bearer_error"


class JWTBearerAuthentication(BaseAuthentication):
    """Accept RFC 9068 access tokens of the issuers in the settings.

    `request.user` is what `PRINCIPAL_RESOLVER` returns, `request.auth` the
    `AccessToken`. A request without a bearer token is left to the other
    authentication classes.

    Raises:
        InvalidToken: 401, whatever is wrong with the token; the precise reason
            goes to the log and to the signal `token_rejected`.
        AuthenticationUnavailable: 503, the issuer's keys cannot be had.

    """

    #: What of a request tells who asks, for `Vary`.
    vary_on_headers: ClassVar[Sequence[str]] = ("Authorization",)

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Verify the token, then find out whose it is."""
        credentials = _credentials(request)
        if credentials is None:
            return None
        issuer: Issuer | None = None
        try:
            token = parse_compact(credentials)
            issuer = find_issuer(token.payload.get("iss"))
            claims = issuer.verify(token, time.time())
        except TokenError as error:
            raise self._refuse(request, error.reason, issuer) from None
        except KeysUnavailableError as error:
            logger.warning("No keys of %s: %s", error.issuer, error)
            raise _unavailable(error) from None
        access = AccessToken(claims)
        resolve = load(apikit_settings.authentication.principal_resolver)
        principal = resolve(access)
        if principal is None:
            raise self._refuse(request, Reason.SUBJECT, issuer)
        count("authentication.token_accepted")
        return principal, access

    def authenticate_header(self, request: Request) -> str:
        """Challenge with an error code only if a token was refused."""
        return challenge(getattr(request._request, _ERROR, None))

    @staticmethod
    def _refuse(
        request: Request, reason: Reason, issuer: Issuer | None
    ) -> InvalidToken:
        """Tell the log and the listeners why, and the client nothing."""
        name = issuer.name if issuer else None
        logger.info("Refused a token of %s: %s", name, reason)
        count("authentication.token_rejected", reason=reason.value)
        token_rejected.send_robust(
            sender=JWTBearerAuthentication, request=request, reason=reason, issuer=name
        )
        setattr(request._request, _ERROR, "invalid_token")
        return InvalidToken()


def _unavailable(error: KeysUnavailableError) -> AuthenticationUnavailable:
    refusal = AuthenticationUnavailable()
    # Both exception handlers, DRF's and ours, make Retry-After of it.
    vars(refusal)["wait"] = error.retry_after
    return refusal


def _credentials(request: Request) -> str | None:
    """Give the token; the scheme's case does not matter (RFC 9110 11.1)."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None
