"""Bearer tokens in the Authorization header (RFC 6750 section 2.1)."""

import logging
import re
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_apikit.authentication.challenges import challenge
from drf_apikit.authentication.token import AccessToken
from drf_apikit.conf import apikit_settings, load
from drf_apikit.counters import count
from drf_apikit.exceptions import (
    AuthenticationUnavailable,
    InvalidRequest,
    InvalidToken,
)
from drf_apikit.jose import Reason, TokenError
from drf_apikit.oidc import KeysUnavailableError, VerifiedToken, verify_token
from drf_apikit.signals import token_accepted, token_rejected

__all__ = ["JWTBearerAuthentication"]

logger = logging.getLogger(__name__)

#: Where a refused request keeps its error code for the challenge.
_ERROR: Final = "_drf_apikit_bearer_error"
#: RFC 6750 section 2.1, `b64token`.
_TOKEN: Final = re.compile(r" +([A-Za-z0-9._~+/-]+=*) *")


class JWTBearerAuthentication(BaseAuthentication):
    """Accept the access tokens of the issuers in the settings.

    `request.user` is what `PRINCIPAL_RESOLVER` returns, `request.auth` the
    `AccessToken`. A request without a bearer token is left to the other
    authentication classes.

    Raises:
        InvalidToken: 401, whatever is wrong with the token; the precise reason
            goes to the log and to the signal `token_rejected`.
        InvalidRequest: 400, what comes with `Bearer` is no token, or more than one.
        AuthenticationUnavailable: 503, the issuer's keys cannot be had.

    """

    #: What of a request tells who asks, for `Vary`.
    vary_on_headers: ClassVar[Sequence[str]] = ("Authorization",)

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Verify the token, then find out whose it is."""
        verified = self._verified(request)
        if verified is None:
            return None
        token = AccessToken(verified.claims, verified.issuer.settings)
        resolve = load(apikit_settings.authentication.principal_resolver)
        principal = resolve(token)
        if principal is None:
            detail = "nobody here, or inactive"
            raise self._refused(request, Reason.SUBJECT, token.issuer, detail)
        count("authentication.token_accepted")
        token_accepted.send_robust(
            sender=JWTBearerAuthentication, request=request, token=token
        )
        return principal, token

    def authenticate_header(self, request: Request) -> str:
        """Challenge with an error code only if a token was refused."""
        return challenge(getattr(request._request, _ERROR, None))

    def _verified(self, request: Request) -> VerifiedToken | None:
        """Verify the token, if there is one.

        What calls the project's own functions does not have it: reports of their
        errors show local variables.
        """
        text = _credentials(request)
        if text is None:
            return None
        try:
            return verify_token(text, time.time())
        except TokenError as error:
            raise self._refused(
                request, error.reason, error.issuer, error.detail
            ) from None
        except KeysUnavailableError as error:
            logger.warning("No keys of %s: %s", error.issuer, error)
            count("authentication.keys_unavailable")
            raise _unavailable(error) from None

    @staticmethod
    def _refused(
        request: Request, reason: Reason, issuer: str | None, detail: str
    ) -> InvalidToken:
        """Tell the log and the listeners why, and the client nothing."""
        logger.info("Refused a token of %s: %s (%s)", issuer, reason, detail)
        count("authentication.token_rejected", reason=reason.value)
        token_rejected.send_robust(
            sender=JWTBearerAuthentication,
            request=request,
            reason=reason,
            issuer=issuer,
            detail=detail,
        )
        setattr(request._request, _ERROR, "invalid_token")
        return InvalidToken()


def _unavailable(error: KeysUnavailableError) -> AuthenticationUnavailable:
    refusal = AuthenticationUnavailable()
    # Both exception handlers, DRF's and ours, make Retry-After of it.
    vars(refusal)["wait"] = error.retry_after
    return refusal


def _credentials(request: Request) -> str | None:
    """Give the token; the scheme's case does not matter (RFC 9110 section 11.1).

    Servers join headers of one name by commas, so a second token shows as one.
    """
    headers = request._request.META
    value: str = headers.get("HTTP_AUTHORIZATION", "")
    if value[:6].lower() != "bearer" or value[6:7] not in {"", " "}:
        return None
    found = _TOKEN.fullmatch(value, 6)
    # RFC 6750 section 2: one method of sending it, not two.
    # Reading the parameters where there are none costs more than most of the rest.
    in_query = headers.get("QUERY_STRING") and "access_token" in request.query_params
    if found is None or in_query:
        refusal = InvalidRequest()
        # Both exception handlers, DRF's and ours, make WWW-Authenticate of it.
        vars(refusal)["auth_header"] = challenge("invalid_request")
        raise refusal
    return found[1]
