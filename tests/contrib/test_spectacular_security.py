"""What an OpenAPI document says of tokens: the scheme, the scopes, the refusals."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.urls import path
from drf_spectacular import generators, validation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.authentication import HasScopes, JWTBearerAuthentication, any_of
from drf_apikit.contrib.spectacular import JWTBearerScheme
from drf_apikit.idempotency import idempotent

ISSUER: Final = "https://id.example"
BEARER: Final = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

Documented = Callable[..., Any]


class Scoped(APIView):
    authentication_classes: Any = [JWTBearerAuthentication]
    permission_classes: Any = [HasScopes]
    required_scopes: Any = None

    @extend_schema(responses=str)
    def get(self, _request: Request) -> Response:
        return Response()


class Written(Scoped):
    @extend_schema(
        request=None,
        responses={
            200: str,
            401: OpenApiResponse(description="As a person says it."),
        },
        extensions={"x-required-scopes": "a word of its own"},
    )
    @idempotent
    def post(self, _request: Request) -> Response:
        return Response()


class Deciding(Scoped):
    authentication_classes: Any = []

    def get_authenticators(self) -> Any:
        return [JWTBearerAuthentication()]


class Property(Scoped):
    authentication_classes: Any = property(lambda _view: [JWTBearerAuthentication])


def document(*views: Any) -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generator: Any = generators
    patterns = [path(f"{number}/", view) for number, view in enumerate(views)]
    made: dict[str, Any] = generator.SchemaGenerator(patterns=patterns).get_schema(
        public=True
    )
    validator: Any = validation
    validator.validate_schema(made)
    assert not GENERATOR_STATS
    return made


def operation(made: dict[str, Any], method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = made["paths"]["/0/"][method]
    return found


def response(made: dict[str, Any], status: str, method: str = "get") -> Any:
    """Give a response of the first view, behind its reference."""
    answer = operation(made, method)["responses"][status]
    _, _, name = answer.get("$ref", "").rpartition("/")
    return made["components"]["responses"][name] if name else answer


# The scopes.


@pytest.mark.parametrize(
    ("declared", "scopes", "text"),
    [
        (["b", "a:x"], {"allOf": ["a:x", "b"]}, " The token needs the scopes: a:x, b."),
        ("a", {"allOf": ["a"]}, " The token needs the scopes: a."),
        pytest.param(
            {"GET": any_of("b", "a")},
            {"anyOf": ["a", "b"]},
            " The token needs one of the scopes: a, b.",
            id="any_of",
        ),
        ([], None, ""),
        (None, None, ""),
        # A system check tells.
        (any_of(), None, ""),
    ],
    ids=repr,
)
def test_scopes_stand_beside_a_scheme_that_has_none(
    declared: Any, scopes: Any, text: str
) -> None:
    """OpenAPI 3.0: requirements of HTTP schemes must be empty."""
    made = document(Scoped.as_view(required_scopes=declared))
    assert made["components"]["securitySchemes"] == {"bearer": BEARER}
    assert operation(made)["security"] == [{"bearer": []}]
    assert operation(made).get("x-required-scopes") == scopes
    kinds = "/problems/permission-denied"
    kinds += ", /problems/insufficient-scope" if scopes else ""
    assert response(made, "403")["description"] == kinds + text


@pytest.mark.parametrize(
    ("declared", "security"),
    [
        (["b", "a"], [{"bearer": ["a", "b"]}]),
        pytest.param(
            any_of("b", "a"), [{"bearer": ["a"]}, {"bearer": ["b"]}], id="any_of"
        ),
        ([], [{"bearer": []}]),
    ],
    ids=repr,
)
def test_scopes_are_in_the_requirement_since_openapi_3_1(
    monkeypatch: pytest.MonkeyPatch, declared: Any, security: Any
) -> None:
    monkeypatch.setattr(spectacular_settings, "OAS_VERSION", "3.1.0")
    made = document(Scoped.as_view(required_scopes=declared))
    assert operation(made)["security"] == security
    assert "x-required-scopes" not in operation(made)


@pytest.mark.parametrize("flow", [(), ("authorizationCode",)], ids=repr)
def test_a_scheme_of_another_type_has_scopes(
    monkeypatch: pytest.MonkeyPatch, flows: Callable[..., None], flow: tuple[str, ...]
) -> None:
    """As in the guide: a project's own comes first, whatever else is set."""
    flows(*flow)
    registry: Any = OpenApiAuthenticationExtension
    monkeypatch.setattr(registry, "_registry", list(vars(registry)["_registry"]))

    class SignIn(JWTBearerScheme):
        priority = 1
        name = "openid"

        def get_security_definition(self, _auto_schema: Any) -> dict[str, Any]:
            url = f"{ISSUER}/.well-known/openid-configuration"
            return {"type": "openIdConnect", "openIdConnectUrl": url}

    made = document(Scoped.as_view(required_scopes=any_of("b", "a")))
    (scheme,) = made["components"]["securitySchemes"].values()
    assert scheme["type"] == "openIdConnect"
    assert operation(made)["security"] == [{"openid": ["a"]}, {"openid": ["b"]}]
    assert "x-required-scopes" not in operation(made)
    assert "one of the scopes: a, b" in response(made, "403")["description"]


