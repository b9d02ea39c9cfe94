"""An OpenAPI document over our classes, as strict as drf-spectacular can be."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import include, path
from drf_spectacular import generators, validation
from drf_spectacular.drainage import GENERATOR_STATS
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.conditional import ConditionalMixin
from drf_apikit.idempotency import IdempotencyMixin, idempotent
from drf_apikit.pagination import CursorPagination
from tests.app.models import Article, Author

pytestmark = pytest.mark.urls(__name__)


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ("id", "title", "version")


class AuthorSerializer(ModelSerializer[Author]):
    class Meta:
        model = Author
        fields = ("id", "name")


class FixedPagination(CursorPagination):
    page_size_query_param = None


class TenantAuthentication(JWTBearerAuthentication):
    """What a project makes of ours."""


class Articles(ConditionalMixin, IdempotencyMixin, ModelViewSet[Article]):
    queryset = Article.objects.all()
    serializer_class = ArticleSerializer
    authentication_classes = (JWTBearerAuthentication,)
    pagination_class = CursorPagination
    required_scopes = ("articles",)
    idempotent_actions = ("update",)

    @idempotent(required=True)
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)

    @action(detail=True, methods=["post"])
    @idempotent
    def publish(self, _request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


class Authors(ModelViewSet[Author]):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    authentication_classes = (TenantAuthentication,)
    pagination_class = type(
        "Fixed", (CursorPagination,), {"page_size_query_param": None}
    )


router = SimpleRouter()
router.register("articles", Articles)
router.register("authors", Authors)
urlpatterns = [path("", include(router.urls))]


@pytest.fixture
def document() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generator: Any = generators
    document: dict[str, Any] = generator.SchemaGenerator().get_schema(public=True)
    return document


def test_the_command_warns_of_nothing(tmp_path: Path) -> None:
    call_command(
        "spectacular",
        "--validate",
        "--fail-on-warn",
        "--file",
        str(tmp_path / "schema.yaml"),
    )
    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3.")


def test_the_document_is_valid_without_a_warning(document: dict[str, Any]) -> None:
    validator: Any = validation
    validator.validate_schema(document)
    # It is true as soon as there is a warning or an error.
    assert not GENERATOR_STATS


def test_our_authentication_is_a_bearer_scheme(document: dict[str, Any]) -> None:
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    schemes = document["components"]["securitySchemes"]
    assert schemes == {"bearer": scheme, "TenantAuthentication": scheme}
    security = {
        (url.split("/")[1], *requirement)
        for url, methods in document["paths"].items()
        for operation in methods.values()
        for requirement in operation["security"]
    }
    assert security == {("articles", "bearer"), ("authors", "TenantAuthentication")}


def test_a_list_answers_with_the_whole_envelope(document: dict[str, Any]) -> None:
    listing = document["paths"]["/articles/"]["get"]
    content = listing["responses"]["200"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    envelope = document["components"]["schemas"][name]
    assert set(envelope["required"]) == {"count", "next", "previous", "results"}
    assert set(envelope["properties"]) == set(envelope["required"])
    rows = envelope["properties"]["results"]
    assert rows["items"] == {"$ref": "#/components/schemas/Article"}


@pytest.mark.parametrize(
    ("url", "names"),
    [("/articles/", ["cursor", "page_size"]), ("/authors/", ["cursor"])],
)
def test_a_list_takes_the_parameters_of_its_paginator(
    document: dict[str, Any], url: str, names: list[str]
) -> None:
    parameters = document["paths"][url]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == names
    assert not any(parameter.get("required") for parameter in parameters)
