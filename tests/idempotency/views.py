"""Protected views whose effect is one more article."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import (
    FileUploadParser,
    FormParser,
    JSONParser,
    MultiPartParser,
)
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import ConditionalMixin
from drf_apikit.idempotency import IdempotencyMixin, idempotent
from tests.app.models import Article, Label

__all__ = [
    "ArticleViewSet",
    "Effects",
    "Gate",
    "Kind",
    "LabelViewSet",
    "LockingViewSet",
    "Optional",
    "Rowless",
    "Script",
    "SharedViewSet",
    "Unprotected",
    "Uploads",
    "created",
    "function",
]


def created(_request: Request) -> HttpResponseBase:
    number = Article.objects.count()
    return Response(
        {"articles": number, "title": "Gänsefüßchen"},
        status=201,
        headers={"Location": f"/articles/{number}/", "X-Unkept": "1"},
    )


class Script:
    """What the views do, for the test to say."""

    answer: Callable[[Request], HttpResponseBase] = staticmethod(created)
    gate: Callable[[], bool] = staticmethod(lambda: True)
    #: The keys of the requests that entered a view.
    entered: list[str] = []
    lock = threading.Lock()

    @classmethod
    def play(cls, request: Request) -> HttpResponseBase:
        with cls.lock:
            cls.entered.append(request.headers["Idempotency-Key"])
        Article.objects.create(title="effect")
        return cls.answer(request)


class Gate(BasePermission):
    def has_permission(self, _request: HttpRequest, _view: APIView) -> bool:
        return Script.gate()

    def has_object_permission(
        self, _request: HttpRequest, _view: APIView, obj: Article
    ) -> bool:
        return obj.title != "locked"


class Effects(APIView):
    permission_classes = [Gate]

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)

    @idempotent(required=True)
    def patch(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Unprotected(APIView):
    """The same as `Effects`, to compare."""

    permission_classes = [Gate]

    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Optional(APIView):
    permission_classes: list[Any] = []

    @idempotent
    def post(self, _request: Request) -> Response:
        Article.objects.create(title="effect")
        return Response({"articles": Article.objects.count()})

    @idempotent(required=True)
    def get(self, _request: Request) -> Response:
        return Response({})


class Uploads(APIView):
    permission_classes = [IsAuthenticated]
    parser_classes = [MultiPartParser, FormParser, JSONParser, FileUploadParser]

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> Response:
        Article.objects.create(title="effect")
        files = {
            name: hashlib.sha256(file.read()).hexdigest()
            for name, file in request.FILES.items()
        }
        return Response(files, status=201)


@api_view(["POST"])
@permission_classes([IsAuthenticated])
@idempotent(required=True)
def function(request: Request) -> HttpResponseBase:
    return Script.play(request)


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title"]


class ArticleViewSet(IdempotencyMixin, ModelViewSet[Article]):
    idempotent_actions: ClassVar[Any] = ("create", "partial_update", "destroy")
    permission_classes = [Gate]
    serializer_class = ArticleSerializer

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.exclude(title="hidden")

    @action(detail=True, methods=["post"])
    @idempotent(required=True)
    def publish(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)

    @idempotent(required=True)
    @action(detail=True, methods=["post"])
    def retract(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Rowless(GenericAPIView[Any]):
    """A generic view with an argument that names no row."""

    permission_classes = [IsAuthenticated]

    @idempotent(required=True)
    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


class Kind(APIView):
    """Rolls back what is poor, and keeps what is down."""

    permission_classes = [Gate]

    @idempotent(required=True, rollback_on=lambda answer: answer.status_code == 402)
    def post(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        return Script.play(request)


def account_of(request: Request) -> str | None:
    return request.headers.get("Account")


class SharedViewSet(ArticleViewSet):
    """Keys belong to an account that several users share."""

    idempotent_actions: ClassVar[Any] = {
        "create": {"key_scope": account_of},
        "destroy": {"key_scope": account_of},
    }


class LockingViewSet(ArticleViewSet):
    """Locks the row that it is asked for, which needs a transaction."""

    def get_queryset(self) -> QuerySet[Article]:
        return super().get_queryset().select_for_update()


class LabelSerializer(ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ["pk", "name", "version"]
        read_only_fields = ["version"]


class LabelViewSet(IdempotencyMixin, ConditionalMixin, ModelViewSet[Label]):
    """Writes that are conditional as well."""

    idempotent_actions = {"partial_update": {"required": True}}
    permission_classes = [IsAuthenticated]
    serializer_class = LabelSerializer
    queryset = Label.objects.all()
