"""The token classes of simplejwt, on our keys and sessions.

What a project does with simplejwt's, it does with these: `for_user`, claims set like
items, `access_token`, `str()`, `blacklist()`.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import classproperty
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import BlacklistMixin, Token
from rest_framework_simplejwt.utils import datetime_to_epoch, get_md5_hash_password

from drf_apikit.problem_types import REFRESH_TOKEN_REFUSED
from drf_apikit.tokens.backend import AccessTokenBackend
from drf_apikit.tokens.claims import (
    json_ready,
    refuse_registered,
    session_claims,
)
from drf_apikit.tokens.clients import TokenClient, usual_client
from drf_apikit.tokens.lifetimes import lifetimes
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    RefreshRefusedError,
    Refusal,
    end_session,
    find_session,
    open_session,
    user_with_same_password,
)
from drf_apikit.tokens.simplejwt_settings import names_primary_key, simple_jwt

__all__ = ["AccessToken", "RefreshToken", "Token", "UntypedToken"]

_BACKEND: Any = AccessTokenBackend()


def _usual_lifetime(_cls: type) -> timedelta:
    return timedelta(seconds=usual_client().access_lifetime)


def _refresh_lifetime(_cls: type) -> timedelta:
    return timedelta(seconds=lifetimes(usual_client().client_id).refresh)


class AccessToken(simplejwt.AccessToken):
    """An access token (RFC 9068), for `AUTH_TOKEN_CLASSES` as well."""

    _token_backend = _BACKEND
    lifetime: Any = classproperty(_usual_lifetime)

    def __init__(self, token: Any = None, verify: bool = True) -> None:
        super().__init__(token, verify)
        if token is not None and verify and simple_jwt("CHECK_REVOKE_TOKEN"):
            self._recall_password()

    @classmethod
    def for_user(cls, user: Any) -> Self:
        """Make a token without a session: it ends at its `exp` and not before."""
        token = super().for_user(user)
        token.payload.pop(simple_jwt("REVOKE_TOKEN_CLAIM"), None)
        token["sub"] = str(user.pk)
        token["client_id"] = usual_client().client_id
        return token

    def __str__(self) -> str:
        """Sign it, with no longer a life than the settings say.

        Whoever verifies keeps a key that signs no more for just as long.
        """
        lifetime = timedelta(seconds=lifetimes(str(self.get("client_id"))).access)
        latest = datetime_to_epoch(self.current_time + lifetime)
        self["exp"] = min(self["exp"], latest)
        return super().__str__()

    def _recall_password(self) -> None:
        """Have in memory what simplejwt compares with `CHECK_REVOKE_TOKEN`.

        It is signed by nobody: the session knows whether the password has changed.
        """
        user = user_with_same_password(self.get("sid"))
        if user is not None:
            digest = get_md5_hash_password(user.password)
            self[simple_jwt("REVOKE_TOKEN_CLAIM")] = digest


class UntypedToken(simplejwt.UntypedToken):
    """What a project verifies where it does not care which kind it is."""

    _token_backend = _BACKEND


class RefreshToken(simplejwt.RefreshToken):
    """A refresh token: the next word of a session, which opens when it is written.

    The claims that a project sets before are kept with the session, and are in each
    of its access tokens. The text is opaque.

    Raises:
        TokenError: the text is no refresh token that is good now. Nothing is used up.

    """

    _token_backend = _BACKEND
    lifetime: Any = classproperty(_refresh_lifetime)
    access_token_class: Any = AccessToken

    def __init__(self, token: Any = None, verify: bool = True) -> None:
        super().__init__(None, verify)
        self.token: Any = None
        self.user: Any = None
        self.session: TokenSession | None = None
        self._client = usual_client()
        self._scopes: Iterable[str] | None = None
        self._user_agent = ""
        if token is not None:
            self._take(*_found(token))

    @classmethod
    def for_user(cls, user: Any) -> Self:
        """Make the first token of a session, with the first client of the settings."""
        # simplejwt would keep the text in its own table.
        token: Self = super(BlacklistMixin, cls).for_user(user)
        token.payload.pop(simple_jwt("REVOKE_TOKEN_CLAIM"), None)
        token.user = user
        return token

    @classmethod
    def of_session(cls, session: TokenSession, text: str) -> Self:
        """Make it of a session and the text that is good for it now."""
        token = cls()
        token._take(session, text)
        return token

    def grant(
        self, client: TokenClient, scopes: Iterable[str], user_agent: str = ""
    ) -> None:
        """Say which client it is for, before the session opens.

        Raises:
            ImproperlyConfigured: it is open already.

        """
        if self.session is not None:
            raise ImproperlyConfigured(
                "get_token() must return a token that is not written yet: no str()"
                " and no access_token before the client is known."
            )
        self._client, self._scopes, self._user_agent = client, scopes, user_agent

    def __str__(self) -> str:
        """Give the text; the session opens if it has not."""
        self._opened()
        return str(self.token)

    @property
    def access_token(self) -> Any:
        """Make an access token of the session."""
        session = self._opened()
        access = self.access_token_class()
        access.payload.update(session_claims(session, self._own_claims()))
        access[simple_jwt("USER_ID_CLAIM")] = self[simple_jwt("USER_ID_CLAIM")]
        access.set_exp(lifetime=_lifetime(access, access["client_id"]))
        return access

    def verify(self) -> None:
        """Look again whether it is good."""
        if self.token is not None:
            _found(self.token)

    def check_blacklist(self) -> None:
        """Look again whether it is good."""
        self.verify()

    def blacklist(self) -> Any:
        """End the session; give it, and whether this call has ended it."""
        session = self.session
        is_ended = session is not None and end_session(session.id, Ending.LOGOUT)
        return session, is_ended

    def outstand(self) -> None:
        """Keep nothing: the session is all that is kept."""

    def _opened(self) -> TokenSession:
        if self.session is None:
            client, scopes = self._client, self._scopes
            session, text = open_session(
                self._owner(),
                client_id=client.client_id,
                scopes=client.scopes if scopes is None else scopes,
                claims=self._own_claims(),
                user_agent=self._user_agent,
            )
            self.session, self.token = session, text
        return self.session

    def _owner(self) -> Any:
        """Give the user; of a token without one, whom its claim names."""
        if self.user is None:
            name = simple_jwt("USER_ID_CLAIM")
            key = {simple_jwt("USER_ID_FIELD"): self[name]}
            self.user = get_user_model()._default_manager.get(**key)
        return self.user

    def _take(self, session: TokenSession, text: str) -> None:
        self.session, self.token, self.user = session, text, session.user
        self.payload.update(session.claims or {})
        field = "pk" if names_primary_key() else simple_jwt("USER_ID_FIELD")
        self[simple_jwt("USER_ID_CLAIM")] = str(getattr(session.user, field))
        self["exp"] = datetime_to_epoch(session.expires_at)
        self["iat"] = datetime_to_epoch(session.refreshed_at)

    def _own_claims(self) -> dict[str, Any]:
        ours = {*self.no_copy_claims, simple_jwt("REVOKE_TOKEN_CLAIM")}
        if names_primary_key():
            ours.add(simple_jwt("USER_ID_CLAIM"))
        own = {name: self.payload[name] for name in self.payload if name not in ours}
        refuse_registered(own)
        return json_ready(own)


def _found(text: Any) -> tuple[TokenSession, str]:
    """Find the session; what simplejwt raises leaves the text out."""
    text = text.decode("latin-1") if isinstance(text, bytes) else str(text)
    try:
        return find_session(text), text
    except RefreshRefusedError as error:
        is_over = error.refusal is Refusal.EXPIRED
        kind = ExpiredTokenError if is_over else TokenError
        raise kind(REFRESH_TOKEN_REFUSED.documentation) from error


def _lifetime(access: Any, client_id: str) -> timedelta:
    """Take that of the client; a class of the project may make it shorter."""
    own = timedelta(seconds=lifetimes(client_id).access)
    declared: timedelta = access.lifetime
    return own if declared == _usual_lifetime(AccessToken) else min(own, declared)
