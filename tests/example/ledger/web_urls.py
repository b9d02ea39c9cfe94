"""The pages with a login that is not asked: sessions are given by the tests."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

__all__ = ["urlpatterns"]


def elsewhere(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("the provider")


urlpatterns = [
    path("oidc/authenticate/", elsewhere, name="oidc_authentication_init"),
    path("oidc/logout/", elsewhere, name="oidc_logout"),
    path("", include("ledger.web.urls")),
]
