"""An OpenAPI document over our classes, as strict as drf-spectacular can be."""

import inspect
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.management import call_command
from django.urls import include, path
from drf_spectacular import generators, plumbing, validation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.decorators import action, api_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.conditional import ConditionalMixin
from drf_apikit.contrib.spectacular import DescribedOperations, get_lib_doc_excludes
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


class Safe(IdempotencyMixin, ModelViewSet[Article]):
    """Some of it protects nothing, and says so in a check."""

    queryset = Article.objects.all()
    serializer_class = ArticleSerializer
    authentication_classes = ()
    idempotent_actions: ClassVar[Any] = {"list": {}, "destroy": {"required": False}}

    @action(detail=True, methods=["get", "put"])
    @idempotent
    def both(self, _request: Request, **_kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        summary="As a person says it",
        parameters=[OpenApiParameter("Idempotency-Key", location="header")],
        responses={
            201: OpenApiResponse(ArticleSerializer, "It is there."),
            409: OpenApiResponse(description="Somebody was faster."),
        },
    )
    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)

    @extend_schema(exclude=True)
    @idempotent
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)


@extend_schema(request=ArticleSerializer, responses={201: ArticleSerializer})
@api_view(["GET", "POST"])
@idempotent(required=True)
def function(_request: Request) -> Response:
    return Response({}, status=201)


router = SimpleRouter()
router.register("articles", Articles)
router.register("authors", Authors)
router.register("by-offset", ArticlesByOffset, "offset")
router.register("by-page", ArticlesByPage, "page")
router.register("safe", Safe, "safe")
urlpatterns = [path("", include(router.urls)), path("function/", function)]


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
        for requirement in operation.get("security", [])
    }
    ours = {("articles", "bearer"), ("by-offset", "bearer"), ("by-page", "bearer")}
    others = {("authors", "TenantAuthentication"), ("function", "bearer")}
    assert security == ours | others


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


KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 255},
    "description": "Unique to a request, the same in its retries, for 86400 seconds.",
}
REFUSALS = {status: f"Idempotency{status}" for status in ("400", "409", "422", "503")}
#: With tokens, which have a 503 of their own.
SECURED = {**REFUSALS, "503": "AuthenticationIdempotency503"}


def keys(document: dict[str, Any], where: str, method: str) -> list[dict[str, Any]]:
    """Give the parameters of an operation that are its key."""
    known = document["components"]["parameters"]
    parameters = document["paths"][where][method].get("parameters", [])
    found = [
        known[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for one in parameters
    ]
    return [one for one in found if one["name"] == "Idempotency-Key"]


def refusals(operation: dict[str, Any]) -> dict[str, str]:
    """Give the components of idempotency that an operation refers to."""
    found = {
        status: response["$ref"].removeprefix("#/components/responses/")
        for status, response in operation["responses"].items()
        if "$ref" in response
    }
    return {status: name for status, name in found.items() if "Idempotency" in name}


@pytest.mark.parametrize(
    ("where", "method", "success", "required"),
    [
        ("/articles/", "post", "201", {"required": True}),
        ("/articles/{id}/", "put", "200", {}),
        ("/articles/{id}/publish/", "post", "200", {}),
        ("/safe/{id}/", "delete", "204", {}),
        ("/safe/{id}/both/", "put", "200", {}),
        ("/function/", "post", "201", {"required": True}),
    ],
)
def test_protected_operations_take_a_key_and_may_refuse(
    document: dict[str, Any],
    where: str,
    method: str,
    success: str,
    required: dict[str, bool],
) -> None:
    operation = document["paths"][where][method]
    assert keys(document, where, method) == [{**KEY, **required}]
    assert refusals(operation) == (SECURED if "security" in operation else REFUSALS)
    replayed = {"$ref": "#/components/headers/IdempotentReplayed"}
    headers = operation["responses"][success]["headers"]
    assert headers == {"Idempotent-Replayed": replayed}


@pytest.mark.parametrize(
    ("where", "method"),
    [
        ("/articles/", "get"),
        ("/articles/{id}/", "patch"),
        ("/authors/", "post"),
        ("/safe/", "get"),
        ("/safe/{id}/both/", "get"),
        ("/function/", "get"),
    ],
)
def test_other_operations_stay_as_they_are(
    document: dict[str, Any], where: str, method: str
) -> None:
    operation = document["paths"][where][method]
    assert keys(document, where, method) == []
    assert refusals(operation) == {}
    assert all("headers" not in one for one in operation["responses"].values())


def test_what_all_share_stands_there_once(document: dict[str, Any]) -> None:
    components = document["components"]
    assert components["headers"]["IdempotentReplayed"]["schema"]["enum"] == ["true"]
    known = {name for name in components["responses"] if "Idempotency" in name}
    assert known == {*REFUSALS.values(), *SECURED.values()}
    conflict = components["responses"]["Idempotency409"]
    assert conflict["description"] == (
        "/problems/idempotency-in-progress, /problems/idempotency-response-not-kept"
    )
    assert set(conflict["headers"]) == {"Retry-After", "Location"}
    (media_type,) = conflict["content"]
    assert media_type == "application/problem+json"
    problem = components["schemas"]["ApikitProblem"]
    assert problem["required"] == ["type", "title", "status", "detail", "instance"]


def test_what_the_view_says_itself_stays(document: dict[str, Any]) -> None:
    creation = document["paths"]["/safe/"]["post"]
    assert creation["summary"] == "As a person says it"
    assert [key["schema"] for key in keys(document, "/safe/", "post")] == [
        {"type": "string"}
    ]
    answers = creation["responses"]
    assert answers["201"]["description"] == "It is there."
    assert "Idempotent-Replayed" in answers["201"]["headers"]
    assert answers["409"]["description"] == "Somebody was faster."
    assert set(refusals(creation)) == {"400", "422", "503"}
    assert "put" not in document["paths"]["/safe/{id}/"]


def test_the_setting_can_require_a_key(settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"REQUIRED": True}}
    generator: Any = generators
    made = generator.SchemaGenerator().get_schema(public=True)
    assert keys(made, "/articles/{id}/", "put") == [{**KEY, "required": True}]
    assert keys(made, "/safe/{id}/", "delete") == [KEY]


