"""What an OpenAPI document says of the views that give out tokens."""

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.urls import include, path
from drf_spectacular import generators, validation
from drf_spectacular.drainage import GENERATOR_STATS
from rest_framework.throttling import AnonRateThrottle
from rest_framework_simplejwt import views as stock

from drf_apikit.tokens.serializers import TokenObtainPairSerializer
from drf_apikit.tokens.views import SessionViewSet, TokenObtainPairView
from tests.tokens.facade import SETTINGS

if TYPE_CHECKING:
    from pytest_django import Settings

PAIR: Final = {"access", "token_type", "expires_in", "refresh", "scope"}


class NamedSerializer(TokenObtainPairSerializer):
    """A project's own."""


class PasswordView(TokenObtainPairView):
    """A password for tokens."""

    serializer_class = NamedSerializer


@pytest.fixture(autouse=True)
def _issuer(settings: "Settings") -> None:
    settings.DRF_APIKIT = SETTINGS


def document(patterns: list[Any]) -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generator: Any = generators
    made: dict[str, Any] = generator.SchemaGenerator(patterns=patterns).get_schema(
        public=True
    )
    validator: Any = validation
    validator.validate_schema(made)
    assert not GENERATOR_STATS
    return made


@pytest.fixture
def made() -> dict[str, Any]:
    return document([path("token/", include("drf_apikit.tokens.urls"))])


def schema(made: dict[str, Any], where: str, *, answer: bool) -> dict[str, Any]:
    operation = made["paths"][where]["post"]
    holder = operation["responses"]["200"] if answer else operation["requestBody"]
    _, _, name = holder["content"]["application/json"]["schema"]["$ref"].rpartition("/")
    found: dict[str, Any] = made["components"]["schemas"][name]["properties"]
    hidden = "writeOnly" if answer else "readOnly"
    return {key: value for key, value in found.items() if hidden not in value}


def problems(made: dict[str, Any], where: str, method: str) -> dict[str, str]:
    """Give the kinds of problems of an operation, by status."""
    found = {}
    for status, response in made["paths"][where][method]["responses"].items():
        if "$ref" in response:
            _, _, name = response["$ref"].rpartition("/")
            text = made["components"]["responses"][name]["description"]
            found[status] = text.replace("/problems/", "")
    return found


def test_what_is_sent_and_answered_is_described(made: dict[str, Any]) -> None:
    login = schema(made, "/token/", answer=False)
    assert list(login) == ["username", "password", "client_id", "scope"]
    assert set(schema(made, "/token/", answer=True)) == PAIR
    assert list(schema(made, "/token/refresh/", answer=False)) == ["refresh"]
    assert set(schema(made, "/token/refresh/", answer=True)) == PAIR
    assert list(schema(made, "/token/blacklist/", answer=False)) == ["refresh"]
    assert list(schema(made, "/token/verify/", answer=False)) == ["token"]


def test_problems_are_named(made: dict[str, Any]) -> None:
    later = {"503": "tokens-unavailable"}
    bad = {"400": "validation-error"}
    refused = {"401": "refresh-token-refused"}
    large = {"500": "token-too-large"}
    assert problems(made, "/token/", "post") == {
        **bad,
        "401": "invalid-credentials",
        **large,
        **later,
    }
    assert problems(made, "/token/refresh/", "post") == {
        **bad,
        **refused,
        "409": "refresh-token-used",
        **large,
        **later,
    }
    assert problems(made, "/token/blacklist/", "post") == {**bad, **refused, **later}
    assert problems(made, "/token/verify/", "post") == {
        **bad,
        "401": "invalid-token, refresh-token-refused",
        **later,
    }


def test_what_may_be_left_out_is_not_required(made: dict[str, Any]) -> None:
    schemas = made["components"]["schemas"]
    usual = {"access", "expires_in", "refresh", "token_type"}
    assert set(schemas["TokenRefresh"]["required"]) == usual
    login = set(schemas["TokenObtainPair"]["required"])
    assert login == {*usual, "username", "password"}


def headers(made: dict[str, Any], where: str, method: str, status: str) -> set[str]:
    response = made["paths"][where][method]["responses"][status]
    _, _, name = response["$ref"].rpartition("/")
    return set(made["components"]["responses"][name].get("headers", ()))


def test_headers_of_refusals_are_named(made: dict[str, Any]) -> None:
    for where in ("/token/", "/token/refresh/", "/token/blacklist/", "/token/verify/"):
        assert headers(made, where, "post", "401") == {"WWW-Authenticate"}
        assert headers(made, where, "post", "503") == {"Retry-After"}


class SlowView(TokenObtainPairView):
    """In, but slowly."""

    throttle_classes = (AnonRateThrottle,)


def test_limits_are_described() -> None:
    made = document(
        [
            path("in/", SlowView.as_view()),
            path(
                "mine/",
                SessionViewSet.as_view(
                    {"get": "list"}, throttle_classes=[AnonRateThrottle]
                ),
            ),
        ]
    )
    for where, method in (("/in/", "post"), ("/mine/", "get")):
        assert problems(made, where, method)["429"] == "throttled"
        assert headers(made, where, method, "429") == {"Retry-After"}


def test_what_is_for_developers_is_not_for_clients(made: dict[str, Any]) -> None:
    text = json.dumps(made)
    for word in ("get_token", "project's", "paginat"):
        assert word not in text


def test_a_list_of_sessions_is_a_plain_list(made: dict[str, Any]) -> None:
    answer = made["paths"]["/token/sessions/"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Session"},
    }


def test_sessions_are_described(made: dict[str, Any]) -> None:
    every, one = "/token/sessions/", "/token/sessions/{id}/"
    assert made["paths"][every]["get"]["operationId"] == "sessions_list"
    assert made["paths"][one]["delete"]["operationId"] == "sessions_destroy"
    others = made["paths"][every]["delete"]
    assert others["operationId"] == "sessions_destroy_others"
    assert set(others["responses"]) == {"204", "401", "403", "503"}
    kinds = "authentication-unavailable, tokens-unavailable"
    assert problems(made, one, "delete")["503"] == kinds
    (parameter,) = made["paths"][one]["delete"]["parameters"]
    assert parameter["schema"] == {"type": "string", "format": "uuid"}
    assert made["components"]["schemas"]["Session"]["properties"]["current"] == {
        "type": "boolean",
        "description": "Whether it is the session that asks.",
        "readOnly": True,
    }


def test_views_of_a_project_are_described_too() -> None:
    made = document([path("in/", PasswordView.as_view())])
    assert set(schema(made, "/in/", answer=True)) == PAIR
    assert made["paths"]["/in/"]["post"]["description"] == "A password for tokens."
    assert set(problems(made, "/in/", "post")) == {"400", "401", "500", "503"}


def test_simplejwt_s_own_views_stay_as_they_were() -> None:
    made = document(
        [
            path("old/", stock.TokenObtainPairView.as_view()),
            path("old/refresh/", stock.TokenRefreshView.as_view()),
        ]
    )
    assert set(schema(made, "/old/", answer=True)) == {"access", "refresh"}
    assert problems(made, "/old/", "post") == {}


def test_a_browser_s_sessions_may_be_described() -> None:
    made = document(
        [
            path(
                "mine/",
                SessionViewSet.as_view({"get": "list"}, authentication_classes=[]),
            )
        ]
    )
    assert problems(made, "/mine/", "get") == {"503": "tokens-unavailable"}
