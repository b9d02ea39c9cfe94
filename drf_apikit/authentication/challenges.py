"""The `WWW-Authenticate` header of RFC 6750 section 3."""

from collections.abc import Iterable

from drf_apikit.conf import apikit_settings

__all__ = ["challenge"]


def challenge(error: str | None = None, scopes: Iterable[str] = ()) -> str:
    """Write a challenge; without `error` where no credentials were sent.

    The error codes are all that a client learns about a refusal.
    """
    parameters = {"realm": apikit_settings.authentication.realm}
    if error is not None:
        parameters["error"] = error
    if scopes:
        parameters["scope"] = " ".join(sorted(scopes))
    listed = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return f"Bearer {listed}"
