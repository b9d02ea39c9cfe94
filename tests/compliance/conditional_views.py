"""One resource under every validator, in the flavours that the cases ask for."""

from typing import Any, Final

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalMixin,
    Generation,
    PageDigest,
    RowDigest,
    UpdatedAt,
    VersionField,
)
from tests.app.models import Article, Document

__all__ = ["DETAILS", "FLAVOURS", "LISTS", "OWN_TAG", "ROWS", "TextRenderer", "views"]

#: With a comma and obs-text in it.
OWN_TAG: Final = '"a,b\xe4"'
_ARTICLE: Final = "tests_app.Article"


class NotDenied(BasePermission):
    def has_object_permission(
        self, request: HttpRequest, _view: APIView, _obj: Model
    ) -> bool:
        return str(getattr(request.user, "username", "")) != "denied"


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return repr(data).encode()


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title", "score"]


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["pk", "title", "version"]


class Rows(ConditionalMixin, ModelViewSet[Any]):
    """Who is `wrong` does not see the rows, who is `denied` may not have them."""

    permission_classes = [IsAuthenticated, NotDenied]
    renderer_classes = [JSONRenderer, TextRenderer]
    queryset = Article.objects.order_by("pk")
    serializer_class: Any = ArticleSerializer
    last_modified_field = "created"

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        wrong = getattr(self.request.user, "username", "") == "wrong"
        return rows.filter(title="mine") if wrong else rows

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code in {200, 304}:
            response["Expires"] = "Thu, 01 Jan 1970 00:00:00 GMT"
            response["Content-Location"] = request.path
        return response

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        row = self.get_object()
        row.title = "new"
        row.save()
        return Response({"published": True})


class WithOwnTag(Rows):
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().retrieve(request, *args, **kwargs)
        response["ETag"] = OWN_TAG
        return response


_VERSIONED: Final = {
    "queryset": Document.objects.order_by("pk"),
    "serializer_class": DocumentSerializer,
    "last_modified_field": "updated_at",
}
#: The validators of one object.
DETAILS: Final[dict[str, dict[str, Any]]] = {
    "versioned": {"validator": VersionField(), **_VERSIONED},
    "version": {"validator": VersionField("version")},
    "updated": {"validator": UpdatedAt("created")},
    "row": {"validator": RowDigest()},
    "body": {"validator": BodyHash()},
    "generation": {"validator": Generation(_ARTICLE)},
}
#: The validators of lists.
LISTS: Final[dict[str, dict[str, Any]]] = {
    "page": {"list_validator": PageDigest()},
    "aggregate": {"list_validator": Aggregate("version")},
    "bytes": {"list_validator": BodyHash()},
    "generations": {"list_validator": Generation(_ARTICLE)},
}
FLAVOURS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "undated": {"last_modified_field": ""},
    "strict": {"require_preconditions": True},
    "actions": {"require_preconditions": ["publish"]},
    "puts": {"put_creates": True},
    "locking": {"write_strategy": "select_for_update"},
    "own": {},
}
ROWS: Final = {
    name: Document if name == "versioned" else Article for name in {**DETAILS, **LISTS}
}


def views() -> dict[str, type[Rows]]:
    """Give a view set for each validator in each flavour."""
    made = {}
    for name, declared in {**DETAILS, **LISTS}.items():
        for flavour, options in FLAVOURS.items():
            base = WithOwnTag if flavour == "own" else Rows
            attributes = {**declared, **options, "__module__": __name__}
            made[f"{name}/{flavour}"] = type(f"{name}_{flavour}", (base,), attributes)
    return made
