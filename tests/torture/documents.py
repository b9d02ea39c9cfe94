"""Rows that are raced for, behind gunicorn, by each way to protect a write.

`gunicorn tests.torture.documents` serves them on the database whose settings are
in the file `database.json` of the working directory.
"""

import json
from pathlib import Path
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.generics import RetrieveUpdateDestroyAPIView
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer

from drf_apikit.conditional import (
    ConditionalMixin,
    RowDigest,
    UpdatedAt,
    VersionField,
)
from drf_apikit.conditional.validators import Validator
from drf_apikit.exceptions import PreconditionFailed
from tests.app.models import Article, Document

__all__ = ["application", "urlpatterns"]

DATABASE: Final = "database.json"


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["slug", "title", "text", "version"]
        read_only_fields = ["version"]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["pk", "title", "extra"]


class Open(RetrieveUpdateDestroyAPIView[Any]):
    """For everybody: who is calling is not what is raced for."""

    authentication_classes = ()
    permission_classes = [AllowAny]
    serializer_class: Any = DocumentSerializer
    queryset: Any = Document.objects.all()
    lookup_field = "slug"


class Swapped(ConditionalMixin, Open):
    validator: ClassVar[Validator | None] = VersionField()
    put_creates = True


class Locked(Swapped):
    write_strategy = "select_for_update"


class Timed(Swapped):
    validator = UpdatedAt()


class Digested(Swapped):
    """Rows without a version, whose name is their key."""

    validator = RowDigest()
    serializer_class = ArticleSerializer
    queryset = Article.objects.all()
    lookup_field = "pk"


class Checked(Open):
    """Compares first and writes then, as is usual: this loses updates."""

    def get_object(self) -> Document:
        document: Document = super().get_object()
        tag = self.request.headers.get("If-Match")
        if tag not in {None, f'"{document.version}"'}:
            raise PreconditionFailed
        return document

    def get(self, *args: Any, **kwargs: Any) -> Response:
        response = super().get(*args, **kwargs)
        response["ETag"] = f'"{response.data["version"]}"'
        return response


def health(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


urlpatterns = [
    path("healthz", health),
    path("swapped/<slug:slug>", Swapped.as_view()),
    path("locked/<slug:slug>", Locked.as_view()),
    path("timed/<slug:slug>", Timed.as_view()),
    path("checked/<slug:slug>", Checked.as_view()),
    path("digested/<int:pk>", Digested.as_view()),
]

connections.settings[DEFAULT_DB_ALIAS].update(json.loads(Path(DATABASE).read_text()))
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = []
application = get_wsgi_application()
