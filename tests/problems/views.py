"""Views that fail in the ways that tests want."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import View
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, BasicAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import (
    AdminRenderer,
    BrowsableAPIRenderer,
    JSONRenderer,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

__all__ = [
    "Duck",
    "Failing",
    "Guarded",
    "NoChallenge",
    "Order",
    "Orders",
    "Plain",
    "Rendered",
    "Search",
]


class Failing(APIView):
    authentication_classes = [BasicAuthentication]
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, AdminRenderer]
    fail: Callable[[], Exception] = staticmethod(LookupError)

    def get(self, _request: Request) -> Response:
        raise type(self).fail()

    post = get


class Line(serializers.Serializer[Any]):
    sku = serializers.CharField(max_length=3)
    amount = serializers.IntegerField(min_value=1)
    tags = serializers.ListField(child=serializers.CharField(max_length=3), default=[])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["sku"] == "no":
            raise serializers.ValidationError("Not for sale.", code="unsold")
        return attrs


class Order(serializers.Serializer[Any]):
    buyer = serializers.CharField()
    lines = Line(many=True)
    first = Line(required=False)
    notes = serializers.DictField(child=serializers.IntegerField(), default={})
    raw = serializers.JSONField(default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["buyer"] == "nobody":
            raise serializers.ValidationError(["one", "two"])
        return attrs


class Orders(APIView):
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        many = isinstance(request.data, list)
        Order(data=request.data, many=many).is_valid(raise_exception=True)
        return Response(status=201)


class Search(APIView):
    """Its values come from the query."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        Line(data=request.query_params).is_valid(raise_exception=True)
        return Response()


class NoChallenge(BaseAuthentication):
    """Takes nobody, and has nothing to say about how to authenticate."""

    def authenticate(self, _request: Request) -> None:
        return None


class Duck:
    """All that DRF asks of an authenticator that is not the first."""

    def authenticate(self, _request: Request) -> None:
        return None


class Guarded(APIView):
    """For authenticated callers; tests choose the authenticators."""

    authentication_classes: list[Any] = []
    permission_classes = [IsAuthenticated]

    def get(self, _request: Request) -> Response:
        return Response()


class Fragile(JSONRenderer):
    """Fails at what it is there for."""

    def render(self, *_args: Any, **_kwargs: Any) -> bytes:
        raise LookupError("renderer's secret")


class Rendered(APIView):
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    renderer_classes = [Fragile]

    def get(self, _request: Request) -> Response:
        return Response({})


class Plain(View):
    """A view of Django's own, which does what the test says."""

    act: Callable[[HttpRequest], object] = staticmethod(repr)

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(type(self).act(request)))

    post = get
