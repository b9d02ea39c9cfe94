"""A library's API under every validator: documents, articles, and their labels.

What it answers depends on all that an answer may depend on: rows, related rows,
language, time zone, API version, format, `?fields=`, page, and who asks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext
from rest_framework.pagination import PageNumberPagination as PlainPages
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.serializers import (
    CharField,
    ModelSerializer,
    SerializerMethodField,
)
from rest_framework.versioning import AcceptHeaderVersioning
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalMixin,
    Generation,
    PageDigest,
    RowDigest,
    RowValidator,
    UpdatedAt,
    Validator,
    VersionField,
)
from drf_apikit.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from tests.app.models import Article, Author, Document

__all__ = ["KINDS", "TRACKED", "Documents", "Kind", "Tagging"]

#: Of all that the views show, and of who may see it.
TRACKED: Final = (
    "tests_app.Article",
    "tests_app.Author",
    "tests_app.Document",
    "tests_app.Label",
    "auth.User",
)
Tagging: Final[Any] = Document.tags.through


@dataclass(frozen=True)
class Kind:
    """A view of one validator, and one of the pages that it has."""

    name: str
    view: type[ModelViewSet[Any]]
    is_list: bool
    #: What a page is asked for with.
    pages: tuple[str, ...] = ("",)
    #: Whether a 304 may come without rendering.
    is_early: bool = True


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return repr(data).encode()


class Versioned(AcceptHeaderVersioning):
    default_version = "1"
    allowed_versions = ("1", "2")


class Shaped(ModelSerializer[Any]):
    """Shows what the request asks for, in its language."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        data: dict[str, Any] = dict(super().to_representation(instance))
        request = self.context["request"]
        data["language"] = gettext("Yes")
        if request.version == "2":
            data["again"] = data["id"]
        wanted = request.query_params.get("fields")
        return {name: data[name] for name in wanted.split(",")} if wanted else data


OWN: Final = ("id", "slug", "title", "amount", "touched", "author_id", "version")


class PublicSerializer(Shaped):
    class Meta:
        model = Document
        fields: tuple[str, ...] = OWN
        read_only_fields = ("version",)


class FlatSerializer(PublicSerializer):
    """Without related rows."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        data = super().to_representation(instance)
        if self.context["request"].user.is_staff:
            data["text"] = instance.text
        return data


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ("id", "name")


class NestedSerializer(FlatSerializer):
    author = AuthorSerializer(read_only=True)
    tags = SerializerMethodField()

    class Meta(PublicSerializer.Meta):
        fields = (*OWN, "author", "tags")

    def get_tags(self, row: Document) -> list[str]:
        """Show them in an order: without one, any would do for the database."""
        return [tag.name for tag in sorted(row.tags.all(), key=lambda tag: tag.pk)]


class ArticleSerializer(Shaped):
    class Meta:
        model = Article
        fields = ("id", "title", "score", "version")
        read_only_fields = ("version",)


class TaggingSerializer(Shaped):
    title = CharField(source="document.title")
    name = CharField(source="label.name")

    class Meta:
        model = Tagging
        fields = ("id", "title", "name")


class Base(ConditionalMixin, ModelViewSet[Any]):
    permission_classes = (IsAuthenticated,)
    renderer_classes = (JSONRenderer, TextRenderer)
    versioning_class = Versioned
    pagination_class: Any = None


class Documents(Base):
    """Staff sees them all."""

    queryset = Document.objects.order_by("amount", "pk")
    serializer_class: Any = FlatSerializer

    def get_queryset(self) -> Any:
        hidden = Q(title__startswith="hidden")
        shown = super().get_queryset()
        return shown if self.request.user.is_staff else shown.exclude(hidden)


class Nested(Documents):
    serializer_class = NestedSerializer
    depends_on = ("author", "tags")


class Joined(Nested):
    """What it depends on is fetched by the view already."""

    queryset = (
        Document.objects.order_by("amount", "pk")
        .select_related("author")
        .prefetch_related("tags")
    )


class Public(Documents):
    """The bytes are the same for all who may see them, and so is their date."""

    serializer_class = PublicSerializer
    per_user = False


class Articles(Base):
    queryset = Article.objects.order_by("score", "pk")
    serializer_class = ArticleSerializer


class Taggings(Base):
    queryset = Tagging.objects.order_by("pk")
    serializer_class = TaggingSerializer
    depends_on = ("document", "label")


class Cursors(CursorPagination):
    page_size = 2


class Offsets(LimitOffsetPagination):
    default_limit = 2


class Pages(PageNumberPagination):
    page_size = 2


class OthersPages(PlainPages):
    page_size = 2
    page_size_query_param = "page_size"


PAGINATORS: Final[Mapping[str, tuple[Any, tuple[str, ...]]]] = {
    "whole": (None, ("",)),
    "cursor": (Cursors, ("", "page_size=3", "cursor=next")),
    "offset": (Offsets, ("", "offset=1", "limit=3")),
    "pages": (Pages, ("", "page=2", "page_size=3")),
    "their pages": (OthersPages, ("", "page=2", "page_size=3")),
}


def _kind(
    name: str, base: type[Base], of_list: bool = False, pages: Any = ("",), **own: Any
) -> Kind:
    validator = own.get("list_validator" if of_list else "validator")
    # A date says nothing of who asks.
    given = {} if base is Public else {"last_modified_field": ""}
    view = type(name.title().replace(" ", ""), (base,), {**given, **own})
    early = validator is not None and not isinstance(validator, BodyHash)
    return Kind(name, view, of_list, pages, early)


def _details() -> Iterator[Kind]:
    validators: list[RowValidator] = [VersionField(), UpdatedAt(), RowDigest()]
    for validator in validators:
        name = type(validator).__name__
        for base in (Documents, Nested, Joined, Public):
            own = f"{name} of {base.__name__.lower()}"
            yield _kind(own, base, validator=validator)
    yield _kind("VersionField of articles", Articles, validator=VersionField())
    yield _kind("RowDigest of articles", Articles, validator=RowDigest())
    yield _kind("BodyHash of nested", Nested, validator=BodyHash())
    yield _kind("nothing of documents", Documents)
    few = Generation("tests_app.Document", "auth.User", of=UpdatedAt())
    yield _kind("Generation of documents", Documents, validator=few)
    yield _kind("Generation of nested", Nested, validator=Generation(*TRACKED))


def _lists() -> Iterator[Kind]:
    validators: dict[str, tuple[Callable[[], Validator], tuple[type[Base], ...]]] = {
        "PageDigest": (PageDigest, (Documents, Nested, Joined, Articles)),
        "Aggregate": (Aggregate, (Documents, Articles)),
        "Generation": (lambda: Generation(*TRACKED), (Nested, Articles)),
        "BodyHash": (BodyHash, (Nested,)),
    }
    for what, (validator, bases) in validators.items():
        for base in bases:
            for paginator, (pagination_class, pages) in PAGINATORS.items():
                yield _kind(
                    f"{what} of {base.__name__.lower()}, {paginator}",
                    base,
                    of_list=True,
                    pages=pages,
                    list_validator=validator(),
                    pagination_class=pagination_class,
                )
    for listed in (Aggregate("id"), PageDigest()):
        name = f"{type(listed).__name__} of taggings"
        yield _kind(name, Taggings, of_list=True, list_validator=listed)


KINDS: Final = (*_details(), *_lists())
