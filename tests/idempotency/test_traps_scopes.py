"""Whose key it is: what has no certain text names nobody."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.http import HttpResponseBase
from django.urls import path
from django.utils.functional import SimpleLazyObject
from pytest_django import Settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent
from drf_apikit.models import IdempotencyRecord
from tests.idempotency.calls import Call, caller
from tests.idempotency.matrix_world import told
from tests.idempotency.views import Script


class Account:
    """An object with the text that another one has as well."""

    def __str__(self) -> str:
        return "Acme"


class Scopes:
    """What the hooks give, for the test to say."""

    given: Any = None


def given(_request: Request) -> Any:
    return Scopes.given


class Scoped(APIView):
    permission_classes = [AllowAny]

    @idempotent(required=True, key_scope=given)
    def post(self, request: Request) -> HttpResponseBase:
        return Script.play(request)


class Own(APIView):
    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request) -> HttpResponseBase:
        Script.play(request)
        return Response({"kind": request.user.__class__.__name__}, status=201)


urlpatterns = [path("scoped/", Scoped.as_view()), path("own/", Own.as_view())]
NO_TEXTS: Final = {"object": Account(), "number": 7, "octets": b"Acme", "tuple": ("a",)}

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    return lambda value: monkeypatch.setattr(Scopes, "given", value)


@pytest.mark.parametrize("value", NO_TEXTS.values(), ids=NO_TEXTS)
def test_a_scope_of_keys_is_a_text(
    value: Any,
    give: Callable[[Any], None],
    post: Call,
    script: type[Script],
    caplog: pytest.LogCaptureFixture,
) -> None:
    give(value)
    assert post("/scoped/").status_code == 500
    assert "TypeError: key_scope must give a text or None" in caplog.text
    assert not script.entered
    assert not IdempotencyRecord.objects.exists()
    give("Acme")
    assert [told(post("/scoped/")) for _ in range(2)] == ["201", "201 replayed"]


@pytest.mark.parametrize("value", [None, *NO_TEXTS.values()], ids=["none", *NO_TEXTS])
def test_a_tenant_is_a_text(
    value: Any,
    give: Callable[[Any], None],
    post: Call,
    script: type[Script],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"TENANT": f"{__name__}.given"}}
    give(value)
    assert post("/own/").status_code == 500
    assert f"TypeError: {__name__}.given must give the tenant" in caplog.text
    assert not script.entered
    assert not IdempotencyRecord.objects.exists()
    give("")
    assert [told(post("/own/")) for _ in range(2)] == ["201", "201 replayed"]


class Customer:
    pk = 1
    is_active = is_authenticated = True


class Employee(Customer):
    pass


def test_lazy_users_of_two_kinds_are_two() -> None:
    posts = [caller(SimpleLazyObject(kind)) for kind in (Customer, Employee)]
    answers = [post("/own/") for post in posts * 2]
    assert [told(answer) for answer in answers] == ["201"] * 2 + ["201 replayed"] * 2
    kinds = [answer.json()["kind"] for answer in answers]
    assert kinds == ["Customer", "Employee"] * 2