class Brief(APIView):
    authentication_classes = ()

    @extend_schema(request=None, responses=ArticleSerializer)
    @idempotent(ttl=90)
    def post(self, _request: Request) -> Response:
        return Response()

    @extend_schema(request=None, responses=ArticleSerializer)
    @idempotent(ttl=86400)
    def patch(self, _request: Request) -> Response:
        return Response()


def test_each_operation_tells_how_long_a_key_is_known() -> None:
    generator: Any = generators
    patterns = [path("brief/", Brief.as_view())]
    made = generator.SchemaGenerator(patterns=patterns).get_schema(public=True)
    (brief,), usual = keys(made, "/brief/", "post"), keys(made, "/brief/", "patch")
    assert brief["description"] == KEY["description"].replace("86400", "90")
    assert usual == [KEY]


def test_docstrings_of_mixins_can_be_kept_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told() -> str:
        generator: Any = generators
        made = generator.SchemaGenerator().get_schema(public=True)
        return str(made["paths"]["/articles/"]["get"].get("description", ""))

    for excludes, expected in (
        (plumbing.get_lib_doc_excludes, inspect.getdoc(ConditionalMixin)),
        (get_lib_doc_excludes, ""),
    ):
        monkeypatch.setattr(spectacular_settings, "GET_LIB_DOC_EXCLUDES", excludes)
        assert told() == expected


def test_it_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example: each of nine operations takes tokens, two are protected."""

    def calls() -> int:
        made = 0

        def count(_frame: Any, event: str, _argument: Any) -> None:
            nonlocal made
            made += event in {"call", "c_call"}

        generator: Any = generators
        # The first one fills the caches.
        for profile in (None, count):
            sys.setprofile(profile)
            try:
                generator.SchemaGenerator(urlconf="ledger.urls").get_schema(public=True)
            finally:
                sys.setprofile(None)
        return made

    whole = calls()
    bare = property(lambda extension: lambda: extension.target)
    monkeypatch.setattr(DescribedOperations, "view_replacement", bare)
    assert calls() < whole <= 1.25 * calls()


def test_names_can_be_those_of_camels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectacular_settings, "CAMELIZE_NAMES", True)
    generator: Any = generators
    paths = generator.SchemaGenerator().get_schema(public=True)["paths"]
    assert paths["/articles/{id}/"]["put"]["parameters"][-1] == KEY


class Effect(APIView):
    authentication_classes = ()
    permission_classes = ()

    @idempotent
    def post(self, request: Request) -> Response:
        return Response(request.data)


def test_a_view_that_is_described_does_the_same() -> None:
    extension: Any = DescribedOperations
    described = extension(Effect.as_view()).view_replacement()
    assert described is not Effect
    request = APIRequestFactory().post("/", {"a": 1}, format="json")
    assert described.as_view()(request).data == {"a": 1}
