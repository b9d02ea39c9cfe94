"""How long tokens of simplejwt live, what they are good for, and who ends them."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from drf_apikit.checks.classes import inherits, is_any, loaded
from drf_apikit.checks.deployment.lives import (
    SIMPLE_JWT_LIFE,
    Life,
    access_lives,
    refresh_lives,
)
from drf_apikit.checks.deployment.pitfalls import tell
from drf_apikit.checks.deployment.uses import (
    first_party,
    is_simplejwt_view,
    routed,
    serializer_of,
    simple_jwt,
    simplejwt_views,
    stock_verifiers,
)

__all__ = ["activity", "beside_ours", "lives", "renewal", "rule", "verification"]

_ACCESS: Final = timedelta(minutes=15)
_REFRESH: Final = timedelta(days=30)
_LEEWAY: Final = timedelta(minutes=5)
_BLACKLIST: Final = "rest_framework_simplejwt.token_blacklist"
_TOKENS: Final = "rest_framework_simplejwt.tokens"
_VIEWS: Final = "drf_apikit.tokens.views"
_SERIALIZERS: Final = "rest_framework_simplejwt.serializers"
_SLIDING: Final = ("TokenObtainSlidingView", "TokenRefreshSlidingView")


def lives() -> Iterator[checks.CheckMessage]:
    """Look at who goes on for how long, by simplejwt's tokens or by ours."""
    access, refresh = _life("ACCESS_TOKEN_LIFETIME"), _life("REFRESH_TOKEN_LIFETIME")
    for_access, for_refresh = _readers()
    if for_access and access is not None and access > _ACCESS:
        yield tell(
            "W029",
            f"SIMPLE_JWT['ACCESS_TOKEN_LIFETIME'] is {access}: nothing ends an access"
            " token before that, be it stolen or its user gone",
            f"Make it {_ACCESS} or less: that is what refresh tokens are for",
        )
    if for_refresh and refresh is not None and refresh > _REFRESH:
        yield tell(
            "W030",
            f"SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] is {refresh}: a token that was"
            " forgotten somewhere still opens the account",
            f"Make it {_REFRESH.days} days or less",
        )


def rule() -> Iterator[checks.CheckMessage]:
    """Look for what is asked at every login, by simplejwt's views and by ours."""
    named = simple_jwt("USER_AUTHENTICATION_RULE")
    if not callable(loaded(named) if isinstance(named, str) else named):
        yield tell(
            "E043",
            f"SIMPLE_JWT['USER_AUTHENTICATION_RULE'] is {named!r}, which cannot be"
            " imported, or not called: every login fails",
            "Name a function that takes a user, or leave it out",
        )


def activity() -> Iterator[checks.CheckMessage]:
    """Look at who was deactivated; ours ask for that whatever the setting is."""
    if not simple_jwt("CHECK_USER_IS_ACTIVE"):
        yield tell(
            "W035",
            "SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] is False: who was deactivated goes on,"
            " and renews their tokens",
            "Leave it out",
        )


def _readers() -> tuple[bool, bool]:
    """Tell whether somebody lives for as long as `SIMPLE_JWT` says, of each kind."""
    tokens = first_party()
    if simplejwt_views() or (tokens is None and stock_verifiers()):
        return True, True
    if tokens is None:
        return False, False
    return (
        _is_read(access_lives(tokens), _ACCESS),
        _is_read(refresh_lives(tokens), _REFRESH),
    )


def _is_read(found: Iterable[Life], most: timedelta) -> bool:
    return any(
        life.where == SIMPLE_JWT_LIFE and life.seconds > most.total_seconds()
        for life in found
    )


def renewal() -> Iterator[checks.CheckMessage]:
    """Look at what becomes of refresh tokens that were used, or given back."""
    views = routed()
    rotates = simple_jwt("ROTATE_REFRESH_TOKENS")
    if any(is_simplejwt_view(view, "TokenRefreshView") for view in views):
        yield from _rotation() if rotates else _no_rotation()
    if not apps.is_installed(_BLACKLIST):
        for view in views:
            blacklists = is_simplejwt_view(view, "TokenBlacklistView")
            if blacklists and inherits(
                serializer_of(view), "validate", module=_SERIALIZERS
            ):
                yield tell(
                    "E026",
                    f"{view} answers 200 to a logout and ends nothing: INSTALLED_APPS"
                    f" has no {_BLACKLIST}",
                    "Add it, and migrate; or let drf_apikit.tokens end sessions",
                )


