"""Views of every kind that end badly, and one that goes well."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework import generics, serializers
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
)
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.filters import SearchFilter
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.problems import problem_response
from ledger.problem_types import SameAccount
from tests.app.models import Article, Author
from tests.problems.matrix.failures import FAILURES, PLAIN, UNHANDLED
from tests.problems.matrix.planted import plant

__all__ = [
    "Bearer",
    "Browsed",
    "Challenged",
    "Echo",
    "Failing",
    "Forms",
    "Rendered",
    "Secured",
    "Session",
    "Silent",
    "Throttled",
    "Titles",
    "handmade",
    "plain",
]

ALL = {**FAILURES, **PLAIN, **UNHANDLED}


class Open(APIView):
    authentication_classes: Any = ()
    permission_classes: Any = ()


class Failing(Open):
    """Leaves a row behind, and fails."""

    def get(self, _request: Request, name: str) -> Response:
        Author.objects.create(name="half done")
        ALL[name]()
        raise AssertionError(name)

    post = get


class Echo(Open):
    """Reads a body and gives it back."""

    parser_classes = (JSONParser,)

    def get(self, request: Request) -> Response:
        return Response(request.query_params)

    def post(self, request: Request) -> Response:
        return Response(request.data)


class Forms(Echo):
    parser_classes: Any = (FormParser, MultiPartParser)


class Browsed(Failing):
    renderer_classes = (JSONRenderer, BrowsableAPIRenderer)


class Never(BaseThrottle):
    def allow_request(self, _request: Request, _view: APIView) -> bool:
        return False

    def wait(self) -> float:
        return 7.2


class Throttled(Echo):
    throttle_classes = (Never,)


class Secured(Echo):
    authentication_classes = (BasicAuthentication,)
    permission_classes = (IsAuthenticated,)


class Bearer(Secured):
    authentication_classes: Any = (JWTBearerAuthentication, BasicAuthentication)


class Session(Secured):
    authentication_classes: Any = (SessionAuthentication,)


class Challenged(Secured):
    """DRF alone would answer 403: its first authenticator has no challenge."""

    authentication_classes: Any = (SessionAuthentication, BasicAuthentication)


class Broken(BaseAuthentication):
    def authenticate(self, _request: Request) -> None:
        raise AuthenticationFailed("No.")


class Silent(Secured):
    """No challenge at all."""

    authentication_classes: Any = (Broken,)


class Sundays(Echo):
    def check_permissions(self, _request: Request) -> None:
        raise PermissionDenied("Not on Sundays.", "sunday")


class FaultyRenderer(BaseRenderer):
    media_type = "application/json"
    format = "faulty"

    def render(self, *_args: Any, **_kwargs: Any) -> bytes:
        raise ValueError(plant("renderer_text"))


class Opaque:
    def __init__(self) -> None:
        self.text = plant("object_repr")

    def __repr__(self) -> str:
        return self.text


class Rendered(Open):
    """Goes well until the answer is written."""

    def get(self, _request: Request, kind: str) -> Response:
        contents = {"opaque": Opaque(), "nan": float("nan")}
        return Response({"value": contents.get(kind)})

    def get_renderers(self) -> list[BaseRenderer]:
        faulty = self.kwargs.get("kind") == "faulty"
        return [FaultyRenderer() if faulty else JSONRenderer()]


class Title(serializers.ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ["title"]


class Titles(generics.ListAPIView[Article]):
    authentication_classes = ()
    permission_classes = ()
    queryset = Article.objects.order_by("pk")
    serializer_class = Title
    filter_backends = (SearchFilter,)
    search_fields = ("title",)


class TitleDetail(generics.RetrieveAPIView[Article]):
    authentication_classes = ()
    permission_classes = ()
    queryset = Article.objects.all()
    serializer_class = Title
    lookup_field = "title"


def plain(_request: HttpRequest, name: str) -> HttpResponse:
    """A view of Django's that fails in the same way."""
    ALL[name]()
    raise AssertionError(name)


def handmade(request: HttpRequest) -> HttpResponse:
    kind = SameAccount.problem_type
    return problem_response(kind, "Not to oneself.", request=request, account=3)