URLS: Final = {
    "OAUTH2_AUTHORIZATION_URL": f"{ISSUER}/authorize",
    "OAUTH2_TOKEN_URL": f"{ISSUER}/token",
    "OAUTH2_SCOPES": {"a": "To do one thing", "b": "To do another"},
}


@pytest.fixture
def flows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set drf-spectacular's settings of OAuth 2.0."""

    def build(*names: str, **more: Any) -> None:
        for setting, value in {"OAUTH2_FLOWS": list(names), **URLS, **more}.items():
            monkeypatch.setattr(spectacular_settings, setting, value)

    return build


@pytest.mark.parametrize(
    ("declared", "security"),
    [
        (["b", "a"], [{"oauth2": ["a", "b"]}, {"bearer": []}]),
        pytest.param(
            any_of("b", "a"),
            [{"oauth2": ["a"]}, {"oauth2": ["b"]}, {"bearer": []}],
            id="any_of",
        ),
        ([], [{"oauth2": []}, {"bearer": []}]),
    ],
    ids=repr,
)
def test_tools_can_sign_in_where_flows_are_set(
    flows: Callable[..., None], declared: Any, security: Any
) -> None:
    flows("authorizationCode")
    made = document(Scoped.as_view(required_scopes=declared))
    flow = {
        "authorizationUrl": f"{ISSUER}/authorize",
        "tokenUrl": f"{ISSUER}/token",
        "scopes": URLS["OAUTH2_SCOPES"],
    }
    assert made["components"]["securitySchemes"] == {
        "oauth2": {"type": "oauth2", "flows": {"authorizationCode": flow}},
        "bearer": BEARER,
    }
    assert operation(made)["security"] == security
    assert "x-required-scopes" not in operation(made)


