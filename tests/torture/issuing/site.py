"""Its routes: `gunicorn tests.torture.issuing.site`."""

import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import django.core.wsgi
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt import views as simplejwt

from drf_apikit.tokens import views
from drf_apikit.tokens.keyring import current_ring
from drf_apikit.tokens.models import TokenSession
from tests.torture.issuing.steps import UNGUARDED, Step, now, watch

__all__ = ["application", "urlpatterns"]

#: Seconds; more than any token that is given out.
LONG: Final = 30 * 24 * 3600


class Me(APIView):
    """For whoever has an access token."""

    def get(self, request: Request) -> Response:
        """Tell who that is, and which process says so."""
        said = {"user": request.user.pk, "pid": os.getpid(), "time": time.time()}
        return Response(said)


class Signed(APIView):
    """For whoever has an access token: another one, of a longer life."""

    def get(self, request: Request) -> Response:
        """Sign what the token says for so many seconds, with the key that signs."""
        token: Any = request.auth
        claims = {**token.claims, "exp": int(time.time()) + LONG}
        key = current_ring().signing_key()
        return Response({"access": key.sign(claims, "at+jwt"), "kid": key.kid})


class Open(APIView):
    """For everybody."""

    authentication_classes = ()
    permission_classes = [AllowAny]


class Sessions(Open):
    """What only a test may do: let time pass for a session, and look at it."""

    def post(self, request: Request) -> Response:
        """Make its last refresh so many seconds older; tell whether it goes on."""
        given: Any = request.data
        rows = TokenSession.objects.filter(pk=given["sid"])
        rows.update(refreshed_epoch=F("refreshed_epoch") - given["age"])
        return Response({"alive": rows.filter(ended_at=None).exists()})


def state(_request: HttpRequest) -> JsonResponse:
    """Tell which process this is; nothing goes on in the background."""
    return JsonResponse({"pid": os.getpid(), "busy": []})


def health(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


urlpatterns = [
    path("healthz", health),
    path("state", state),
    path("me", Me.as_view()),
    path("signed", Signed.as_view()),
    path("sessions", Sessions.as_view()),
    path("sessions/<uuid:pk>", views.SessionViewSet.as_view({"delete": "destroy"})),
    path("token", views.TokenObtainPairView.as_view()),
    path("refresh", views.TokenRefreshView.as_view()),
    path(f"{UNGUARDED[1:]}/refresh", views.TokenRefreshView.as_view()),
    path("simplejwt/token", simplejwt.TokenObtainPairView.as_view()),
    path("simplejwt/refresh", simplejwt.TokenRefreshView.as_view()),
    path("", include("drf_apikit.tokens.wellknown_urls")),
]


def simplejwt_now() -> datetime:
    """Tell simplejwt the time of this process, which may be that of a file."""
    return datetime.fromtimestamp(time.time(), UTC)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer as Django does, unless a step is the end of it."""
    now.begin(environ)
    answer: Iterable[bytes] = django_application(environ, start_response)
    now.reach(Step.ANSWERING)
    return answer


vars(tokens)["aware_utcnow"] = simplejwt_now
watch()
django_application: Final = django.core.wsgi.get_wsgi_application()