def verification() -> Iterator[checks.CheckMessage]:
    """Look at what simplejwt lets in, where it is simplejwt that verifies."""
    yield from _kinds()
    if simple_jwt("TOKEN_TYPE_CLAIM") is None:
        yield tell(
            "E029",
            "SIMPLE_JWT['TOKEN_TYPE_CLAIM'] is None: refresh tokens, and ID tokens of"
            " the issuer, do for access tokens",
            "Leave it out; tokens of others are for JWTBearerAuthentication, whose"
            " TOKEN_PROFILE tells them apart",
        )
    if simple_jwt("JTI_CLAIM") is None:
        yield tell(
            "W034",
            "SIMPLE_JWT['JTI_CLAIM'] is None: no token can be told from another, so"
            " that none can be blacklisted",
            "Leave it out",
        )
    leeway = _span(simple_jwt("LEEWAY"))
    if leeway is not None and leeway > _LEEWAY:
        yield tell(
            "W036",
            f"SIMPLE_JWT['LEEWAY'] is {leeway}, by which every token lives longer",
            "Make it what clocks may differ by: a minute or less",
        )
    header = simple_jwt("AUTH_HEADER_NAME")
    if header != "HTTP_AUTHORIZATION":
        yield tell(
            "W038",
            f"SIMPLE_JWT['AUTH_HEADER_NAME'] is {header!r}: caches and logs know only"
            " Authorization to be one person's secret",
            "Leave it out",
        )


def beside_ours() -> Iterator[checks.CheckMessage]:
    """Look at simplejwt's own ways beside those of `drf_apikit.tokens`."""
    if first_party() is None:
        return
    yield from _foreign_serializers()
    for where in stock_verifiers():
        yield tell(
            "W062",
            f"{where} has simplejwt's JWTAuthentication with AUTH_TOKEN_CLASSES of"
            " simplejwt, and DRF_APIKIT['TOKENS'] gives tokens out: those are refused"
            " there, and whoever has the old key goes on signing",
            "Put JWTBearerAuthentication in its place",
        )
    for view in simplejwt_views():
        yield tell(
            "W063",
            f"{view} is simplejwt's own view, and DRF_APIKIT['TOKENS'] gives tokens"
            " out: what it hands out belongs to no session that somebody could end",
            "Import it from drf_apikit.tokens.views",
        )


def _foreign_serializers() -> Iterator[checks.CheckMessage]:
    """Ask our views, which refuse a serializer that hands out tokens of simplejwt."""
    for view in routed():
        ours = is_any(view.cls, f"{_VIEWS}._TokenView")
        if ours and inherits(view.cls, "get_serializer_class", module=_VIEWS):
            try:
                view.cls(**view.given).get_serializer_class()
            except (ImportError, ImproperlyConfigured) as error:
                yield checks.Error(
                    f"{view} fails at every request: {str(error).removesuffix('.')}.",
                    hint="Import what the serializer builds on from"
                    " drf_apikit.tokens.serializers (RFC 9068 section 2).",
                    id="drf_apikit.E040",
                )


def _no_rotation() -> Iterator[checks.CheckMessage]:
    yield tell(
        "W031",
        "SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] is False: a stolen refresh token is good"
        " until it expires, and nobody notices",
        "Set it to True, with BLACKLIST_AFTER_ROTATION; or let drf_apikit.tokens give"
        " tokens out",
    )


def _rotation() -> Iterator[checks.CheckMessage]:
    if not simple_jwt("BLACKLIST_AFTER_ROTATION"):
        yield tell(
            "W032",
            "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] is False: a refresh token that was"
            " used goes on being good beside its successor",
            f"Set it to True, with {_BLACKLIST} in INSTALLED_APPS",
        )
    elif not apps.is_installed(_BLACKLIST):
        yield tell(
            "E025",
            "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] is True, and INSTALLED_APPS has no"
            f" {_BLACKLIST}: simplejwt passes over it, and blacklists nothing",
            "Add it, and migrate",
        )


def _kinds() -> Iterator[checks.CheckMessage]:
    """Look at the kinds of tokens that are let in, or handed out."""
    classes = [loaded(one) for one in simple_jwt("AUTH_TOKEN_CLASSES")]
    for name in ("UntypedToken", "RefreshToken"):
        if any(is_any(one, f"{_TOKENS}.{name}") for one in classes):
            yield tell(
                "E030",
                f"SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has {name}: refresh tokens, which"
                " live long, do for access tokens",
                "Name AccessToken alone",
            )
    sliding = any(is_any(one, f"{_TOKENS}.SlidingToken") for one in classes)
    if sliding or any(is_simplejwt_view(view, *_SLIDING) for view in routed()):
        yield tell(
            "W037",
            "SIMPLE_JWT['AUTH_TOKEN_CLASSES'] or a view has sliding tokens: who gets"
            " hold of what each request shows can renew it",
            "Use pairs of tokens: a refresh token goes to one endpoint alone",
        )


def _life(name: str) -> timedelta | None:
    value = simple_jwt(name)
    return value if isinstance(value, timedelta) else None


def _span(value: Any) -> timedelta | None:
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    return value if isinstance(value, timedelta) else None
