"""What clients send and get: simplejwt's serializers, on our sessions."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth.models import update_last_login
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import (
    PasswordField,
    TokenObtainSerializer,
)

from drf_apikit.counters import count
from drf_apikit.exceptions import InvalidToken
from drf_apikit.jose.compact import MAX_SIZE
from drf_apikit.tokens.clients import TokenClient, find_client, usual_client
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.renewal import Pair, is_good_legacy, log_out, renew
from drf_apikit.tokens.sessions import find_session, password_given
from drf_apikit.tokens.simplejwt_settings import simple_jwt
from drf_apikit.tokens.tokens import AccessToken, RefreshToken

__all__ = [
    "SessionSerializer",
    "TokenBlacklistSerializer",
    "TokenObtainPairSerializer",
    "TokenRefreshSerializer",
    "TokenVerifySerializer",
]

#: Characters. More than any name or password, and little to hash or to look up.
_LONGEST: Final = 4096
#: What a client identifier or a list of scopes may have.
_LONG: Final = 1000


class _AnswerSerializer(serializers.Serializer[Any]):
    """What is answered with a new pair (RFC 6749 section 5.1)."""

    access = serializers.CharField(read_only=True)
    token_type = serializers.CharField(read_only=True)
    expires_in = serializers.IntegerField(read_only=True)


class TokenObtainPairSerializer(TokenObtainSerializer, _AnswerSerializer):
    """A name and a password for a pair of tokens."""

    # What a project's `get_token` sets claims on.
    token_class: Any = RefreshToken
    refresh = serializers.CharField(read_only=True)

    default_error_messages = {
        "unknown_client": _("There is no such client."),
        "unknown_scope": _("The client may not have the scope %(scope)s."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields = {
            # No password is cut: a blank at its end is a part of it.
            self.username_field: serializers.CharField(
                write_only=True, max_length=_LONGEST
            ),
            "password": PasswordField(trim_whitespace=False, max_length=_LONGEST),
            "client_id": serializers.CharField(
                write_only=True, required=False, max_length=_LONG
            ),
            "scope": serializers.CharField(
                required=False, allow_blank=True, max_length=_LONG
            ),
        }
        for name, field in fields.items():
            self.fields[name] = field

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        """Log in, and open a session."""
        client, scopes = self._asked_for(attrs)
        with password_given(attrs["password"]):
            data = super().validate(attrs)
        user: Any = self.user
        token: Any = self.get_token(user)
        if not isinstance(token, RefreshToken):
            raise ImproperlyConfigured(
                f"{type(self).__name__}.get_token() gives a {type(token).__module__}."
                f"{type(token).__qualname__}: it must be a RefreshToken of"
                " drf_apikit.tokens.tokens."
            )
        token.grant(client, scopes, user_agent(self))
        data.update(Pair.of(token).answer())
        count("tokens.issued", by="login")
        if simple_jwt("UPDATE_LAST_LOGIN"):
            update_last_login(type(user), user)
        return data

    def _asked_for(self, attrs: dict[str, Any]) -> tuple[TokenClient, Iterable[str]]:
        """Find the client, and the scopes if it asks for fewer than it may have."""
        name = attrs.get("client_id")
        client = usual_client() if name is None else find_client(name)
        if client is None:
            raise self._refused("client_id", "unknown_client")
        if "scope" not in attrs:
            return client, client.scopes
        scopes = set(attrs["scope"].split())
        if unknown := scopes - client.scopes:
            raise self._refused("scope", "unknown_scope", scope=min(unknown))
        return client, scopes

    def _refused(
        self, field: str, code: str, **values: str
    ) -> serializers.ValidationError:
        text = str(self.error_messages[code]) % values
        return serializers.ValidationError({field: [ErrorDetail(text, code)]})


class TokenRefreshSerializer(_AnswerSerializer):
    """A refresh token for the next one, with an access token."""

    token_class: Any = RefreshToken
    refresh = serializers.CharField(max_length=MAX_SIZE)
    scope = serializers.CharField(read_only=True)
    #: For the OpenAPI document: what an answer may leave out.
    left_out = ("scope",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Use it up."""
        return renew(attrs["refresh"], self.token_class, user_agent(self)).answer()


class TokenBlacklistSerializer(serializers.Serializer[Any]):
    """A refresh token whose session is to end."""

    token_class: Any = RefreshToken
    refresh = serializers.CharField(write_only=True, max_length=MAX_SIZE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """End it."""
        log_out(attrs["refresh"])
        return {}


class TokenVerifySerializer(serializers.Serializer[Any]):
    """A token of either kind, that may be good or not."""

    token = serializers.CharField(write_only=True, max_length=MAX_SIZE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Look at it; a refresh token is not used up."""
        text = attrs["token"]
        if "." not in text:
            find_session(text)
            return {}
        try:
            AccessToken(text)
        except TokenError:
            if not is_good_legacy(text):
                raise InvalidToken from None
        return {}


class SessionSerializer(serializers.ModelSerializer[TokenSession]):
    """One session, as its own user sees it."""

    current = serializers.SerializerMethodField(
        help_text=_("Whether it is the session that asks.")
    )

    class Meta:
        model = TokenSession
        fields = (
            *("id", "client_id", "created_at", "refreshed_at", "expires_at"),
            *("user_agent", "current"),
        )
        read_only_fields = fields

    def get_current(self, session: TokenSession) -> bool:
        """Tell whether it is the one that asks."""
        return str(session.id) == self.context.get("current")


def user_agent(serializer: serializers.BaseSerializer[Any]) -> str:
    """Give what the client calls itself."""
    request = serializer.context.get("request")
    return request.headers.get("User-Agent", "") if request else ""
