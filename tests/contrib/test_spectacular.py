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
from drf_apikit.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
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
    count_strategy = "none"
    count_choices = ("none", "exact")


class ByOffset(LimitOffsetPagination):
    default_limit = 20
    max_limit = 50
    max_offset = 500
    count_strategy = "none"
    count_choices = ("none", "exact")


class ByPage(PageNumberPagination):
    page_size = 20
    max_page_size = 50
    count_strategy = "none"
    count_choices = ("none", "exact")


class TenantAuthentication(JWTBearerAuthentication):
    """What a project makes of ours."""


class Articles(ConditionalMixin, IdempotencyMixin, ModelViewSet[Article]):
    queryset = Article.objects.all()
    serializer_class = ArticleSerializer
    authentication_classes = (JWTBearerAuthentication,)
    pagination_class: Any = CursorPagination
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
    pagination_class = FixedPagination


class ArticlesByOffset(Articles):
    pagination_class: Any = ByOffset


class ArticlesByPage(Articles):
    pagination_class: Any = ByPage


router = SimpleRouter()
router.register("articles", Articles)
router.register("authors", Authors)
router.register("by-offset", ArticlesByOffset, "offset")
router.register("by-page", ArticlesByPage, "page")
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
    ours = {("articles", "bearer"), ("by-offset", "bearer"), ("by-page", "bearer")}
    assert security == ours | {("authors", "TenantAuthentication")}


#: OpenAPI 3.0.3: an enumeration without null has no null, nullable or not.
RELATIONS = {"exact", "at_least", "approximate", None}


@pytest.mark.parametrize("path", ["articles", "by-offset", "by-page"])
def test_a_list_answers_with_the_whole_envelope(
    document: dict[str, Any], path: str
) -> None:
    listing = document["paths"][f"/{path}/"]["get"]
    content = listing["responses"]["200"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    envelope = document["components"]["schemas"][name]
    assert name == "PaginatedArticleList"
    assert envelope["required"] == list(envelope["properties"])
    rows = envelope["properties"].pop("results")
    assert rows == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Article"},
    }
    relation = envelope["properties"].pop("count_relation")
    schemas = document["components"]["schemas"]
    kinds = [schemas[one["$ref"].rpartition("/")[2]] for one in relation["oneOf"]]
    assert {value for kind in kinds for value in kind["enum"]} == RELATIONS
    assert relation["nullable"] is True
    link = {"type": "string", "format": "uri", "nullable": True}
    assert envelope["properties"] == {
        "count": {"type": "integer", "minimum": 0, "nullable": True},
        "next": link,
        "previous": link,
    }


CURSOR = {"cursor": {"type": "string"}}
SIZE = {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}
COUNT = {"type": "string", "enum": ["exact", "none"], "default": "none"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "articles": CURSOR
    | {"page_size": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}},
    "authors": CURSOR | {"count": COUNT},
    "by-offset": {
        "offset": {"type": "integer", "minimum": 0, "maximum": 500},
        "limit": SIZE,
        "count": COUNT,
    },
    "by-page": {
        "page": {"type": "integer", "minimum": 1},
        "page_size": SIZE,
        "count": COUNT,
    },
}


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_list_takes_the_parameters_of_its_paginator(
    document: dict[str, Any], path: str
) -> None:
    found = document["paths"][f"/{path}/"]["get"]["parameters"]
    assert {one["name"]: one["schema"] for one in found} == PARAMETERS[path]
    assert not any(one.get("required") for one in found)
    assert all(one["in"] == "query" and one["description"] for one in found)
