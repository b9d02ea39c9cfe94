"""Views that take passwords, or tokens that never end, or nobody's word at all."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from drf_apikit.checks.caches import is_private
from drf_apikit.checks.classes import inherits, is_any
from drf_apikit.checks.deployment.pitfalls import tell
from drf_apikit.checks.deployment.uses import (
    DEFAULT_CLASSES,
    authentication_lists,
    routed,
    takes_passwords,
)
from drf_apikit.checks.views import RoutedView

__all__ = ["check_deployed_endpoints"]

_BEARERS: Final = (
    "drf_apikit.authentication.bearer.JWTBearerAuthentication",
    "mozilla_django_oidc.contrib.drf.OIDCAuthentication",
    "rest_framework.authentication.TokenAuthentication",
    "rest_framework_simplejwt.authentication.JWTAuthentication",
)
#: Apps that count failed logins, wherever they happen.
_GUARDS: Final = ("axes", "defender", "django_ratelimit")
_LIBRARIES: Final = ("drf_apikit", "drf_spectacular", "rest_framework")
_CREDENTIALS: Final = "rest_framework.authentication"


def check_deployed_endpoints(**_: Any) -> list[checks.CheckMessage]:
    """Look at the views before a deployment.

    `W049` passwords can be guessed, `W050` each process counts for itself; `W051`
    passwords with every request; `W052` tokens that never end; `W053` views that
    everybody may use since nobody has said who may.
    """
    return [*_passwords(), *_credentials(), *_open()]


def _passwords() -> Iterator[checks.CheckMessage]:
    if any(apps.is_installed(name) for name in _GUARDS):
        return
    limited = []
    for view in routed():
        if not takes_passwords(view):
            continue
        if _is_limited(view):
            limited.append(view)
            continue
        yield tell(
            "W049",
            f"{view} takes passwords, and no class in its throttle_classes limits how"
            " often: they can be guessed",
            "Give it a ScopedRateThrottle and a throttle_scope with a rate; or put"
            " this away where something in front limits it",
        )
    backend = settings.CACHES.get("default", {}).get("BACKEND")
    counted = [view for view in limited if _counts_by_default(view)]
    if counted and is_private(backend):
        yield tell(
            "W050",
            f"{counted[0]} is limited by CACHES['default'], {backend}, which each"
            " process has for itself: with each of them there are more guesses",
            "Name a cache that all processes share, such as Redis",
        )


def _is_limited(view: RoutedView) -> bool:
    # What a method gives depends on the request.
    if view.cls.get_throttles is not APIView.get_throttles:
        return True
    return any(_limits(cls, view) for cls in view.get("throttle_classes") or ())


def _limits(cls: Any, view: RoutedView) -> bool:
    """Tell whether a class limits anything: without a rate it does not."""
    if not (isinstance(cls, type) and issubclass(cls, SimpleRateThrottle)):
        return True
    if cls.get_rate is not SimpleRateThrottle.get_rate or getattr(cls, "rate", None):
        return True
    scope: Any = cls.scope
    if issubclass(cls, ScopedRateThrottle):
        scope = view.get(cls.scope_attr)
        if not scope:
            return False
    return cls.THROTTLE_RATES.get(scope, "a fault that DRF tells of") is not None


def _counts_by_default(view: RoutedView) -> bool:
    """Tell whether all that limits a view counts in the cache `default`."""
    classes = view.get("throttle_classes") or ()
    return bool(classes) and all(
        getattr(cls, "cache", None) is SimpleRateThrottle.cache for cls in classes
    )


def _credentials() -> Iterator[checks.CheckMessage]:
    named = "authenticate_credentials"
    for classes, where in authentication_lists().items():
        # One that stands alone in a view of its own is meant.
        beside = where == DEFAULT_CLASSES or any(
            is_any(one, *_BEARERS) for one in classes
        )
        for cls in classes:
            plain = inherits(cls, named, module=_CREDENTIALS)
            if plain and beside and issubclass(cls, BasicAuthentication):
                yield tell(
                    "W051",
                    f"{where} has {cls.__name__}: each request shows the password, to"
                    " be guessed at every URL, and no token limits what it is good for",
                    "Leave it out, and name DEFAULT_AUTHENTICATION_CLASSES: DRF's own"
                    " default has it",
                )
            if plain and issubclass(cls, TokenAuthentication):
                yield tell(
                    "W052",
                    f"{where} has {cls.__name__}: its tokens never expire, and the"
                    " database has them in clear",
                    "Give out tokens that do, as drf_apikit.tokens does",
                )


def _open() -> Iterator[checks.CheckMessage]:
    default: Any = api_settings.DEFAULT_PERMISSION_CLASSES
    if any(cls is not AllowAny for cls in default):
        return
    unsaid = [view for view in routed() if _is_unsaid(view)]
    if unsaid:
        yield tell(
            "W053",
            "REST_FRAMEWORK['DEFAULT_PERMISSION_CLASSES'] lets everybody in, and"
            f" {unsaid[0]} ({len(unsaid)} in all) has no permission_classes of its own:"
            " it takes tokens, and asks for none",
            "Set it to IsAuthenticated or HasScopes; a view that is meant for everybody"
            " names AllowAny itself",
        )


def _is_unsaid(view: RoutedView) -> bool:
    """Tell a view that takes tokens and says nothing of who may use it."""
    # Behind `@api_view` it is always set, to the same list where nothing was said.
    named = view.get("permission_classes") is not APIView.permission_classes
    said = named or view.cls.get_permissions is not APIView.get_permissions
    library = view.cls.__module__.startswith(_LIBRARIES)
    classes = view.get("authentication_classes") or ()
    return not said and not library and any(is_any(cls, *_BEARERS) for cls in classes)
