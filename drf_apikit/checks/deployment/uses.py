"""What a project uses: nothing is said of settings that nobody reads."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.urls import get_resolver
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from drf_apikit.checks.classes import is_any, is_of_this_package, loaded
from drf_apikit.checks.deployment.routes import Reachable
from drf_apikit.checks.views import RoutedView, routed_views
from drf_apikit.conf import TokensSettings, apikit_settings

__all__ = [
    "DEFAULT_CLASSES",
    "SIMPLE_JWT",
    "authentication_lists",
    "first_party",
    "gives_out_ours",
    "is_simplejwt_view",
    "routed",
    "serializer_of",
    "simple_jwt",
    "simplejwt_verifiers",
    "simplejwt_views",
    "stock_verifiers",
    "takes_passwords",
    "trusts_simplejwt_keys",
]

#: Where a list is named that views have by default.
DEFAULT_CLASSES: Final = "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']"
_VIEWS: Final = "rest_framework_simplejwt.views"
_VERIFIER: Final = "rest_framework_simplejwt.authentication.JWTAuthentication"
_STOCK: Final = "rest_framework_simplejwt.tokens.AccessToken"
#: What takes passwords: a view by its own class, or by that of its serializer.
_PASSWORD_VIEWS: Final = (
    "drf_apikit.tokens.views.TokenObtainPairView",
    "rest_framework.authtoken.views.ObtainAuthToken",
    "rest_framework_simplejwt.views.TokenObtainPairView",
    "rest_framework_simplejwt.views.TokenObtainSlidingView",
)
_PASSWORD_SERIALIZERS: Final = (
    "rest_framework.authtoken.serializers.AuthTokenSerializer",
    "rest_framework_simplejwt.serializers.TokenObtainSerializer",
)
#: What gives out tokens of this project.
_OUR_VIEWS: Final = (
    "drf_apikit.tokens.views.TokenObtainPairView",
    "drf_apikit.tokens.views.TokenRefreshView",
)
_OUR_SERIALIZERS: Final = (
    "drf_apikit.tokens.serializers.TokenObtainPairSerializer",
    "drf_apikit.tokens.serializers.TokenRefreshSerializer",
)

#: What simplejwt takes where a setting of it is not set, as far as it is looked at.
SIMPLE_JWT: Final[Mapping[str, Any]] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "ALGORITHM": "HS256",
    "AUDIENCE": None,
    "AUTH_HEADER_NAME": "HTTP_AUTHORIZATION",
    "AUTH_TOKEN_CLASSES": (_STOCK,),
    "BLACKLIST_AFTER_ROTATION": False,
    "CHECK_USER_IS_ACTIVE": True,
    "ISSUER": None,
    "JTI_CLAIM": "jti",
    "JWK_URL": None,
    "LEEWAY": 0,
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": False,
    "TOKEN_TYPE_CLAIM": "token_type",
    "USER_AUTHENTICATION_RULE": (
        "rest_framework_simplejwt.authentication.default_user_authentication_rule"
    ),
    "VERIFYING_KEY": "",
}


def simple_jwt(name: str) -> Any:
    """Give a setting of simplejwt as it holds."""
    given = getattr(settings, "SIMPLE_JWT", None)
    given = given if isinstance(given, Mapping) else {}
    if name == "SIGNING_KEY":
        return given.get(name, settings.SECRET_KEY)
    return given.get(name, SIMPLE_JWT[name])


def routed() -> list[RoutedView]:
    """Give all views of REST framework that somebody can ask; no hidden ones."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    return list(routed_views(Reachable(get_resolver()), APIView))


def authentication_lists() -> dict[tuple[Any, ...], str]:
    """Give the lists of classes that views authenticate by, and where they are named.

    A default that every view overrides is not among them.
    """
    default = tuple(api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    found: dict[tuple[Any, ...], str] = {}
    for view in routed():
        # What a method gives depends on the request.
        if view.cls.get_authenticators is APIView.get_authenticators:
            classes = tuple(view.get("authentication_classes") or ())
            found.setdefault(
                classes, DEFAULT_CLASSES if classes == default else str(view)
            )
    return found


def first_party() -> TokensSettings | None:
    """Give the settings of the tokens that this project gives out; None for none."""
    if apikit_settings.faults():
        return None
    tokens = apikit_settings.tokens
    is_there = apps.is_installed("drf_apikit.tokens")
    return tokens if is_there and tokens.issuer is not None else None


def is_simplejwt_view(view: RoutedView, *names: str) -> bool:
    """Tell whether a view is simplejwt's of one of these names, with its own tokens."""
    if not is_any(view.cls, *(f"{_VIEWS}.{name}" for name in names)):
        return False
    serializer = serializer_of(view)
    ours = (view.cls, serializer, getattr(serializer, "token_class", None))
    return not any(is_of_this_package(one) for one in ours)


def serializer_of(view: RoutedView) -> Any:
    """Give the serializer of a view, as far as it is declared."""
    path = getattr(view.cls, "_serializer_class", None)
    return loaded(view.get("serializer_class") or path)


def takes_passwords(view: RoutedView) -> bool:
    """Tell whether a view is a login, by its own class or by that of its serializer."""
    return is_any(view.cls, *_PASSWORD_VIEWS) or is_any(
        serializer_of(view), *_PASSWORD_SERIALIZERS
    )


def gives_out_ours(view: RoutedView) -> bool:
    """Tell whether a view hands out tokens of this project, by itself or by a class."""
    serializer = serializer_of(view)
    if is_any(view.cls, *_OUR_VIEWS) or is_any(serializer, *_OUR_SERIALIZERS):
        return True
    is_of_tokens = is_any(view.cls, f"{_VIEWS}.TokenViewBase")
    ends = is_any(view.cls, f"{_VIEWS}.TokenBlacklistView")
    token = getattr(serializer, "token_class", None)
    return is_of_tokens and not ends and is_of_this_package(token)


def simplejwt_views() -> list[RoutedView]:
    """Give the views that hand out, renew, end or check tokens of simplejwt."""
    return [view for view in routed() if is_simplejwt_view(view, "TokenViewBase")]


def simplejwt_verifiers() -> list[str]:
    """Say where simplejwt's class asks for tokens, whoever has signed them."""
    return [
        where
        for listed, where in authentication_lists().items()
        if any(is_any(one, _VERIFIER) for one in listed)
    ]


def stock_verifiers() -> list[str]:
    """Say where it is tokens that simplejwt's own keys have signed."""
    classes = simple_jwt("AUTH_TOKEN_CLASSES")
    if all(is_of_this_package(loaded(one)) for one in classes):
        return []
    return simplejwt_verifiers()


def trusts_simplejwt_keys() -> bool:
    """Tell whether somebody who has simplejwt's key gets in."""
    tokens = first_party()
    exchanges = tokens is not None and tokens.legacy_refresh_tokens == "exchange"
    return bool(exchanges or stock_verifiers() or simplejwt_views())
