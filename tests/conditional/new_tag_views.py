"""Views whose answers to writes have something that a tag could miss."""

from typing import Any

from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, ModelSerializer
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    BodyHash,
    ConditionalMixin,
    Generation,
    RowDigest,
    UpdatedAt,
    VersionField,
)
from tests.app.models import Article, Author, Document
from tests.compliance.conditional_views import TextRenderer

__all__ = ["VIEWS"]


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ["pk", "name"]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title", "price", "hour", "ratio", "day", "extra"]


class NestedSerializer(ModelSerializer[Article]):
    author = AuthorSerializer(read_only=True)

    class Meta:
        model = Article
        fields = ["pk", "title", "author"]


class NarrowSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["title", "price"]


class DocumentSerializer(ModelSerializer[Document]):
    slug = CharField(required=False)

    class Meta:
        model = Document
        fields = ["pk", "slug", "title", "amount", "doubled", "version", "touched"]
        read_only_fields = ["doubled", "version"]


class Articles(ConditionalMixin, ModelViewSet[Any]):
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer, TextRenderer]
    queryset: Any = Article.objects.order_by("pk")
    serializer_class: Any = ArticleSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.save(created=timezone.now())

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        article = self.get_object()
        article.title += "!"
        article.save()
        return Response(self.get_serializer(article).data)

    @action(detail=False, methods=["post"], url_path="import")
    def take_in(self, request: Request, **_kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=201)


class Narrow(Articles):
    """PATCH and POST answer with fewer fields than GET."""

    def get_serializer_class(self) -> Any:
        if self.request.method in {"PATCH", "POST"}:
            return NarrowSerializer
        return ArticleSerializer


class ByAction(Articles):
    """As is common: a serializer for each action."""

    serializers = {"create": NarrowSerializer, "partial_update": NarrowSerializer}

    def get_serializer_class(self) -> Any:
        return self.serializers.get(self.action, ArticleSerializer)


class Nested(Articles):
    serializer_class = NestedSerializer
    depends_on = ["author"]
    last_modified_field = ""


class Documents(Articles):
    validator = VersionField()
    queryset = Document.objects.order_by("pk")
    serializer_class = DocumentSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.save()


_VALIDATORS = {
    "version": VersionField("version"),
    "updated": UpdatedAt("created"),
    "row": RowDigest(),
    "body": BodyHash(),
    "generation": Generation("tests_app.Article", "tests_app.Author"),
}
_BASES = {
    "articles": Articles,
    "narrow": Narrow,
    "by-action": ByAction,
    "nested": Nested,
}
VIEWS = {"versioned/articles": Documents} | {
    f"{name}/{base}": type(f"{name}_{base}", (view,), {"validator": validator})
    for name, validator in _VALIDATORS.items()
    for base, view in _BASES.items()
}
for name, required in {
    "patches": {"PATCH"},
    "published": ["publish"],
    "both": ("DELETE", "publish"),
    "all": True,
    "none": False,
}.items():
    VIEWS[f"required/{name}"] = type(
        f"required_{name}",
        (VIEWS["version/articles"],),
        {"require_preconditions": required},
    )
