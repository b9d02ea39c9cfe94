from pathlib import Path
from typing import Any, Final

import pytest
from django.core.cache import caches
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    permission_classes,
)
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import (
    AnonRateThrottle,
    BaseThrottle,
    ScopedRateThrottle,
    SimpleRateThrottle,
)
from rest_framework.views import APIView
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import (
    TokenObtainSlidingView,
    TokenRefreshView,
    TokenViewBase,
)

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks import check_deployed_endpoints
from drf_apikit.tokens.serializers import TokenObtainPairSerializer as OurSerializer
from tests.checks.conftest import Route
from tests.checks.deployment.conftest import Limit, Obtain, told

SHARED: Final = {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}
EVERYBODY: Final = "rest_framework.permissions.AllowAny"
SOMEBODY: Final = "rest_framework.permissions.IsAuthenticated"
OWN: Final = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


class Unlimited(AnonRateThrottle):
    THROTTLE_RATES: Any = {"anon": None}


class Counting(SimpleRateThrottle):
    def get_rate(self) -> Any:
        return "1/min"


class Scoped(ScopedRateThrottle):
    THROTTLE_RATES: Any = {"login": "5/min", "never": None}


class Deciding(Obtain):
    def get_throttles(self) -> Any:
        return []


class Page(APIView):
    authentication_classes: Any = [SessionAuthentication, JWTBearerAuthentication]

    def get(self, _request: Request) -> Response:
        return Response({})


class Said(Page):
    permission_classes: Any = [AllowAny]


class SaidBefore(Said):
    """Whose base says who may use it."""


class Answering(Page):
    def get_permissions(self) -> Any:
        return []


class Inspecting(BasicAuthentication):
    def authenticate_credentials(
        self, userid: Any, password: Any, request: Any = None
    ) -> Any:
        raise NotImplementedError(userid, password, request)


class Expiring(TokenAuthentication):
    def authenticate_credentials(self, key: str) -> Any:
        raise NotImplementedError(key)


@pytest.fixture(autouse=True)
def _shared(settings: Any) -> None:
    settings.CACHES = {"default": SHARED}


# W049, W050: passwords.


@pytest.mark.parametrize("view", [Obtain, ObtainAuthToken, TokenObtainSlidingView])
@pytest.mark.parametrize(
    ("classes", "limited"),
    [
        ([], False),
        ([Unlimited], False),
        ([Scoped], False),
        ([Unlimited, Limit], True),
        ([Counting], True),
        ([BaseThrottle], True),
        ([lambda: None], True),
    ],
)
def test_passwords_that_can_be_guessed(
    route: Route, view: Any, classes: Any, limited: bool
) -> None:
    route(view.as_view(throttle_classes=classes))
    found = told(check_deployed_endpoints)
    assert list(found) == ([] if limited else ["W049"])
    if not limited:
        where = f"{view.__module__}.{view.__qualname__} takes passwords, and no class"
        assert found["W049"].startswith(where)


@pytest.mark.parametrize(
    ("scope", "limited"),
    [("login", True), ("never", False), ("", False), ("of nobody", True)],
)
def test_a_scope_with_a_rate(route: Route, scope: str, limited: bool) -> None:
    class Login(Obtain):
        throttle_classes: Any = [Scoped]
        throttle_scope = scope

    route(Login.as_view())
    assert list(told(check_deployed_endpoints)) == ([] if limited else ["W049"])


def test_our_own_view_takes_passwords_too(route: Route) -> None:
    named = {"throttle_classes": [], "__module__": "drf_apikit.tokens.views"}
    made: Any = type("TokenObtainPairView", (APIView,), named)
    route(made.as_view(), TokenRefreshView.as_view())
    assert list(told(check_deployed_endpoints)) == ["W049"]


class OfSimplejwt(TokenViewBase):
    serializer_class: Any = TokenObtainPairSerializer


class Named(TokenViewBase):
    _serializer_class = "rest_framework_simplejwt.serializers.TokenObtainSerializer"


class OfOurs(GenericAPIView[Any]):
    permission_classes: Any = [AllowAny]
    serializer_class = OurSerializer


class OfDRF(GenericAPIView[Any]):
    permission_classes: Any = [AllowAny]
    serializer_class = AuthTokenSerializer


@pytest.mark.parametrize("view", [OfSimplejwt, Named, OfOurs, OfDRF])
def test_a_view_with_a_serializer_that_takes_passwords(route: Route, view: Any) -> None:
    route(view.as_view(), TokenRefreshView.as_view())
    found = told(check_deployed_endpoints)
    assert list(found) == ["W049"]
    assert f"{view.__qualname__} takes passwords" in found["W049"]
    route(view.as_view(throttle_classes=[Limit]))
    assert check_deployed_endpoints() == []


