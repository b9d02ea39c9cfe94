"""A project with the login, that says who is logged in."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from drf_apikit.problems.django_handlers import (
    handler400,
    handler403,
    handler404,
    handler500,
)

__all__ = [
    "handler400",
    "handler403",
    "handler404",
    "handler500",
    "urlpatterns",
    "who",
]


def who(request: HttpRequest) -> JsonResponse:
    """Say who is logged in."""
    return JsonResponse({"user": request.user.get_username()})


urlpatterns = [
    path("oidc/", include("drf_apikit.login.urls")),
    path("who/", who),
]
