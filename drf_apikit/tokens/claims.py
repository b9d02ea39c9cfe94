"""What an access token says (RFC 9068 section 2.2)."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from drf_apikit.conf import apikit_settings, load
from drf_apikit.exceptions import RefreshTokenRefused
from drf_apikit.jose import Reason, TokenError, parse_compact
from drf_apikit.jose.compact import MAX_DEPTH
from drf_apikit.jose.profiles import RFC9068
from drf_apikit.tokens.clients import client_of_session
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.simplejwt_settings import simple_jwt

__all__ = ["REGISTERED", "json_ready", "refuse_registered", "session_claims", "sizes"]

#: What only this package says, and what shows that a token is of another kind.
REGISTERED: Final = frozenset(
    {
        *("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "nbf", "jti"),
        *("sid", "auth_time", "cnf", *RFC9068.foreign),
    }
)


def session_claims(session: TokenSession, own: Mapping[str, Any]) -> dict[str, Any]:
    """Give the claims of an access token of a session.

    `own` are those that the project has put into the refresh token; the function in
    `CLAIMS` adds what has to be up to date, and has the last word.

    Raises:
        ImproperlyConfigured: one of them has a name that is not for them.
        RefreshTokenRefused: the client is not in the settings any more.

    """
    extra = {**own, **_of_project(session)}
    refuse_registered(extra)
    client = client_of_session(session.client_id)
    if client is None:
        raise RefreshTokenRefused
    # What the settings have taken away is gone from live sessions as well.
    scopes = sorted(client.scopes.intersection(session.scopes.split()))
    scope = {"scope": " ".join(scopes)} if scopes else {}
    return {
        **extra,
        **scope,
        "sub": str(session.user_id),
        "client_id": client.client_id,
        "sid": str(session.id),
        "auth_time": int(session.created_epoch),
    }


def refuse_registered(names: Iterable[str]) -> None:
    """Refuse claims of a project that have a name of ours.

    Raises:
        ImproperlyConfigured: one of them has.

    """
    taken = sorted(REGISTERED.intersection(names))
    if taken:
        raise ImproperlyConfigured(
            f"Claims of a project may not be called {', '.join(taken)}: these say who"
            " may do what (RFC 9068 section 2.2). Give them names of your own."
        )


def json_ready(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Make claims what JSON has, with `JSON_ENCODER` of `SIMPLE_JWT`.

    Raises:
        TypeError: there is something that JSON has not.
        ValueError: so it is with not-a-number and infinities.
        ImproperlyConfigured: there is something that our own verifier does not read.

    """
    encoder = simple_jwt("JSON_ENCODER")
    encoder = load(encoder) if isinstance(encoder, str) else encoder
    try:
        text = json.dumps(dict(claims), cls=encoder, allow_nan=False)
        ready: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise _unreadable([*claims]) from None
    if not _is_readable(ready):
        raise _unreadable(
            [name for name in ready if not _is_readable({name: ready[name]})]
        )
    return ready


def sizes(claims: Mapping[str, Any]) -> str:
    """Name the three largest claims with their octets, never what they say."""
    found = {name: len(json.dumps(value)) for name, value in claims.items()}
    largest = sorted(found, key=lambda name: -found[name])[:3]
    return ", ".join(f"{name}: {found[name]}" for name in largest)


def _is_readable(claims: Mapping[str, Any]) -> bool:
    """Read them as strictly as verifiers do (RFC 8725 section 2.4); size is no matter.

    What is behind an escape, as half a pair of surrogates, is no text for them.
    """
    raw = json.dumps(claims).encode("ascii")
    payload = urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
    try:
        parse_compact(f"e30.{payload}.")
    except TokenError as error:
        return error.reason is not Reason.MALFORMED
    return True


def _unreadable(names: Iterable[str]) -> ImproperlyConfigured:
    listed = ", ".join(sorted(map(ascii, names)))
    return ImproperlyConfigured(
        f"Verifiers do not read what the claims {listed} say: half a pair of"
        f" surrogates, or more than {MAX_DEPTH} levels of lists and objects."
    )


def _of_project(session: TokenSession) -> dict[str, Any]:
    path = apikit_settings.tokens.claims
    return {} if path is None else dict(load(path)(session.user, session))
