"""What a session knows of the provider's: whose it is, until when, and its tokens."""

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import apikit_settings
from drf_apikit.login.result import LoginResult
from drf_apikit.login.stored import edit
from drf_apikit.login.vault import KeptTokens, discard, keep, kept
from drf_apikit.oidc.token_endpoint import TokenAnswer

__all__ = [
    "PAUSE",
    "Ticket",
    "begin_session",
    "forget_tokens",
    "go_on",
    "held_tokens",
    "is_in_grace",
    "ticket_of",
    "tokens_from",
    "tokens_of",
    "update",
]

#: Seconds after which a provider that could not be asked is asked again.
PAUSE: Final = 10
#: Where mozilla-django-oidc has them.
_EXPIRATION: Final = "oidc_id_token_expiration"
_STORED: Final = ("oidc_access_token", "oidc_id_token")
_TICKET: Final = "drf_apikit_login"
#: Seconds of a session whose provider does not say how long its token lives.
_LIFE: Final = 15 * 60
#: Seconds: what is renewed more often than that is never done with it.
_SHORTEST: Final = 10
#: The share of a token's life after which the first request renews it.
_SHARE: Final = 0.8
#: Of the ID token of the login, what later ones are compared with.
_COMPARED: Final = ("iss", "sub", "azp", "aud", "iat", "auth_time", "nonce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a session says of itself; `vault` is where its tokens are.

    The times are those of a copy of the session, and the tokens may be newer.
    """

    issuer: str = ""
    subject: str = ""
    sid: str | None = None
    vault: str | None = None
    renew_at: float = 0.0
    expires_at: float = 0.0


@sensitive_variables()
def begin_session(request: HttpRequest, result: LoginResult) -> None:
    """Keep what came with a login, in the session of whom has logged in."""
    session, now = request.session, time.time()
    tokens = replace(
        tokens_from(result.tokens, None, now),
        claims={
            name: result.claims[name] for name in _COMPARED if name in result.claims
        },
    )
    sid = result.claims.get("sid")
    ticket = Ticket(
        issuer=str(result.claims["iss"]),
        subject=str(result.claims["sub"]),
        sid=sid if isinstance(sid, str) else None,
        vault=keep(session, None, tokens),
    )
    session.update(_written(ticket, tokens))


@sensitive_variables()
def tokens_from(
    answer: TokenAnswer, former: KeptTokens | None, now: float
) -> KeptTokens:
    """Say what is kept of an answer, and until when it holds."""
    chosen = getattr(django_settings, "OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS", None)
    life = answer.expires_in or _LIFE if chosen is None else chosen
    expires_at = now + max(life, _SHORTEST)
    if former is None:
        former = KeptTokens(renew_at=now, expires_at=now)
    refresh_token = answer.refresh_token or former.refresh_token
    share = 1.0 if refresh_token is None else _SHARE
    stores = getattr(django_settings, "OIDC_STORE_ACCESS_TOKEN", False)
    return KeptTokens(
        renew_at=now + share * (expires_at - now),
        expires_at=expires_at,
        refresh_token=refresh_token,
        access_token=answer.access_token if stores else None,
        id_token=answer.id_token or former.id_token,
        claims=former.claims,
    )


def ticket_of(session: SessionBase) -> Ticket | None:
    """Give what a session says of itself; None where nobody logged in by a provider."""
    written = session.get(_TICKET)
    if not isinstance(written, Mapping):
        return None
    try:
        return Ticket(**written)
    except TypeError:
        # Of another release.
        return None


def tokens_of(session: SessionBase) -> KeptTokens | None:
    """Give the tokens of a session as they are now."""
    ticket = ticket_of(session)
    return None if ticket is None else kept(session, ticket.vault)


def held_tokens(session: SessionBase, ticket: Ticket) -> KeptTokens | None:
    """Give the tokens to renew by; those of a former provider are not for this one."""
    tokens = kept(session, ticket.vault)
    if tokens is None or ticket.issuer == apikit_settings.login.issuer:
        return tokens
    discard(session, ticket.vault)
    return None


@sensitive_variables()
def update(session: SessionBase, tokens: KeptTokens) -> bool:
    """Let a session say what its tokens say; others that save it do no harm.

    Tells whether it was stored.
    """
    ticket = ticket_of(session)
    return ticket is not None and _set(session, _written(ticket, tokens))


def go_on(session: SessionBase) -> bool:
    """Let a session that is due go on for a while, without the provider.

    Tells whether it may: not for longer than `SESSION_GRACE`.
    """
    ticket, now = ticket_of(session), time.time()
    if ticket is None or not is_in_grace(ticket.expires_at, now):
        return False
    _set(session, {_TICKET: asdict(ticket) | {"renew_at": now + PAUSE}})
    return True


def is_in_grace(expires_at: float, now: float) -> bool:
    """Tell whether a session may be used although nobody vouches for it now."""
    return now < expires_at + apikit_settings.login.session_grace


def forget_tokens(session: SessionBase) -> None:
    """Delete the tokens of a session that ends, or gets others."""
    ticket = ticket_of(session)
    if ticket is not None:
        discard(session, ticket.vault)


@sensitive_variables()
def _set(session: SessionBase, values: Mapping[str, Any]) -> bool:
    @sensitive_variables()
    def write(items: MutableMapping[str, Any]) -> None:
        # Who finds it done does not save, and so gets in nobody's way.
        if {name: items.get(name) for name in values} != values:
            items.update(values)

    return edit(session, write)


def _forget(*, request: HttpRequest | None = None, **_: object) -> None:
    # What sends Django's signal need not have a request, or one with a session.
    session: SessionBase | None = getattr(request, "session", None)
    if session is not None:
        forget_tokens(session)


user_logged_out.connect(_forget, dispatch_uid="drf_apikit.login.sessions")


@sensitive_variables()
def _written(ticket: Ticket, tokens: KeptTokens) -> dict[str, Any]:
    times = {"renew_at": tokens.renew_at, "expires_at": tokens.expires_at}
    values: dict[str, Any] = {
        _TICKET: asdict(ticket) | times,
        _EXPIRATION: tokens.expires_at,
    }
    stores = getattr(django_settings, "OIDC_STORE_ID_TOKEN", False)
    given = (tokens.access_token, tokens.id_token if stores else None)
    values.update(
        (name, text) for name, text in zip(_STORED, given, strict=True) if text
    )
    return values
