"""Articles with conditional reads and writes."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from rest_framework.decorators import action
from rest_framework.generics import GenericAPIView, RetrieveUpdateAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import ConditionalMixin, VersionField
from drf_apikit.idempotency import IdempotencyMixin, idempotent
from tests.app.models import Article

__all__ = [
    "Appending",
    "ArticleViewSet",
    "DecoratedViewSet",
    "Editing",
    "MixedViewSet",
    "Own",
    "PlainViewSet",
    "Reckoning",
    "StrictViewSet",
    "TurnedViewSet",
]


class Unlocked(BasePermission):
    def has_object_permission(
        self, _request: HttpRequest, _view: APIView, obj: Article
    ) -> bool:
        return obj.title != "locked"


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return repr(data).encode()


def _data(request: Request) -> Any:
    return request.data


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title", "score", "version"]
        read_only_fields = ["version"]


class PlainViewSet(ModelViewSet[Article]):
    queryset = Article.objects.exclude(title="hidden").order_by("pk")
    serializer_class = ArticleSerializer
    permission_classes = [IsAuthenticated, Unlocked]
    renderer_classes = [JSONRenderer, TextRenderer]


@method_decorator(cache_control(private=True, max_age=0), name="dispatch")
class ArticleViewSet(ConditionalMixin, PlainViewSet):
    validator = VersionField("version")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().list(request, *args, **kwargs)
        response["Content-Location"] = "/articles/?page=1"
        response["X-Own"] = "1"
        response.set_cookie("seen", "1")
        return response

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        article = self.get_object()
        article.title = "published"
        article.save()
        return Response(self.get_serializer(article).data)

    @action(detail=True)
    def summary(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({"summary": self.get_object().title[:3]})

    @action(detail=True, methods=["patch"])
    def rename(self, request: Request, **_kwargs: Any) -> Response:
        article = self.get_object()
        article.title = str(_data(request)["title"])
        article.save()
        return Response({"renamed": True})

    @action(detail=False, methods=["put"])
    def order(self, _request: Request) -> Response:
        return Response({"ordered": True})

    @action(detail=False)
    def export(self, _request: Request) -> HttpResponseBase:
        answers: dict[str, HttpResponseBase] = {
            "stream": StreamingHttpResponse([b"a"]),
            "own": Response("own", headers={"ETag": '"own"'}),
            "missing": Response("nothing", status=404),
            "plain": HttpResponse(b"a,b", headers={"Last-Modified": "x"}),
        }
        return answers[self.request.GET["kind"]]


class StrictViewSet(ArticleViewSet):
    require_preconditions = True


class Editing(ConditionalMixin, RetrieveUpdateAPIView[Article]):
    """A generic view, with its own name for the argument."""

    validator = VersionField("version")
    queryset = Article.objects.all()
    serializer_class = ArticleSerializer
    permission_classes = [IsAuthenticated]
    lookup_field = "title"
    lookup_url_kwarg = "name"


class Own(ConditionalMixin, RetrieveUpdateAPIView[Article]):
    """The one object of who asks: no URL names it, and there is no queryset."""

    validator = VersionField()
    serializer_class = ArticleSerializer
    permission_classes = [IsAuthenticated]

    def get_object(self) -> Article:
        return Article.objects.get()


class Reckoning(ConditionalMixin, GenericAPIView[Article]):
    """Makes something, and has no rows."""

    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        return Response({"twice": 2 * _data(request)["of"]}, status=201)


class Appending(ConditionalMixin, GenericAPIView[Article]):
    """Adds to what is there: an update that is lost can be seen."""

    validator = VersionField("version")
    queryset = Article.objects.all()
    permission_classes = [IsAuthenticated]

    #: Called when the article has been read, before it is judged.
    read: Callable[[Article], None] = staticmethod(lambda _article: None)
    #: What a request does besides.
    act: Callable[[], Response | None] = staticmethod(lambda: None)

    def get_object(self) -> Article:
        fresh = self.held_object is None
        article: Article = super().get_object()
        if fresh:
            type(self).read(article)
        return article

    def patch(self, request: Request, **_kwargs: Any) -> Response:
        article = self.get_object()
        article.title += str(_data(request)["mark"])
        article.save()
        return type(self).act() or Response({"title": article.title})

    def get(self, _request: Request, **_kwargs: Any) -> Response:
        return type(self).act() or Response({"title": self.get_object().title})


class DecoratedViewSet(ConditionalMixin, PlainViewSet):
    """Both blocks, one by a decorator."""

    validator = VersionField("version")

    @idempotent(required=True)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    @idempotent
    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        article = self.get_object()
        article.title += "!"
        article.save()
        return Response({"title": article.title})

    @idempotent
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().destroy(request, *args, **kwargs)
        transaction.set_rollback(True)
        return response


class MixedViewSet(IdempotencyMixin, ConditionalMixin, PlainViewSet):
    validator = VersionField("version")
    idempotent_actions = ("partial_update", "publish")
    publish = DecoratedViewSet.publish


class TurnedViewSet(ConditionalMixin, IdempotencyMixin, PlainViewSet):
    validator = VersionField("version")
    idempotent_actions = ("partial_update", "publish")
    publish = DecoratedViewSet.publish
