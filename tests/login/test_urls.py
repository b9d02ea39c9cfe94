from importlib import reload
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from drf_apikit.login import urls
from drf_apikit.login.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

MOZILLA = "mozilla_django_oidc.views.OIDCAuthenticationCallbackView"


class Request(OIDCAuthenticationRequestView):
    pass


class Callback(OIDCAuthenticationCallbackView):
    pass


@pytest.fixture(autouse=True)
def _as_it_was() -> Any:
    yield
    reload(urls)


def views() -> list[type]:
    callback, request, _ = reload(urls).urlpatterns
    return [each.callback.view_class for each in (callback, request)]


def test_the_names_are_mozillas(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.login.website"
    assert reverse("oidc_authentication_init") == "/oidc/authenticate/"
    assert reverse("oidc_authentication_callback") == "/oidc/callback/"
    assert reverse("oidc_logout") == "/oidc/logout/"
    assert views() == [OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView]


def test_views_may_be_the_projects_own(settings: Any) -> None:
    settings.OIDC_CALLBACK_CLASS = f"{__name__}.Callback"
    settings.OIDC_AUTHENTICATE_CLASS = f"{__name__}.Request"
    assert views() == [Callback, Request]


def test_views_that_check_less_are_refused(settings: Any) -> None:
    settings.OIDC_CALLBACK_CLASS = MOZILLA
    with pytest.raises(ImproperlyConfigured, match=r"has to inherit from drf_apikit"):
        reload(urls)
