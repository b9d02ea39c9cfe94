"""Views that read in ways of their own what the mixin compares."""

from typing import Any, ClassVar

from django.db.models import F
from django.http import StreamingHttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import (
    ListAPIView,
    RetrieveAPIView,
    RetrieveUpdateAPIView,
    get_object_or_404,
)
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, ModelSerializer, Serializer
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet, ViewSetMixin

from drf_apikit.conditional import (
    ConditionalMixin,
    PageDigest,
    Validator,
    VersionField,
)
from drf_apikit.http.etags import EntityTag
from tests.app.models import Article, Document

FACTORY = APIRequestFactory()
ONE = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
MANY = {"get": "list", "post": "create"}


def ask(
    view: Any,
    method: str = "get",
    *,
    path: str = "/",
    actions: Any = None,
    data: Any = None,
    login: Any = None,
    kwargs: Any = None,
    **headers: Any,
) -> Any:
    """Send a request; `If_Match` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = FACTORY.generic(method.upper(), path, headers=named)
    if data is not None:
        request = getattr(FACTORY, method)(path, data, format="json", headers=named)
    if login is not None:
        force_authenticate(request, *login)
    options = (actions or (ONE if kwargs else MANY),)
    made = view.as_view(*(options if issubclass(view, ViewSetMixin) else ()))
    response = made(request, **(kwargs or {}))
    return response.render() if hasattr(response, "render") else response


def make(base: Any, **own: Any) -> Any:
    return type("Made", (base,), own)


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return repr(data).encode()


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["id", "title"]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["id", "title", "score"]


class TitleSerializer(Serializer[Any]):
    title = CharField()


class OwnAuthentication(BaseAuthentication):
    def authenticate(self, _request: Request) -> None:
        """Read nobody knows what."""


class TokenHeader(OwnAuthentication):
    vary_on_headers = ("X-Token",)


class Documents(ConditionalMixin, ModelViewSet[Any]):
    queryset: Any = Document.objects.order_by("pk")
    serializer_class: Any = DocumentSerializer
    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class: Any = None
    renderer_classes = (JSONRenderer, TextRenderer)
    validator: ClassVar[Validator | None] = VersionField()
    list_validator: ClassVar[Validator | None] = PageDigest()


class Choosing(Documents):
    def get_validator(self) -> Validator:
        return VersionField()

    def get_list_validator(self) -> Validator:
        return PageDigest()


class Mine(ConditionalMixin, RetrieveUpdateAPIView[Any]):
    """One object, which the URL does not name."""

    permission_classes = (AllowAny,)
    serializer_class = DocumentSerializer

    def get_object(self) -> Any:
        return Document.objects.get()


class Passing(Documents):
    """Asks nobody for the object."""

    validator = None

    def retrieve(self, *_args: Any, **kwargs: Any) -> Response:
        row = get_object_or_404(self.get_queryset(), **kwargs)
        return Response(self.get_serializer(row).data)


class Counting(Documents):
    """Writes what it shows, after it was read."""

    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer
    validator = None

    def retrieve(self, *_args: Any, **_kwargs: Any) -> Response:
        row = self.get_object()
        Article.objects.filter(pk=row.pk).update(score=F("pk"))
        return Response(self.get_serializer(row).data)


class Comparing(Documents):
    """Shows an object beside another one."""

    @action(detail=True, methods=["get", "put"])
    def notes(self, request: Request, **_kwargs: Any) -> Response:
        mine = self.get_object()
        if request.method == "PUT":
            mine.save()
        return Response({"text": mine.text})

    @action(detail=True)
    def beside(self, request: Request, **_kwargs: Any) -> Response:
        mine = self.get_object()
        self.kwargs["pk"] = request.query_params["other"]
        return Response([mine.pk, self.get_object().pk])


class Told(Validator):
    def before(self, view: Any, /) -> Any:
        return view.make_tag(f"own-{view.hold_object().version}")

    def after(self, _view: Any, before: EntityTag | None, /) -> EntityTag | None:
        return before


class Narrowed(Documents):
    """Is overtaken once it has read."""

    title: ClassVar[str | None] = None

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        if self.action == "list":
            self.check_object_permissions(self.request, None)
        return super().get_serializer(*args, **kwargs)

    def check_object_permissions(self, _request: Request, _obj: Any) -> None:
        if self.title is not None:
            Document.objects.update(title=self.title)


class Titles(ConditionalMixin, RetrieveAPIView[Any]):
    permission_classes = (AllowAny,)
    queryset = Document.objects.values("pk", "title")
    serializer_class = TitleSerializer


class LastPages(PageNumberPagination):
    page_size = 2

    def get_paginated_response(self, data: Any) -> Response:
        page: Any = self.page
        return Response({"last": page[-1].pk, "results": data})


class LastItems(PageNumberPagination):
    page_size = 2

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"last": data[-1]["id"], "results": data})


class Pages(PageNumberPagination):
    page_size = 2


class Ranked(Documents):
    pagination_class = Pages

    def paginate_queryset(self, queryset: Any) -> Any:
        page: Any = super().paginate_queryset(queryset)
        for row in page:
            row.rank = 1
        return page


class OwnTag(Documents):
    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["ETag"] = '"own"'
        return response


class Streamed(Documents):
    def partial_update(self, *args: Any, **kwargs: Any) -> Any:
        super().partial_update(*args, **kwargs)
        return StreamingHttpResponse(iter([b"row"]))


class ByAction(Documents):
    def get_serializer_class(self) -> Any:
        known: dict[str, Any] = {"partial_update": DocumentSerializer}
        return known[self.action]


class ByMethod(Mine):
    """Shows less than it takes."""

    validator = VersionField()

    def get_serializer_class(self) -> Any:
        return TitleSerializer if self.request.method == "GET" else DocumentSerializer


class Stream(Documents):
    """Lists the rows of two queries in a stream."""

    def get_queryset(self) -> Any:
        return Document.objects.filter(pk=1).union(Document.objects.exclude(pk=1))

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset

    def list(self, *_args: Any, **_kwargs: Any) -> Any:
        self.paginate_queryset(self.get_queryset())
        return StreamingHttpResponse(iter([b"rows"]))


class Below(ConditionalMixin, ListAPIView[Any]):
    """A list; the URL names its parent."""

    permission_classes = (AllowAny,)
    pagination_class = None
    serializer_class = DocumentSerializer
    validator = VersionField()
    list_validator = PageDigest()

    def get_queryset(self) -> Any:
        return Document.objects.filter(author=self.kwargs["pk"])


class Vanishing(Documents):
    """Its row is gone once it is shown, or may be seen no longer."""

    vanishes: ClassVar[bool] = False
    denies: ClassVar[bool] = False

    def retrieve(self, *args: Any, **kwargs: Any) -> Any:
        response = super().retrieve(*args, **kwargs)
        response.data["more"] = self.vanishes
        if self.vanishes:
            Document.objects.all().delete()
        return response

    def get_object(self) -> Any:
        if self.denies and self.held_for is not None:
            raise PermissionDenied
        return super().get_object()
