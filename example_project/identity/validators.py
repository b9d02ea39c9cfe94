"""What this provider decides differently from the toolkit."""

# The toolkit ships no types, so its classes are `Any` to a type checker.
# mypy: disallow-subclassing-any=False

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error, InvalidRequestError

from identity import environment
from identity.assertions import ASSERTION_TYPE, client_of
from identity.tokens import id_token_claims, subject_for

__all__ = ["SESSION_USER", "IdentityValidator", "accept_audience", "signed_in_within"]

SESSION_USER = "identity.session_user"
"""Where the authorization view puts the signed-in user among the headers."""

CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
SECONDS = re.compile(r"[0-9]{1,9}")
CLIENT_ID_LENGTH = 255
NONCE_LENGTH = 255


def accept_audience(request_uri: str, audiences: list[str]) -> bool:
    """Let a token for the API in at the userinfo endpoint as well.

    That endpoint is the only one here that takes access tokens, and OpenID Connect
    wants the same token for both.
    """
    del request_uri, audiences
    return True


def signed_in_within(user: Any, max_age: str | None) -> bool:
    """Say whether a person gave the password less than `max_age` seconds ago.

    What is no number asks for nothing; who has not signed in is asked anyway
    (OpenID Connect Core section 3.1.2.1).
    """
    if not max_age or not SECONDS.fullmatch(max_age) or user.is_anonymous:
        return True
    age: float = (timezone.now() - user.last_login).total_seconds()
    return age <= int(max_age)


class IdentityValidator(OAuth2Validator):
    """The toolkit's validator: stricter on PKCE, and it answers `prompt=none`."""

    def client_authentication_required(
        self, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Look at an assertion wherever there is one."""
        if _assertion(request) is not None:
            return True
        required: bool = super().client_authentication_required(
            request, *args, **kwargs
        )
        return required

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Know clients by their signature too, and by one way alone.

        RFC 6749 section 2.3: a client must not use more than one in a request.
        """
        assertion = _assertion(request)
        if assertion is None:
            known: bool = super().authenticate_client(request, *args, **kwargs)
            return known
        if self._extract_basic_auth(request) or getattr(request, "client_secret", None):
            return False
        if getattr(request, "client_assertion_type", None) != ASSERTION_TYPE:
            return False
        client = client_of(assertion)
        if client is None or request.client_id not in {None, "", client.client_id}:
            return False
        request.client = client
        return True

    def get_additional_claims(self) -> dict[str, Callable[[Any], Any]]:
        """Return the claims about a user; scopes decide which of them are given."""
        return {
            "sub": lambda request: subject_for(request.user, request.client.client_id),
            "name": lambda request: request.user.get_full_name(),
            "preferred_username": lambda request: request.user.get_username(),
            "email": lambda request: request.user.email,
            "email_verified": lambda request: bool(request.user.email),
        }

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """Require PKCE, and S256 (RFC 9700 section 2.1.1) before anybody consents."""
        del client_id
        challenge = request.code_challenge
        if challenge is not None and (
            request.code_challenge_method != "S256"
            or not CODE_CHALLENGE.fullmatch(challenge)
        ):
            raise InvalidRequestError(
                description="code_challenge must be 43 base64url characters, with "
                "code_challenge_method S256.",
                request=request,
            )
        return True

    def validate_response_type(
        self,
        client_id: str,
        response_type: str,
        client: Any,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        """Refuse a nonce that the database has no room for, too."""
        if len(request.nonce or "") > NONCE_LENGTH:
            raise InvalidRequestError(
                description=f"nonce is longer than {NONCE_LENGTH} characters.",
                request=request,
            )
        allowed: bool = super().validate_response_type(
            client_id, response_type, client, request, *args, **kwargs
        )
        return allowed

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse URIs that do not parse, such as one with a port above 65535."""
        try:
            if urlsplit(redirect_uri).port == 0:
                return False
            allowed: bool = super().validate_redirect_uri(
                client_id, redirect_uri, request, *args, **kwargs
            )
        except ValueError:
            return False
        return allowed

    def validate_grant_type(
        self,
        client_id: str,
        grant_type: str,
        client: Any,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        """Take the client's row for the rest of the transaction.

        So of many requests with one code or one refresh token exactly one wins.
        """
        if grant_type != "client_credentials":
            clients = get_application_model().objects.select_for_update()
            clients.filter(pk=client.pk).first()
        allowed: bool = super().validate_grant_type(
            client_id, grant_type, client, request, *args, **kwargs
        )
        return allowed

    def validate_silent_login(self, request: Any) -> bool:
        """Say whether `prompt=none` finds somebody signed in."""
        user = self._session_user(request)
        if user is None or not user.is_authenticated:
            return False
        return signed_in_within(user, getattr(request, "max_age", None))

    def validate_silent_authorization(self, request: Any) -> bool:
        """Say whether this user has allowed these scopes before."""
        if request.client.skip_authorization:
            return True
        tokens = get_access_token_model().objects.filter(
            user=self._session_user(request),
            application=request.client,
            expires__gt=timezone.now(),
        )
        return any(token.allow_scopes(request.scopes) for token in tokens)

    def validate_user_match(
        self, id_token_hint: str | None, scopes: Any, claims: Any, request: Any
    ) -> bool:
        """Hold the signed-in user against the one that the client expects."""
        del scopes, claims
        user = self._session_user(request)
        if not id_token_hint or user is None or not user.is_authenticated:
            return True
        hint = id_token_claims(id_token_hint)
        return hint is not None and hint["sub"] == str(user.subject)

    def resolve_resource(self, request: Any) -> None:
        """Set `request.resource` to the list of the token's audiences.

        Raises CustomOAuth2Error (invalid_target) for what is no absolute URI.
        """
        self._check_and_set_request_resource(request)

    def _check_and_set_request_resource(self, request: Any) -> None:
        super()._check_and_set_request_resource(request)
        request.resource = request.resource or [environment.current().resource]

    def _validate_resource_uris(self, request: Any, resources: list[str]) -> None:
        try:
            super()._validate_resource_uris(request, resources)
        except ValueError as error:
            raise CustomOAuth2Error(
                error="invalid_target",
                description="The resource is not an absolute URI.",
                request=request,
            ) from error

    def _extract_basic_auth(self, request: Any) -> str | None:
        header: str = request.headers.get("HTTP_AUTHORIZATION") or ""
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() != "basic" or not credentials.isascii():
            return None
        return credentials.strip() or None

    def _load_application(self, client_id: str | None, request: Any) -> Any:
        text = client_id or ""
        if "\0" in text or not 0 < len(text) <= CLIENT_ID_LENGTH:
            return None
        return super()._load_application(client_id, request)

    @staticmethod
    def _session_user(request: Any) -> Any:
        return request.headers.get(SESSION_USER)


def _assertion(request: Any) -> str | None:
    value = getattr(request, "client_assertion", None)
    return None if value is None else str(value)