def test_both_schemes_have_scopes_since_openapi_3_1(
    flows: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    flows("authorizationCode")
    monkeypatch.setattr(spectacular_settings, "OAS_VERSION", "3.1.0")
    made = document(Scoped.as_view(required_scopes=["a"]))
    assert operation(made)["security"] == [{"oauth2": ["a"]}, {"bearer": ["a"]}]


def test_other_flows_have_the_urls_that_they_need(flows: Callable[..., None]) -> None:
    refresh = f"{ISSUER}/refresh"
    flows(
        *("clientCredentials", "implicit"),
        OAUTH2_REFRESH_URL=refresh,
        OAUTH2_SCOPES=None,
    )
    made = document(Scoped.as_view(required_scopes=["a"]))
    common = {"refreshUrl": refresh, "scopes": {}}
    assert made["components"]["securitySchemes"]["oauth2"]["flows"] == {
        "clientCredentials": {"tokenUrl": f"{ISSUER}/token", **common},
        "implicit": {"authorizationUrl": f"{ISSUER}/authorize", **common},
    }


def test_a_subclass_has_schemes_of_its_own(flows: Callable[..., None]) -> None:
    class Tenants(JWTBearerAuthentication):
        pass

    flows("authorizationCode")
    made = document(
        Scoped.as_view(required_scopes=["a"], authentication_classes=[Tenants]),
        Scoped.as_view(required_scopes=["a"]),
    )
    names = set(made["components"]["securitySchemes"])
    assert names == {"TenantsOAuth2", "Tenants", "oauth2", "bearer"}
    assert operation(made)["security"] == [{"TenantsOAuth2": ["a"]}, {"Tenants": []}]


@pytest.mark.parametrize(
    ("permissions", "named"),
    [
        ([HasScopes & IsAuthenticated], True),
        ([IsAuthenticated, HasScopes], True),
        ([HasScopes | IsAdminUser], False),
        ([~HasScopes], False),
        ([IsAuthenticated], False),
    ],
)
def test_only_scopes_that_all_need_are_named(permissions: Any, named: bool) -> None:
    view = Scoped.as_view(permission_classes=permissions, required_scopes=["a"])
    made = document(view)
    assert ("x-required-scopes" in operation(made)) is named
    assert ("insufficient-scope" in response(made, "403")["description"]) is named


# The refusals.


def test_a_token_may_be_refused() -> None:
    made = document(Scoped.as_view(required_scopes=["a"]))
    assert set(operation(made)["responses"]) == {"200", "401", "403", "503"}
    unauthorized = response(made, "401")
    assert unauthorized["description"] == (
        "/problems/not-authenticated, /problems/invalid-token"
    )
    assert set(unauthorized["headers"]) == {"WWW-Authenticate"}
    unavailable = response(made, "503")
    assert unavailable["description"] == "/problems/authentication-unavailable"
    assert set(unavailable["headers"]) == {"Retry-After"}
    for status in ("401", "403", "503"):
        (media_type,) = response(made, status)["content"]
        assert media_type == "application/problem+json"


def test_a_view_for_all_may_refuse_a_token() -> None:
    view = Scoped.as_view(permission_classes=[AllowAny], required_scopes=["a"])
    made = document(view)
    assert set(operation(made)["responses"]) == {"200", "401", "503"}
    assert operation(made)["security"] == [{"bearer": []}, {}]


@pytest.mark.parametrize("view", [Deciding, Property])
def test_authenticators_of_the_instance_count(view: Any) -> None:
    made = document(view.as_view(required_scopes=["a"]))
    assert "401" in operation(made)["responses"]


def test_other_authentication_is_left_alone() -> None:
    made = document(Scoped.as_view(authentication_classes=[BasicAuthentication]))
    assert set(operation(made)["responses"]) == {"200"}
    assert "x-required-scopes" not in operation(made)

    class Other(Deciding):
        def get_authenticators(self) -> Any:
            return [BasicAuthentication()]

    assert set(operation(document(Other.as_view()))["responses"]) == {"200"}


def test_what_the_view_says_itself_stays() -> None:
    made = document(Written.as_view(required_scopes=["a"]))
    assert response(made, "401", "post")["description"] == "As a person says it."
    assert operation(made, "post")["x-required-scopes"] == "a word of its own"
    # Two blocks have something to say of 503.
    assert response(made, "503", "post")["description"] == (
        "/problems/authentication-unavailable, /problems/idempotency-unavailable"
    )


def test_names_that_look_alike_stay_apart() -> None:
    made = document(
        *(
            Scoped.as_view(required_scopes=scopes)
            for scopes in (["a:b"], ["a/b"], ["a:b"], any_of("a:b"), ["a", "b"])
        )
    )
    found = [
        made["paths"][f"/{number}/"]["get"]["responses"]["403"] for number in range(5)
    ]
    assert found[0] == found[2] == {"$ref": "#/components/responses/ScopeA_B403"}
    assert found[1]["description"].endswith("needs the scopes: a/b.")
    assert found[3] == {"$ref": "#/components/responses/AnyScopeA_B403"}
    assert found[4]["description"].endswith("needs the scopes: a, b.")


def test_the_example_names_its_scopes() -> None:
    generator: Any = generators
    made = generator.SchemaGenerator(urlconf="ledger.urls").get_schema(public=True)
    scopes = {
        (url, method): found["x-required-scopes"]
        for url, methods in made["paths"].items()
        for method, found in methods.items()
        if "x-required-scopes" in found
    }
    assert len(scopes) == 9
    read, write = {"allOf": ["ledger:read"]}, {"allOf": ["ledger:write"]}
    assert all(
        found == (read if method == "get" else write)
        for (_url, method), found in scopes.items()
    )
