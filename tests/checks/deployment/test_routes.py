"""Which of two routes answers."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, include, path, re_path, resolve
from rest_framework_simplejwt.views import TokenObtainPairView

from drf_apikit.checks import check_deployed_endpoints
from drf_apikit.checks.deployment.uses import routed
from tests.checks.deployment.conftest import Obtain, SimplejwtPage, told

Routes = Callable[..., None]

LIMITED = Obtain.as_view()
OPEN = TokenObtainPairView.as_view(throttle_classes=[])
PAGE = SimplejwtPage.as_view()


def plain(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.fixture(autouse=True)
def _shared(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}
    }


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Routes]:
    """Give a function that takes all that there is."""

    def making(*patterns: Any) -> None:
        module = ModuleType("routes_of_this_test")
        vars(module)["urlpatterns"] = list(patterns)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        clear_url_caches()

    yield making
    clear_url_caches()


def within(prefix: Any, *patterns: Any) -> Any:
    return path(prefix, include(list(patterns)))


@pytest.mark.parametrize(
    "patterns",
    [
        [path("token/", LIMITED), within("token/", path("", OPEN))],
        [within("token/", path("", LIMITED)), path("token/", OPEN)],
        [within("", path("a/b/", LIMITED)), within("a/", within("b/", path("", OPEN)))],
        [path("token/", plain), path("token/", OPEN)],
        [re_path(r"^token/$", LIMITED), re_path(r"^token/$", OPEN)],
        [path("<slug:who>/token/", LIMITED), path("<slug:who>/token/", OPEN)],
    ],
)
def test_what_an_earlier_route_hides(routes: Routes, patterns: list[Any]) -> None:
    routes(*patterns)
    assert check_deployed_endpoints() == []
    routes(*reversed(patterns))
    assert list(told(check_deployed_endpoints)) == ["W049"]


@pytest.mark.parametrize(
    "patterns",
    [
        [path("token/", LIMITED), path("tokens/", OPEN)],
        [path("token/", LIMITED), within("token/", path("new/", OPEN))],
        # Nobody can say of these without looking into the patterns.
        [path("token/", LIMITED), re_path(r"^token/$", OPEN)],
        [path("<slug:who>/token/", LIMITED), path("<str:who>/token/", OPEN)],
        [
            within("<str:who>", path("token/", LIMITED)),
            path("<str:who>token/", OPEN),
        ],
    ],
)
def test_what_is_no_identical_route(routes: Routes, patterns: list[Any]) -> None:
    routes(*patterns)
    assert list(told(check_deployed_endpoints)) == ["W049"]


def test_a_route_of_each_language(routes: Routes) -> None:
    routes(*i18n_patterns(path("token/", LIMITED)), path("en/token/", OPEN))
    assert list(told(check_deployed_endpoints)) == ["W049"]


def test_the_first_route_is_the_one_that_answers(routes: Routes) -> None:
    """A parameter of the first one takes more than it seems: the second answers."""
    first = within("<str:who>", path("token/", LIMITED))
    routes(first, path("<str:who>token/", OPEN))
    assert resolve("/anytoken/").func is OPEN


def test_a_hidden_view_of_any_kind_is_not_there(routes: Routes) -> None:
    routes(path("a/", PAGE), path("b/", plain), path("b/", PAGE), path("a/", LIMITED))
    assert [view.cls for view in routed()] == [SimplejwtPage]
