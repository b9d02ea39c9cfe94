"""Views that give out, renew and end tokens: simplejwt's names, our answers."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, transaction
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.mixins import ListModelMixin
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_204_NO_CONTENT
from rest_framework.viewsets import GenericViewSet
from rest_framework_simplejwt import views as simplejwt

from drf_apikit import problem_types
from drf_apikit.conf import load
from drf_apikit.contention import is_contention, is_outage
from drf_apikit.exceptions import RefreshTokenRefused, RefreshTokenUsed
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.problem_types import ProblemType
from drf_apikit.tokens import serializers
from drf_apikit.tokens.backend import unavailable
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.parsers import StrictJSONParser
from drf_apikit.tokens.permissions import (
    IsFirstParty,
    challenge_after_all,
    current_session,
)
from drf_apikit.tokens.sessions import (
    Ending,
    RefreshRefusedError,
    Refusal,
    end_all,
    end_session,
    live_sessions,
)
from drf_apikit.tokens.simplejwt_settings import simple_jwt

__all__ = [
    "SessionViewSet",
    "TokenBlacklistView",
    "TokenObtainPairView",
    "TokenRefreshView",
    "TokenVerifyView",
]


#: Sessions in one answer.
_MOST: Final = 200


class _Answering:
    """What these views have in common, before a class of DRF."""

    #: For the OpenAPI document.
    possible_problems: ClassVar[Sequence[ProblemType]] = ()

    @classmethod
    def as_view(cls, *args: Any, **initkwargs: Any) -> Any:
        """Give the view without the transactions of `ATOMIC_REQUESTS`.

        What ends a session must stay so, whatever becomes of the request.
        """
        base: Any = super()
        view = base.as_view(*args, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(alias)(view)
        return view

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what our own code raises."""
        base: Any = super()
        response: Response = base.handle_exception(_problem(exc) or exc)
        return response

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """RFC 6749 section 5.1: nobody keeps an answer with tokens in it."""
        base: Any = super()
        response: Response = base.finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class _TokenView(_Answering, simplejwt.TokenViewBase):
    """A view that takes a body and no credentials beside it."""

    #: The setting of `SIMPLE_JWT` that names a serializer of the project.
    _setting = ""
    _usual: Any = None

    def get_parsers(self) -> list[Any]:
        """Read JSON strictly, where it is DRF's own parser that would read it."""
        return [
            StrictJSONParser() if type(parser) is JSONParser else parser
            for parser in super().get_parsers()
        ]

    def get_serializer_class(self) -> Any:
        """Take the class of the view, of `SIMPLE_JWT`, or ours."""
        if self.serializer_class:
            return self.serializer_class
        path = simple_jwt(self._setting)
        if path.startswith("rest_framework_simplejwt."):
            return self._usual
        found = load(path)
        if not issubclass(found, self._usual):
            raise ImproperlyConfigured(
                f"SIMPLE_JWT[{self._setting!r}] is {path}: it must build on"
                f" drf_apikit.tokens.serializers.{self._usual.__name__}, or it gives"
                " out tokens of simplejwt."
            )
        return found

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse forms that say something twice, as `StrictJSONParser` refuses JSON."""
        data = kwargs.get("data")
        if isinstance(data, QueryDict):
            several = [name for name in data if len(data.getlist(name)) > 1]
            if several:
                once = _("Only once, please.")
                raise ValidationError({name: [once] for name in several})
        return super().get_serializer(*args, **kwargs)


class TokenObtainPairView(_TokenView):
    """Log in with a name and a password; get an access and a refresh token."""

    possible_problems: ClassVar[Sequence[ProblemType]] = (
        problem_types.VALIDATION_ERROR,
        problem_types.INVALID_CREDENTIALS,
        problem_types.TOKEN_TOO_LARGE,
        problem_types.TOKENS_UNAVAILABLE,
    )
    _setting = "TOKEN_OBTAIN_SERIALIZER"
    _usual = serializers.TokenObtainPairSerializer


class TokenRefreshView(_TokenView):
    """Get the next refresh token, and an access token, for a refresh token."""

    possible_problems: ClassVar[Sequence[ProblemType]] = (
        problem_types.VALIDATION_ERROR,
        problem_types.REFRESH_TOKEN_REFUSED,
        problem_types.REFRESH_TOKEN_USED,
        problem_types.TOKEN_TOO_LARGE,
        problem_types.TOKENS_UNAVAILABLE,
    )
    _setting = "TOKEN_REFRESH_SERIALIZER"
    _usual = serializers.TokenRefreshSerializer


class TokenBlacklistView(_TokenView):
    """Log out: the session of the refresh token ends."""

    possible_problems: ClassVar[Sequence[ProblemType]] = (
        problem_types.VALIDATION_ERROR,
        problem_types.REFRESH_TOKEN_REFUSED,
        problem_types.TOKENS_UNAVAILABLE,
    )
    _setting = "TOKEN_BLACKLIST_SERIALIZER"
    _usual = serializers.TokenBlacklistSerializer


class TokenVerifyView(_TokenView):
    """Tell whether a token is good."""

    possible_problems: ClassVar[Sequence[ProblemType]] = (
        problem_types.VALIDATION_ERROR,
        problem_types.INVALID_TOKEN,
        problem_types.REFRESH_TOKEN_REFUSED,
        problem_types.TOKENS_UNAVAILABLE,
    )
    _setting = "TOKEN_VERIFY_SERIALIZER"
    _usual = serializers.TokenVerifySerializer


class SessionViewSet(_Answering, ListModelMixin, GenericViewSet[TokenSession]):
    """Where the user is logged in."""

    possible_problems: ClassVar[Sequence[ProblemType]] = (
        problem_types.TOKENS_UNAVAILABLE,
    )
    permission_classes = (IsAuthenticated, IsFirstParty)
    serializer_class = serializers.SessionSerializer
    filter_backends = ()
    #: Nobody has so many that there have to be pages: a plain list in any project.
    pagination_class = None
    #: Of these is what the OpenAPI document says of paths.
    queryset = TokenSession.objects.none()

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Give routers, which know no DELETE of a list, that as well."""
        if actions and actions.get("get") == "list":
            actions = {**actions, "delete": "destroy_others"}
        return super().as_view(actions, **initkwargs)

    def get_authenticate_header(self, request: Request) -> Any:
        """Challenge who has come with a token that is refused after all."""
        return challenge_after_all(request) or super().get_authenticate_header(request)

    def get_queryset(self) -> Any:
        """Give the live sessions of the user, whoever was here last first."""
        return live_sessions(self.request.user)

    def filter_queryset(self, queryset: Any) -> Any:
        """Leave out what is too much for one answer."""
        return super().filter_queryset(queryset)[:_MOST]

    def get_serializer_context(self) -> dict[str, Any]:
        """Say which of them asks."""
        context = super().get_serializer_context()
        return {**context, "current": current_session(self.request)}

    def destroy(self, request: Request, pk: UUID | str) -> Response:
        """End one session: its refresh token is refused from now on."""
        try:
            key = UUID(str(pk))
        except ValueError:
            raise NotFound from None
        if not end_session(key, Ending.REVOKED, user=request.user):
            raise NotFound
        return Response(status=HTTP_204_NO_CONTENT)

    def destroy_others(self, request: Request) -> Response:
        """End all sessions but the one that asks."""
        current = current_session(request)
        keep = None if current is None else UUID(current)
        end_all(request.user, Ending.REVOKED, keep=keep)
        return Response(status=HTTP_204_NO_CONTENT)


token_obtain_pair = TokenObtainPairView.as_view()
token_refresh = TokenRefreshView.as_view()
token_blacklist = TokenBlacklistView.as_view()
token_verify = TokenVerifyView.as_view()


def _problem(error: Exception) -> APIException | None:
    """Give the answer for what is no exception of DRF."""
    if isinstance(error, RefreshRefusedError):
        is_used = error.refusal is Refusal.USED
        return RefreshTokenUsed() if is_used else RefreshTokenRefused()
    if isinstance(error, KeysUnavailableError):
        return unavailable(error.retry_after)
    is_busy = isinstance(error, DatabaseError) and (
        is_contention(error) or is_outage(error)
    )
    return unavailable(1) if is_busy else None
