"""A decorator may be on what DRF's own handlers call."""

from typing import Any

import pytest
from django.db.models.functions import Lower
from django.urls import path
from drf_spectacular import generators
from rest_framework.generics import ListCreateAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from drf_apikit.checks import check_idempotency
from drf_apikit.conditional import ConditionalMixin
from drf_apikit.idempotency import IdempotencyMixin, idempotent
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import caller, outcome, person

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["id", "title"]


class Updating(ModelViewSet[Article]):
    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer
    permission_classes: Any = ()

    @idempotent(required=True)
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)


class ConditionalUpdating(ConditionalMixin, Updating):
    pass


class Creating(ConditionalMixin, ListCreateAPIView[Article]):
    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer
    permission_classes: Any = ()

    @idempotent(required=True)
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)


class Elsewhere(ListCreateAPIView[Article]):
    queryset = Article.objects.order_by("pk")
    serializer_class = ArticleSerializer

    @idempotent(using="nowhere")
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)


class Annotated(IdempotencyMixin, ModelViewSet[Article]):
    queryset = Article.objects.annotate(name_of=Lower("title"))
    serializer_class = ArticleSerializer
    permission_classes: Any = ()
    lookup_field = "name_of"
    idempotent_actions = ("destroy",)


ONE: Any = {"patch": "partial_update", "put": "update"}
urlpatterns = [
    path("plain/<int:pk>/", Updating.as_view(ONE)),
    path("conditional/<int:pk>/", ConditionalUpdating.as_view(ONE)),
    path("creating/", Creating.as_view()),
    path("elsewhere/", Elsewhere.as_view()),
    path("annotated/<str:name_of>/", Annotated.as_view({"delete": "destroy"})),
]


@pytest.mark.parametrize("place", ["plain", "conditional"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_is_protected_by_either_method(place: str, method: str) -> None:
    article = Article.objects.create(title="old")
    call, url = caller(person("ada"), method=method), f"/{place}/{article.pk}/"
    assert_problem(call(url, None, {"title": "new"}), 400, "idempotency-key-missing")
    first, second = (call(url, "key", {"title": "new"}) for _ in range(2))
    assert first.status_code == 200
    assert outcome(second)[:2] == outcome(first)[:2]
    assert second["Idempotent-Replayed"] == "true"


def test_a_creation_is_protected_where_post_only_calls_it() -> None:
    post = caller(person("ada"))
    assert post("/creating/", None, {"title": "new"}).status_code == 400
    first, second = (post("/creating/", "key", {"title": "new"}) for _ in range(2))
    assert (first.status_code, outcome(second)) == (201, outcome(first))
    assert Article.objects.count() == 1


def test_documents_and_checks_see_it() -> None:
    generator: Any = generators
    paths = generator.SchemaGenerator().get_schema(public=True)["paths"]
    for where, method in (
        ("/creating/", "post"),
        ("/conditional/{id}/", "patch"),
        ("/plain/{id}/", "put"),
    ):
        assert {"400", "409", "422", "503"} <= set(paths[where][method]["responses"])
    assert "409" not in paths["/creating/"]["get"]["responses"]
    found = check_idempotency()
    assert [message.id for message in found] == ["drf_apikit.E012"]


def test_a_deletion_by_what_is_no_column_is_not_a_fault() -> None:
    Article.objects.create(title="Some")
    delete = caller(person("ada"), method="delete")
    assert delete("/annotated/some/").status_code == 204
    assert_problem(delete("/annotated/some/"), 404, "not-found")
