"""A view that raises what the test hands over."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.renderers import (
    AdminRenderer,
    BrowsableAPIRenderer,
    JSONRenderer,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

__all__ = ["Failing", "Order", "Orders"]


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