def test_a_serializer_that_takes_passwords_as_it_is_routed(route: Route) -> None:
    route(TokenRefreshView.as_view(serializer_class=TokenObtainPairSerializer))
    assert list(told(check_deployed_endpoints)) == ["W049"]


def test_what_only_a_request_can_tell(route: Route) -> None:
    route(Deciding.as_view())
    assert check_deployed_endpoints() == []


def test_an_app_that_counts_failures(
    route: Route, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "axes").mkdir()
    (tmp_path / "axes" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    route(Obtain.as_view(throttle_classes=[]))
    assert list(told(check_deployed_endpoints)) == ["W049"]
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "axes"]
    assert check_deployed_endpoints() == []


def test_each_process_counts_for_itself(route: Route, settings: Any) -> None:
    settings.CACHES = {"default": OWN}
    route(Obtain.as_view())
    found = told(check_deployed_endpoints)
    assert list(found) == ["W050"]
    assert f"Obtain is limited by CACHES['default'], {OWN['BACKEND']}" in found["W050"]
    settings.CACHES = {"default": SHARED}
    assert check_deployed_endpoints() == []


class Elsewhere(Limit):
    cache = caches["default"]


@pytest.mark.parametrize("classes", [[Elsewhere, Limit], [BaseThrottle]])
def test_a_throttle_that_counts_elsewhere(
    route: Route, settings: Any, classes: Any
) -> None:
    settings.CACHES = {"default": OWN}
    route(Obtain.as_view(throttle_classes=classes))
    assert check_deployed_endpoints() == []


# W051, W052: credentials that last.


@pytest.mark.parametrize(
    ("cls", "code", "said"),
    [
        (BasicAuthentication, "W051", "BasicAuthentication: each request shows the"),
        (TokenAuthentication, "W052", "TokenAuthentication: its tokens never expire"),
        (Inspecting, None, ""),
        (Expiring, None, ""),
    ],
)
def test_credentials_that_last(route: Route, cls: Any, code: Any, said: str) -> None:
    route(Said.as_view(authentication_classes=[JWTBearerAuthentication, cls]))
    found = told(check_deployed_endpoints)
    assert list(found) == ([] if code is None else [code])
    assert code is None or said in found[code]


def test_a_view_that_is_meant_for_passwords(route: Route) -> None:
    route(Said.as_view(authentication_classes=[BasicAuthentication]))
    assert check_deployed_endpoints() == []


def test_the_default_is_told_by_its_setting(route: Route, settings: Any) -> None:
    # What DRF has where nothing is set.
    settings.REST_FRAMEWORK = {}
    classes = [SessionAuthentication, BasicAuthentication]
    route(Said.as_view(authentication_classes=classes))
    (said,) = told(check_deployed_endpoints).values()
    assert said.startswith("REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'] has Basic")


# W053: nobody has said who may.


@pytest.mark.parametrize("default", [[EVERYBODY], []], ids=["AllowAny", "none"])
def test_a_view_that_says_nothing(route: Route, settings: Any, default: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": default}
    route(Said.as_view(), Page.as_view(), Page.as_view())
    found = told(check_deployed_endpoints)
    assert list(found) == ["W053"]
    assert f"{__name__}.Page (2 in all) has no permission_classes" in found["W053"]


@pytest.mark.parametrize(
    "view",
    [
        Said.as_view(),
        SaidBefore.as_view(),
        Answering.as_view(),
        Page.as_view(permission_classes=[]),
        Page.as_view(authentication_classes=[SessionAuthentication]),
        Page.as_view(authentication_classes=None),
    ],
)
def test_a_view_that_says_who_may(route: Route, settings: Any, view: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": [EVERYBODY]}
    route(view)
    assert check_deployed_endpoints() == []


def test_a_function_that_says_nothing(route: Route, settings: Any) -> None:
    @api_view()
    @authentication_classes([JWTBearerAuthentication])
    def silent(_request: Request) -> Response:
        return Response({})

    @api_view()
    @authentication_classes([JWTBearerAuthentication])
    @permission_classes([AllowAny])
    def public(_request: Request) -> Response:
        return Response({})

    settings.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": [EVERYBODY]}
    route(public)
    assert check_deployed_endpoints() == []
    route(silent)
    assert f"{__name__}.silent (1 in" in told(check_deployed_endpoints)["W053"]


def test_a_default_that_asks(route: Route, settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": [SOMEBODY]}
    route(Page.as_view())
    assert check_deployed_endpoints() == []
