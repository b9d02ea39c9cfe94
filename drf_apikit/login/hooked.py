"""What a project's own code gives, which may be anything."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.exceptions import (
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, IntegrityError

from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.oidc.token_endpoint import TokenAnswer

__all__ = ["asked", "hooked", "tokens_given"]

logger = logging.getLogger(__name__)

#: What a hook raises for claims that it cannot work with. Everything else is a fault
#: of its own.
_UNFIT: Final = (
    DataError,
    IntegrityError,
    LookupError,
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
    ValueError,
)


def hooked(call: Callable[[], Any]) -> Any:
    """Call a hook: claims that do not suit it are a refusal.

    Raises:
        LoginError: they do not.

    """
    try:
        return call()
    except OSError:
        # Some of those that requests raises are ValueErrors too.
        raise
    except _UNFIT as error:
        logger.warning("The claims do not suit this project", exc_info=True)
        raise LoginError(Reason.CLAIMS_REFUSED, 403, type(error).__name__) from error


def asked(call: Callable[[], Any]) -> Any:
    """Call a hook that asks the provider.

    Raises:
        LoginError: it cannot be asked, or what it says does not suit the hook.

    """
    try:
        return hooked(call)
    except OSError as error:
        # As all are that requests raises.
        name = type(error).__name__
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, name) from error


def tokens_given(members: Any) -> TokenAnswer:
    """Read what `get_token()` gives.

    Raises:
        LoginError: there is no access token.

    """
    given = members if isinstance(members, Mapping) else {}

    def text(name: str) -> str | None:
        value = given.get(name)
        return value if isinstance(value, str) and value else None

    access_token, life = text("access_token"), given.get("expires_in")
    if access_token is None:
        detail = "get_token() gives no access token"
        raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, detail)
    return TokenAnswer(
        access_token,
        float(life) if isinstance(life, int | float) else None,
        text("scope"),
        text("refresh_token"),
        text("id_token"),
    )
