"""Documents whose writers can be held up where it matters."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import connection
from django.urls import path
from rest_framework.generics import RetrieveUpdateDestroyAPIView
from rest_framework.permissions import AllowAny
from rest_framework.serializers import ModelSerializer

from drf_apikit.conditional import ConditionalMixin, RowDigest, VersionField
from drf_apikit.conditional.validators import Validator
from tests.app.models import Document, Profile
from tests.databases import in_threads

__all__ = ["Contended", "detect_at_once", "elsewhere", "urlpatterns"]


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["slug", "title", "version"]
        read_only_fields = ["version"]


class NamelessSerializer(ModelSerializer[Document]):
    """The name is the URL's alone: only the database sees that it is taken."""

    class Meta:
        model = Document
        fields = ["title"]


class ProfileSerializer(ModelSerializer[Profile]):
    class Meta:
        model = Profile
        fields: ClassVar[list[str]] = []


class Contended(ConditionalMixin, RetrieveUpdateDestroyAPIView[Any]):
    """Calls what a test wants at each step, with the number of the attempt."""

    validator: ClassVar[Validator | None] = VersionField()
    put_creates = True
    queryset: Any = Document.objects.exclude(title="hidden")
    serializer_class: Any = DocumentSerializer
    permission_classes = [AllowAny]
    lookup_field = "slug"

    #: The object has been read, or is not there.
    on_read: Callable[[int], None] = staticmethod(lambda _attempt: None)
    #: The version has been moved, or the name is about to be taken.
    on_write: Callable[[int], None] = staticmethod(lambda _attempt: None)

    attempt = 0

    def get_object(self) -> Any:
        if self.held_object is not None:
            return self.held_object
        self.attempt += 1
        try:
            return super().get_object()
        finally:
            type(self).on_read(self.attempt)

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)
        type(self).on_write(self.attempt)

    def perform_put_create(self, serializer: Any) -> None:
        type(self).on_write(self.attempt)
        super().perform_put_create(serializer)


class Locked(Contended):
    write_strategy = "select_for_update"


class Nameless(Contended):
    serializer_class = NamelessSerializer


class Digested(Contended):
    """Tells by all columns, although there is a version."""

    validator = RowDigest()


class Profiled(Contended):
    """Rows that are nothing but their key."""

    validator = RowDigest()
    queryset = Profile.objects.all()
    serializer_class = ProfileSerializer
    lookup_field = "pk"


def elsewhere(call: Callable[[], Any]) -> None:
    """Do it, and commit it, over another connection."""
    in_threads(call)


def detect_at_once() -> None:
    """Let PostgreSQL look for deadlocks at once rather than after a second."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '10ms'")


urlpatterns = [
    path("contended/<slug:slug>/", Contended.as_view()),
    path("locked/<slug:slug>/", Locked.as_view()),
    path("nameless/<slug:slug>/", Nameless.as_view()),
    path("digested/<slug:slug>/", Digested.as_view()),
    path("profiles/<str:pk>/", Profiled.as_view()),
]
