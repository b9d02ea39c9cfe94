"""Views that do in ways of their own what the mixin protects."""

import sqlite3
from contextlib import closing
from typing import Any, ClassVar

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.http import Http404
from django.urls import path
from rest_framework.generics import (
    GenericAPIView,
    ListAPIView,
    ListCreateAPIView,
    RetrieveUpdateDestroyAPIView,
)
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import CharField, IntegerField, ModelSerializer
from rest_framework.validators import UniqueValidator
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    ConditionalMixin,
    PageDigest,
    RowValidator,
    UpdatedAt,
    Validator,
    VersionField,
)
from tests.app.models import Article, Author, Document, Report

__all__ = ["Authors", "is_writing"]


def is_writing(writer: Any) -> bool:
    """Tell whether a connection to SQLite keeps all others from writing."""
    with closing(sqlite3.connect(writer.settings_dict["NAME"], timeout=0)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def _data(request: Request) -> Any:
    return request.data


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["pk", "slug", "title"]


class TaggedSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["pk", "slug", "title", "author", "tags"]
        read_only_fields = ["author", "tags"]
        depth = 1


class NumberedSerializer(ModelSerializer[Document]):
    """Lets the client write what is not editable."""

    version = IntegerField()

    class Meta:
        model = Document
        fields = ["title", "version"]


class SavingSerializer(DocumentSerializer):
    """Saves a new row as one that may be there."""

    def create(self, validated_data: Any) -> Document:
        document = Document(**validated_data)
        document.save()
        return document


class NamedSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["title"]


class ReportSerializer(ModelSerializer[Report]):
    class Meta:
        model = Report
        fields = ["pk", "slug", "title", "pages"]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title"]


class NumberedArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["title", "version"]


class AuthorSerializer(ModelSerializer[Author]):
    name = CharField(validators=[UniqueValidator(Author.objects.all())])

    class Meta:
        model = Author
        fields = ["pk", "name"]


class Documents(ConditionalMixin, RetrieveUpdateDestroyAPIView[Any]):
    permission_classes = [AllowAny]
    queryset: Any = Document.objects.exclude(title="hidden")
    serializer_class: Any = DocumentSerializer
    validator: ClassVar[Validator | None] = VersionField()


class Articles(Documents):
    queryset = Article.objects.all()
    serializer_class: Any = ArticleSerializer


class Elsewhere(Documents):
    """Rows of another database."""

    def get_queryset(self) -> Any:
        return Document.objects.using("other")


class FoundElsewhere(Documents):
    """A row of another database, which the queryset does not tell."""

    def get_object(self) -> Any:
        return Document.objects.using("other").get(pk=self.kwargs["pk"])


class Undeclared(Documents):
    validator = None


class Timed(Documents):
    validator = UpdatedAt()


class Numbered(Documents):
    serializer_class = NumberedSerializer


class NumberedArticles(Articles):
    serializer_class = NumberedArticleSerializer


class ReadAgain(NumberedArticles):
    """Writes another instance than the one that was judged."""

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.get_object()
        return super().update(request, *args, **kwargs)


class Reports(Documents):
    queryset = Report.objects.all()
    serializer_class = ReportSerializer
    put_creates = True


class Saving(Documents):
    serializer_class = SavingSerializer
    put_creates = True


class Strict(Documents):
    require_preconditions = True


class Updating(Documents):
    """Writes past the row that it has read, and reads again."""

    def patch(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        rows = Document.objects.filter(pk=self.get_object().pk)
        rows.update(title=_data(request)["title"])
        return Response(self.get_serializer(self.get_object()).data)


class Tagged(ConditionalMixin, ModelViewSet[Document]):
    permission_classes = [AllowAny]
    queryset = Document.objects.all()
    serializer_class = TaggedSerializer
    validator = VersionField()
    depends_on = ["tags"]


class Written(Tagged):
    depends_on = ["author"]


class Authors(ConditionalMixin, ListCreateAPIView[Author]):
    """Notes whether others are kept from writing to the second database."""

    permission_classes = [AllowAny]
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    excludes: ClassVar[list[bool]] = []

    def perform_create(self, serializer: Any) -> None:
        self.excludes.append(is_writing(connections["other"]))
        serializer.save()


class PutArticles(Articles):
    put_creates = True


class PutDocuments(Documents):
    serializer_class = NamedSerializer
    put_creates = True
    lookup_field = "slug"


class Nothing(Documents):
    """Says nowhere what it could make."""

    queryset = None
    put_creates = True

    def get_object(self) -> Any:
        raise Http404


class OfAuthor(ConditionalMixin, ListCreateAPIView[Article]):
    """A list; the URL names its parent."""

    permission_classes = [AllowAny]
    serializer_class = ArticleSerializer
    pagination_class = None
    validator = VersionField()
    list_validator = PageDigest()

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.filter(author=self.kwargs["pk"])

    def perform_create(self, serializer: Any) -> None:
        serializer.save(author_id=self.kwargs["pk"])


class Listed(ConditionalMixin, ListAPIView[Article]):
    permission_classes = [AllowAny]
    serializer_class = ArticleSerializer
    pagination_class = None

    def get_queryset(self) -> Any:
        return list(Article.objects.all())


class ByTitle(RowValidator):
    def columns(self, _model: type[Model]) -> tuple[str, ...]:
        return ("title",)

    def state(self, row: Any) -> str:
        return f"title-{row.title}"


class Silent(Validator):
    def before(self, _view: Any, /) -> None:
        """Know nothing."""

    def after(self, _view: Any, _before: Any, /) -> None:
        """Know nothing."""


class Titled(Documents):
    validator = ByTitle()


class Telling(Documents):
    validator = Silent()


class Stamping(Articles):
    validator = UpdatedAt("created")

    def perform_update(self, serializer: Any) -> None:
        serializer.save(created=Now())


class Comments(ConditionalMixin, GenericAPIView[Document]):
    """Makes something else than what the URL names."""

    permission_classes = [AllowAny]
    queryset = Document.objects.all()
    serializer_class = DocumentSerializer
    validator = VersionField()

    def get(self, _request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def post(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({"comment": self.get_object().pk}, status=201)


router = SimpleRouter()
router.register("tagged", Tagged, basename="tagged")
router.register("written", Written, basename="written")
urlpatterns = [
    *router.urls,
    path("authors/", Authors.as_view()),
    path("authors/<int:pk>/articles/", OfAuthor.as_view()),
    path("listed/", Listed.as_view()),
    path("put-articles/<str:pk>/", PutArticles.as_view()),
    path("put-documents/<str:slug>/", PutDocuments.as_view()),
]
for name, view in {
    "documents": Documents,
    "articles": Articles,
    "elsewhere": Elsewhere,
    "found-elsewhere": FoundElsewhere,
    "undeclared": Undeclared,
    "timed": Timed,
    "numbered": Numbered,
    "numbered-articles": NumberedArticles,
    "read-again": ReadAgain,
    "reports": Reports,
    "saving": Saving,
    "strict": Strict,
    "updating": Updating,
    "nothing": Nothing,
    "titled": Titled,
    "telling": Telling,
    "stamping": Stamping,
    "comments": Comments,
}.items():
    urlpatterns.append(path(f"{name}/<int:pk>/", view.as_view()))
