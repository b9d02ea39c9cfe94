"""From a refresh token to the next one, with an access token."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import router, transaction
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import get_md5_hash_password

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.tokens.claims import REGISTERED
from drf_apikit.tokens.clients import usual_client
from drf_apikit.tokens.keyring import current_ring
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    LegacyToken,
    RefreshRefusedError,
    Refusal,
    end_session,
    exchange_legacy,
    find_session,
    may_log_in,
    rotate,
    was_exchanged,
)
from drf_apikit.tokens.sessions.keepable import refuse_unkept
from drf_apikit.tokens.simplejwt_settings import simple_jwt
from drf_apikit.tokens.tokens import RefreshToken

__all__ = ["Pair", "is_good_legacy", "log_out", "renew"]

#: What simplejwt, PyJWT and databases make of a token that nobody has signed, or that
#: names nobody.
_UNREADABLE: Final = (
    *(KeyError, OverflowError, RecursionError, TokenError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A refresh token and an access token, with what both are about."""

    refresh: str
    access: Any
    #: Signed.
    access_text: str

    def answer(self) -> dict[str, Any]:
        """Give what a client gets (RFC 6749 section 5.1, with simplejwt's names)."""
        claims = self.access.payload
        answer = {
            "refresh": self.refresh,
            "access": self.access_text,
            "token_type": "Bearer",
            "expires_in": claims["exp"] - claims["iat"],
        }
        scope = claims.get("scope")
        return {**answer, "scope": scope} if scope else answer

    @classmethod
    def of(cls, token: RefreshToken) -> "Pair":
        """Write both; a session that opens here does so with both or not at all."""
        # What the ring may have to write is no part of that.
        current_ring().signing_key()
        with transaction.atomic(using=router.db_for_write(TokenSession)):
            access = token.access_token
            text = str(access)
            return cls(str(token), access, text)


def renew(text: str, kind: type[RefreshToken], user_agent: str = "") -> Pair:
    """Use up a refresh token.

    The access token is signed first: whatever keeps that from being done, the refresh
    token is as good as before.

    Raises:
        RefreshRefusedError: it is not good, or another request has used it.

    """
    pair = _renewed(text, kind, user_agent)
    count("tokens.issued", by="refresh")
    return pair


def _renewed(text: str, kind: type[RefreshToken], user_agent: str) -> Pair:
    if _is_legacy(text):
        made: list[Pair] = []

        def sign(session: TokenSession, successor: str) -> None:
            made.append(Pair.of(kind.of_session(session, successor)))

        _exchanged(text, user_agent, sign)
        # What was signed before it is of an attempt that was taken back.
        return made[-1]
    try:
        ready = Pair.of(kind.of_session(find_session(text), text))
    except RefreshRefusedError:
        # What is wrong with it is for `rotate` to judge, which may do harm.
        rotated = rotate(text)
        return Pair.of(kind.of_session(rotated.session, rotated.refresh_token))
    rotated = rotate(text)
    return Pair(rotated.refresh_token, ready.access, ready.access_text)


def log_out(text: str) -> None:
    """End the session of a refresh token, whether or not it is good any more.

    A logout that is sent again has come to its end; one with a token that was used
    is meant as well.

    Raises:
        RefreshRefusedError: it is nobody's.

    """
    try:
        session = _exchanged(text) if _is_legacy(text) else find_session(text)
    except RefreshRefusedError as error:
        if error.session is None:
            raise
        session = error.session
    end_session(session.id, Ending.LOGOUT)


def is_good_legacy(text: str) -> bool:
    """Tell whether it would be exchanged, and do nothing to it."""
    if not _is_legacy(text):
        return False
    try:
        token, _ = _judged(text)
    except RefreshRefusedError:
        return False
    return not was_exchanged(_name(token, text))


def _is_legacy(text: str) -> bool:
    """Tell whether it may be one of simplejwt's, which the settings let in."""
    is_wanted = apikit_settings.tokens.legacy_refresh_tokens == "exchange"
    return is_wanted and text.count(".") == 2


def _exchanged(
    text: str,
    user_agent: str = "",
    prepare: Callable[[TokenSession, str], None] | None = None,
) -> TokenSession:
    """Make a session of a refresh token that simplejwt itself still takes."""
    token, user = _judged(text)
    client = usual_client()
    # What the ring may have to write is no part of the transaction.
    current_ring().signing_key()
    names = ("USER_ID_CLAIM", "REVOKE_TOKEN_CLAIM")
    ours = {*token.no_copy_claims, *map(simple_jwt, names), *REGISTERED}
    claims = {name: token[name] for name in token.payload if name not in ours}
    try:
        refuse_unkept(client.client_id, "", claims)
    except ValueError:
        raise RefreshRefusedError(Refusal.UNKNOWN) from None
    session, _ = exchange_legacy(
        user,
        LegacyToken(text, _name(token, text)),
        client_id=client.client_id,
        scopes=client.scopes,
        claims=claims,
        user_agent=user_agent,
        prepare=prepare,
    )
    return session


def _name(token: Any, text: str) -> str:
    """Name a token of simplejwt; one without `jti` by itself."""
    claim = simple_jwt("JTI_CLAIM")
    return str(token[claim]) if claim else hashlib.sha256(text.encode()).hexdigest()


def _judged(text: str) -> tuple[Any, Any]:
    """Have simplejwt verify it, blacklist and all; give it and its user."""
    kind: Any = simplejwt.RefreshToken
    users: Any = get_user_model()._default_manager
    try:
        token = kind(text)
        key = {simple_jwt("USER_ID_FIELD"): token[simple_jwt("USER_ID_CLAIM")]}
        user = users.filter(**key).first()
    except _UNREADABLE:
        raise RefreshRefusedError(Refusal.UNKNOWN) from None
    if user is None or not may_log_in(user):
        raise RefreshRefusedError(Refusal.UNKNOWN)
    if simple_jwt("CHECK_REVOKE_TOKEN"):
        known = token.get(simple_jwt("REVOKE_TOKEN_CLAIM"))
        if known != get_md5_hash_password(user.password):
            raise RefreshRefusedError(Refusal.PASSWORD)
    return token, user
