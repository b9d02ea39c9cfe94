"""Views that ask for nothing, for a token, and for scopes."""

from typing import Any

from django.urls import include, path
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from drf_apikit.authentication import (
    HasScopes,
    JWTBearerAuthentication,
    any_of,
)

__all__ = ["NoteViewSet", "ScopedView", "urlpatterns"]


class WhoAmIView(APIView):
    """Tell the caller who it is."""

    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [HasScopes]
    required_scopes: Any = []

    def get(self, request: Request) -> Response:
        token: Any = request.auth
        return Response(
            {
                "user": str(request.user),
                "pk": request.user.pk,
                "kind": type(request.user).__name__,
                "client": token.client_id if token else None,
            }
        )


class OpenView(WhoAmIView):
    permission_classes = [AllowAny]


class EitherView(WhoAmIView):
    authentication_classes = [
        JWTBearerAuthentication,
        BasicAuthentication,
    ]


class ScopedView(APIView):
    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [HasScopes]
    required_scopes: Any = ["notes:read", "notes:list"]

    def get(self, _request: Request) -> Response:
        return Response({})

    post = put = patch = delete = get


class MappedView(ScopedView):
    required_scopes: Any = {
        "GET": ["notes:read"],
        "POST": any_of("notes:write", "notes:create"),
        "PUT": "notes:write",
        "DELETE": [],
    }


class OptionsView(ScopedView):
    required_scopes: Any = {
        "GET": ["notes:read"],
        "HEAD": ["notes:head"],
        "OPTIONS": ["notes:options"],
        "PATCH": any_of(),
    }


class UndeclaredView(ScopedView):
    required_scopes: Any = None


class NoteViewSet(ViewSet):
    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [HasScopes]
    required_scopes: Any = {
        "GET": ["notes:read"],
        "POST": ["notes:write"],
        "archive": ["notes:archive"],
        "list": ["notes:list"],
    }

    def list(self, _request: Request) -> Response:
        return Response({})

    def create(self, _request: Request) -> Response:
        return Response({})

    def retrieve(self, _request: Request, pk: str) -> Response:
        return Response({"pk": pk})

    @action(detail=True, methods=["post"])
    def archive(self, _request: Request, pk: str) -> Response:
        return Response({"pk": pk})

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, pk: str) -> Response:
        return Response({"pk": pk})


router = SimpleRouter()
router.register("notes", NoteViewSet, "note")

urlpatterns = [
    path("me/", WhoAmIView.as_view()),
    path("open/", OpenView.as_view()),
    path("either/", EitherView.as_view()),
    path("scoped/", ScopedView.as_view()),
    path("mapped/", MappedView.as_view()),
    path("options/", OptionsView.as_view()),
    path("undeclared/", UndeclaredView.as_view()),
    path("", include(router.urls)),
]
