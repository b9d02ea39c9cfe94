"""Views that ask for nothing, for a token, and for scopes."""

from typing import Any

from django.urls import include, path
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ViewSet

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

    @action(detail=True, methods=["post"], required_scopes=["notes:own"])
    def own(self, _request: Request, pk: str) -> Response:
        return Response({"pk": pk})


class Sessions(HasScopes):
    needs_token = False


class SessionsView(ScopedView):
    permission_classes = [Sessions]
    required_scopes: Any = {"GET": ["notes:read", "notes:list"]}


class HeirViewSet(NoteViewSet):
    required_scopes: Any = {
        **NoteViewSet.required_scopes,
        "archive": ["heirs:archive"],
    }


class OtherViewSet(NoteViewSet):
    required_scopes: Any = ["others"]


class OwnThing(BasePermission):
    def has_object_permission(
        self, _request: Request, _view: APIView, obj: str
    ) -> bool:
        return obj == "1"


class ThingViewSet(GenericViewSet[Any]):
    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [HasScopes, OwnThing]
    serializer_class = Serializer
    required_scopes: Any = {"retrieve": ["notes:read"], "update": ["notes:write"]}

    def get_object(self) -> str:
        thing: str = self.kwargs["pk"]
        self.check_object_permissions(self.request, thing)
        return thing

    def retrieve(self, _request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_object())

    def update(self, _request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_object())


router = SimpleRouter()
router.register("notes", NoteViewSet, "note")
router.register("heirs", HeirViewSet, "heir")
router.register("others", OtherViewSet, "other")
router.register("things", ThingViewSet, "thing")

urlpatterns = [
    path("me/", WhoAmIView.as_view()),
    path("open/", OpenView.as_view()),
    path("either/", EitherView.as_view()),
    path("scoped/", ScopedView.as_view()),
    path("mapped/", MappedView.as_view()),
    path("options/", OptionsView.as_view()),
    path("sessions/", SessionsView.as_view()),
    path("undeclared/", UndeclaredView.as_view()),
    path("", include(router.urls)),
]
