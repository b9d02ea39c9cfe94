"""The authentication backend: from an authorization code to a user.

It is mozilla-django-oidc's with its settings and the hooks that projects override;
what it trusts is decided here. `docs/how-to/move-from-mozilla-django-oidc.md` lists
what became of each of them.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import router
from django.views.decorators.debug import sensitive_variables
from mozilla_django_oidc.auth import OIDCAuthenticationBackend as MozillaBackend

from drf_apikit.jose import TokenError
from drf_apikit.login.authorization import redirect_uri
from drf_apikit.login.client import id_token_verifier, token_request
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.hooked import asked, hooked, tokens_given
from drf_apikit.login.people import Hooks, Person, user_of
from drf_apikit.login.registration import Registration, registration
from drf_apikit.login.result import LoginResult
from drf_apikit.login.userinfo import ask_userinfo, joined
from drf_apikit.models import ExternalIdentity
from drf_apikit.oidc.id_tokens import verify_id_token
from drf_apikit.oidc.jwks import KeysUnavailableError
from drf_apikit.oidc.token_endpoint import (
    ProviderUnavailableError,
    TokenAnswer,
    TokenRefusedError,
)
from drf_apikit.users.enrolment import (
    make_user,
    random_name,
    users_with_email,
    verified_email,
)

__all__ = ["OIDCAuthenticationBackend"]

#: Who overrides one of these relies on what nobody calls any more.
_GONE: Final[Mapping[str, str]] = {
    "_verify_jws": "tokens are verified before any hook sees them",
    "get_payload_data": "tokens are verified before any hook sees them",
    "get_settings": "settings are read from Django's",
    "raise_token_response_error": "an error is a LoginError",
    "retrieve_matching_jwk": "keys come from the keys that are shared with the API",
}
#: What mozilla-django-oidc reads when it is made, for those who look it up there.
_ATTRIBUTES: Final = (
    *("OIDC_OP_TOKEN_ENDPOINT", "OIDC_OP_USER_ENDPOINT", "OIDC_OP_JWKS_ENDPOINT"),
    *("OIDC_RP_CLIENT_ID", "OIDC_RP_CLIENT_SECRET", "OIDC_RP_SIGN_ALGO"),
)
#: Refusals that are about the code, rather than about this client (RFC 6749 5.2).
_OF_THE_CODE: Final = frozenset({"invalid_grant"})

Claims = Mapping[str, Any]


class OIDCAuthenticationBackend(MozillaBackend):
    """Logs in whom the provider vouches for, by the code that a browser brings."""

    request: Any
    # Those of ModelBackend take passwords, and do not ask the methods below.
    aauthenticate = BaseBackend.aauthenticate
    aget_user = BaseBackend.aget_user

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a hook that would never be called, so that nobody relies on it."""
        super().__init_subclass__(**options)
        for name, why in _GONE.items():
            if getattr(cls, name) is not getattr(MozillaBackend, name):
                raise ImproperlyConfigured(f"{cls.__name__}.{name}: {why}. Remove it.")

    def __init__(self, *_args: Any, **_options: Any) -> None:
        """Read settings and no more: Django makes one for each request."""
        for name in _ATTRIBUTES:
            setattr(self, name, self.get_settings(name, None))
        self.UserModel = get_user_model()

    @sensitive_variables()
    def authenticate(self, request: Any, **credentials: Any) -> Any:
        """Give the user of a code; None where it is not for this backend to say.

        `nonce` and `code_verifier` are those of the authorization request, whose answer
        the view has checked. `request.drf_apikit_login` has the tokens afterwards.

        Raises:
            LoginError: the login comes to nothing.

        """
        self.request = request
        # A form that posts a password to a URL with a code of somebody's is no login.
        if request is None or "nonce" not in credentials:
            return None
        code = request.GET.get("code")
        if not code or not request.GET.get("state"):
            return None
        client = registration()
        payload = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri(request),
            **_proof(client, credentials),
        }
        tokens = tokens_given(asked(lambda: self.get_token(payload)))
        claims = self._verified(client, tokens, credentials["nonce"])
        given = (tokens.access_token, str(tokens.id_token))
        user = self.get_or_create_user(*given, claims)
        if user is None:
            raise LoginError(Reason.USER_UNKNOWN, 403, "get_or_create_user(): none")
        if not self.user_can_authenticate(user):
            raise LoginError(Reason.USER_INACTIVE, 403, f"user {user.pk}")
        self.store_tokens(*given)
        request.drf_apikit_login = LoginResult(tokens, claims)
        return user

    @sensitive_variables()
    def get_token(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Exchange a code for tokens; for projects to add parameters, or to look.

        Raises:
            LoginError: the provider refuses, or cannot be asked.

        """
        # This client proves itself in one way, whatever a project adds.
        form = {
            name: str(value)
            for name, value in payload.items()
            if name not in {"client_id", "client_secret"}
        }
        try:
            answer = token_request(registration(), form)
        except TokenRefusedError as error:
            is_of_code = error.error in _OF_THE_CODE
            reason = Reason.CODE_REFUSED if is_of_code else Reason.PROVIDER_REFUSED
            detail = f"{error.error}: {error.description}"
            raise LoginError(reason, 400, detail) from None
        except ProviderUnavailableError as error:
            raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, str(error)) from None
        members = asdict(answer)
        return {name: value for name, value in members.items() if value is not None}

    @sensitive_variables()
    def verify_token(self, token: str, **options: Any) -> dict[str, Any]:
        """Verify an ID token; for projects to refuse more, by a falsy value.

        Raises:
            LoginError: it is not good, or cannot be judged.

        """
        try:
            claims = verify_id_token(
                token,
                id_token_verifier(registration()),
                nonce=options.get("nonce"),
                access_token=options.get("access_token"),
                now=time.time(),
            )
        except TokenError as error:
            raise LoginError(Reason.IDENTITY_INVALID, 400, str(error)) from None
        except KeysUnavailableError as error:
            raise LoginError(Reason.PROVIDER_UNAVAILABLE, 503, str(error)) from None
        return dict(claims)

    @sensitive_variables()
    def get_userinfo(
        self, access_token: str, id_token: str, payload: Claims
    ) -> dict[str, Any]:
        """Give what the provider tells of a person; the ID token's claims if no more.

        Raises:
            LoginError: it cannot be asked, or tells of somebody else.

        """
        del id_token
        client = registration()
        found = ask_userinfo(client, access_token, payload["sub"])
        return dict(payload if found is None else found)

    @sensitive_variables()
    def get_or_create_user(
        self, access_token: str, id_token: str, payload: Claims
    ) -> Any:
        """Give the user, who is found by issuer and subject, linked or made.

        Raises:
            LoginError: there is none, or one who may not log in.
            SuspiciousOperation: there is no ID token that was verified.

        """
        if not payload:
            # As from mozilla's class for DRF, with an access token of who knows whom.
            raise SuspiciousOperation("an access token alone is no login")
        userinfo = asked(lambda: self.get_userinfo(access_token, id_token, payload))
        subject = payload["sub"]
        if not isinstance(userinfo, Mapping) or userinfo.get("sub", subject) != subject:
            detail = "get_userinfo() tells of nobody, or of another subject"
            raise LoginError(Reason.USERINFO_INVALID, 400, detail)
        claims = joined(payload, userinfo)
        if not hooked(lambda: self.verify_claims(claims)):
            raise LoginError(Reason.CLAIMS_REFUSED, 403, "verify_claims() says no")
        return user_of(Person.of(claims, registration()), self._hooks())

    def verify_claims(self, claims: Claims) -> bool:
        """Tell whether somebody may log in: with an address, if one was asked for."""
        return "email" not in registration().scopes.split() or "email" in claims

    def filter_users_by_claims(self, claims: Claims) -> Any:
        """Give the users with the verified address; called where it is overridden.

        Then those that it gives are linked, instead of by `MATCH_VERIFIED_EMAIL`.
        """
        email = verified_email(claims)
        alias = router.db_for_write(ExternalIdentity)
        return [] if email is None else users_with_email(email, alias)

    def create_user(self, claims: Claims) -> Any:
        """Make a user with the verified address, if there is one."""
        alias = router.db_for_write(ExternalIdentity)
        return make_user(verified_email(claims), alias, self.get_username(claims))

    def get_username(self, claims: Claims) -> str:
        """Give what `OIDC_USERNAME_ALGO` makes of the claims, or a random name."""
        if self.get_settings("OIDC_USERNAME_ALGO", None):
            return str(super().get_username(claims))
        return random_name(self.UserModel)

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Do nothing: the session gets them once somebody is logged in."""

    def get_user(self, user_id: Any) -> Any:
        """Give the user of a session, unless they may not log in any more."""
        return ModelBackend.get_user(self, user_id)

    def _verified(
        self, client: Registration, tokens: TokenAnswer, nonce: Any
    ) -> Claims:
        """Verify the ID token, whatever a project makes of `verify_token()`."""
        if tokens.id_token is None:
            raise LoginError(Reason.IDENTITY_INVALID, 400, "there is no ID token")
        text, options = tokens.id_token, {"access_token": tokens.access_token}
        base = OIDCAuthenticationBackend.verify_token
        claims = base(self, text, nonce=nonce, **options)
        if type(self).verify_token is not base and not hooked(
            lambda: self.verify_token(text, nonce=nonce, **options)
        ):
            raise LoginError(Reason.IDENTITY_INVALID, 400, "verify_token() says no")
        if claims["sub"] == client.client_id:
            raise LoginError(Reason.USER_UNKNOWN, 403, "the subject is this client")
        return claims

    def _hooks(self) -> Hooks:
        cls, own = type(self), OIDCAuthenticationBackend
        finds = cls.filter_users_by_claims is not own.filter_users_by_claims
        return Hooks(
            find=self.filter_users_by_claims if finds else None,
            make=self.create_user,
            update=self.update_user,
            may_log_in=self.user_can_authenticate,
        )


def _proof(client: Registration, credentials: Mapping[str, Any]) -> dict[str, str]:
    """Give the verifier of PKCE; without what was asked for there is no login."""
    verifier = credentials.get("code_verifier")
    if client.use_nonce and not credentials["nonce"]:
        raise LoginError(Reason.STATE_UNKNOWN, 400, "the request had no nonce")
    if client.use_pkce and not verifier:
        raise LoginError(Reason.STATE_UNKNOWN, 400, "the request had no verifier")
    return {"code_verifier": verifier} if verifier else {}
