from typing import Any, Final

import pytest
from rest_framework.authentication import SessionAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework_simplejwt.serializers import (
    TokenObtainPairSerializer as SimplejwtSerializer,
)
from rest_framework_simplejwt.views import TokenBlacklistView, TokenViewBase

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks import check_deployed_tokens
from drf_apikit.tokens.serializers import (
    SessionSerializer,
    TokenObtainPairSerializer,
)
from drf_apikit.tokens.serializers import TokenBlacklistSerializer as OurEnd
from drf_apikit.tokens.tokens import RefreshToken
from drf_apikit.tokens.views import (
    TokenObtainPairView,
    TokenRefreshView,
    TokenVerifyView,
)
from tests.checks.conftest import Route
from tests.checks.deployment.conftest import Obtain, SimplejwtPage, ids, told

SHOP: Final = "https://shop.example"
ELSEWHERE: Final = "https://id.example"
ENTRY: Final = {
    "AUDIENCE": ["ledger", "ledger-next"],
    "USERS": "local",
    "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
}
#: One key of a public example, which nobody signs with.
JWKS: Final = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }
    ]
}
WHERE: Final = f"DRF_APIKIT['AUTHENTICATION']['ISSUERS']['{SHOP}']"


def project(
    tokens: dict[str, Any] | None = None,
    issuers: dict[str, Any] | None = None,
    **authentication: Any,
) -> dict[str, Any]:
    own = {"ISSUER": SHOP, "AUDIENCE": "ledger", **(tokens or {})}
    trusted = {SHOP: ENTRY} if issuers is None else issuers
    named = {"ISSUERS": trusted, **authentication}
    return {"TOKENS": own, "AUTHENTICATION": named}


@pytest.fixture(autouse=True)
def _wired(route: Route, settings: Any) -> None:
    settings.DRF_APIKIT = project()
    settings.ALLOWED_HOSTS = ["shop.example"]
    classes = [SessionAuthentication, JWTBearerAuthentication]
    route(SimplejwtPage.as_view(authentication_classes=classes))


def test_a_safe_project_is_not_told_of() -> None:
    assert check_deployed_tokens() == []


@pytest.mark.parametrize(
    ("code", "values", "said"),
    [
        ("E035", {"ISSUER": "http://shop.example"}, "['ISSUER'] is 'http://shop.ex"),
        ("W054", {"ACCESS_LIFETIME": 901}, "['ACCESS_LIFETIME'] is 901: nothing"),
        (
            *("W054", {"CLIENTS": {"mobile": {"ACCESS_LIFETIME": 3600}}}),
            "['CLIENTS']['mobile']['ACCESS_LIFETIME'] is 3600: nothing",
        ),
        (
            *("W055", {"REFRESH_LIFETIME": 2_592_001}),
            "['REFRESH_LIFETIME'] is 2592001: a token",
        ),
        (
            *("W055", {"REFRESH_LIFETIME": 5_184_000, "CLIENTS": {"a": {}, "b": {}}}),
            "DRF_APIKIT['TOKENS']['REFRESH_LIFETIME'] is 5184000: a token",
        ),
        ("W056", {"ROTATION_PERIOD": None}, "['ROTATION_PERIOD'] is None, and KEYS"),
        ("W059", {"LEGACY_REFRESH_TOKENS": "exchange"}, "_TOKENS'] is 'exchange': who"),
        ("W060", {"MAX_SIZE": 4097}, "['MAX_SIZE'] is 4097: proxies"),
        (
            *("W061", {"REPEAT_SUCCESSOR": True, "REUSE_GRACE": 61}),
            "['REUSE_GRACE'] is 61, with REPEAT_SUCCESSOR: for so long",
        ),
    ],
)
def test_each_bad_setting_of_tokens(
    settings: Any, code: str, values: dict[str, Any], said: str
) -> None:
    issuer = values.get("ISSUER", SHOP)
    trusted = {issuer: {**ENTRY, "INSECURE_LOOPBACK_HTTP": False}}
    settings.DRF_APIKIT = project(values, trusted)
    found = told(check_deployed_tokens)
    assert list(found) == [code]
    assert found[code].startswith("DRF_APIKIT['TOKENS']")
    assert said in found[code]
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "rest_framework"]
    assert check_deployed_tokens() == []


@pytest.mark.parametrize(
    "values",
    [
        {"ISSUER": "http://localhost:8000"},
        {"ACCESS_LIFETIME": 900, "REFRESH_LIFETIME": 2_592_000, "MAX_SIZE": 4096},
        {"ROTATION_PERIOD": None, "KEYS": {"2026": {"ENV": "SIGNING_KEY"}}},
        {"REPEAT_SUCCESSOR": True, "REUSE_GRACE": 60},
        {"REPEAT_SUCCESSOR": False, "REUSE_GRACE": 300},
        {"ACCESS_LIFETIME": 3600, "CLIENTS": {"mobile": {"ACCESS_LIFETIME": 60}}},
    ],
    ids=str,
)
def test_what_is_no_danger(settings: Any, values: dict[str, Any]) -> None:
    settings.DRF_APIKIT = project(values, {values.get("ISSUER", SHOP): ENTRY})
    assert check_deployed_tokens() == []


@pytest.mark.parametrize(
    ("code", "entry", "said"),
    [
        ("E036", None, " is missing: this project refuses the tokens"),
        (
            *("E036", {"AUDIENCE": ["shop", "till"]}),
            "['AUDIENCE'] is 'shop' and 'till', and TOKENS['AUDIENCE'] is 'ledger':",
        ),
        (
            *("E036", {"TOKEN_PROFILE": "simplejwt"}),
            "['TOKEN_PROFILE'] is 'simplejwt', which the tokens",
        ),
        ("E036", {"USERS": "create"}, "['USERS'] is 'create', and `sub` is the"),
        ("W057", {"KEY_SOURCE": None}, " has no KEY_SOURCE: this project asks itself"),
    ],
)
def test_each_bad_entry(settings: Any, code: str, entry: Any, said: str) -> None:
    issuers: dict[str, Any] = {ELSEWHERE: {"AUDIENCE": "ledger"}}
    if entry is not None:
        issuers[SHOP] = {**ENTRY, **entry}
    settings.DRF_APIKIT = project(issuers=issuers)
    found = told(check_deployed_tokens)
    assert list(found) == [code]
    assert found[code].startswith(f"{WHERE}{said}")


def test_no_audience_at_all(settings: Any) -> None:
    without = {"TOKEN_PROFILE": "cognito", "CLIENTS": ["mobile"], "USERS": "local"}
    entry = {**without, "KEY_SOURCE": ENTRY["KEY_SOURCE"]}
    settings.DRF_APIKIT = project(issuers={SHOP: entry})
    found = check_deployed_tokens()
    assert [message.id for message in found] == ["drf_apikit.E036"] * 2
    assert "['AUDIENCE'] is None, and TOKENS['AUDIENCE'] is 'ledger'" in found[0].msg


def test_a_resolver_of_the_project_knows_whose_they_are(settings: Any) -> None:
    entry = {**ENTRY, "USERS": "lookup", "KEY_SOURCE": None, "JWKS": JWKS}
    resolver = "drf_apikit.authentication.principals.find_principal"
    settings.DRF_APIKIT = project(issuers={SHOP: entry}, PRINCIPAL_RESOLVER=resolver)
    assert check_deployed_tokens() == []


@pytest.mark.parametrize("value", [project(issuers={}), {}, {"TOKENS": {"ISSUER": 7}}])
def test_of_what_others_tell(settings: Any, value: Any) -> None:
    settings.DRF_APIKIT = value
    assert check_deployed_tokens() == []


def test_a_project_that_only_gives_out_tokens(route: Route, settings: Any) -> None:
    settings.DRF_APIKIT = project(issuers={})
    route(SimplejwtPage.as_view(authentication_classes=[lambda: None]))
    assert check_deployed_tokens() == []


# W058: who says which row somebody is.


@pytest.mark.parametrize("own", [True, False], ids=["with tokens", "without"])
def test_an_issuer_elsewhere_that_names_our_rows(settings: Any, own: bool) -> None:
    foreign = {ELSEWHERE: {"AUDIENCE": "ledger", "USERS": "local"}}
    settings.DRF_APIKIT = project(issuers={SHOP: ENTRY, **foreign})
    if not own:
        named = settings.DRF_APIKIT["AUTHENTICATION"]
        settings.DRF_APIKIT = {"AUTHENTICATION": named}
    found = told(check_deployed_tokens)
    assert list(found) == ["W058"]
    assert f"['{ELSEWHERE}']['USERS'] is 'local', and its keys" in found["W058"]


@pytest.mark.parametrize(
    "entry",
    [{"USERS": "lookup"}, {"JWKS": JWKS}, {"KEY_SOURCE": ENTRY["KEY_SOURCE"]}],
    ids=["lookup", "keys that are here", "a source that is here"],
)
def test_an_issuer_that_cannot(settings: Any, entry: dict[str, Any]) -> None:
    foreign = {"AUDIENCE": "ledger", "USERS": "local", **entry}
    settings.DRF_APIKIT = project(issuers={SHOP: ENTRY, ELSEWHERE: foreign})
    assert check_deployed_tokens() == []


def test_an_issuer_that_is_this_very_project(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [".shop.example"]
    settings.DRF_APIKIT = {
        "AUTHENTICATION": {
            "ISSUERS": {
                "https://login.shop.example": {"AUDIENCE": "ledger", "USERS": "local"}
            }
        }
    }
    assert check_deployed_tokens() == []


# E042: our views, and nobody in whose name.


class OurOwn(TokenViewBase):
    permission_classes: Any = [AllowAny]
    serializer_class: Any = TokenObtainPairSerializer


class OurTokens(SimplejwtSerializer):
    token_class: Any = RefreshToken


class Swapped(TokenViewBase):
    serializer_class: Any = OurTokens


class Ending(TokenBlacklistView):
    serializer_class: Any = OurEnd


class Listing(GenericAPIView[Any]):
    serializer_class: Any = SessionSerializer


@pytest.mark.parametrize(
    "view", [TokenObtainPairView, TokenRefreshView, OurOwn, Swapped]
)
@pytest.mark.parametrize("value", [{}, {"TOKENS": {"AUDIENCE": "ledger"}}], ids=str)
def test_views_that_give_out_tokens_of_nobody(
    route: Route, settings: Any, view: Any, value: dict[str, Any]
) -> None:
    settings.DRF_APIKIT = value
    route(SimplejwtPage.as_view(), view.as_view(), TokenVerifyView.as_view())
    (found,) = check_deployed_tokens()
    assert ids([found]) == ["E042"]
    assert "DRF_APIKIT['TOKENS']['ISSUER'] is None" in found.msg
    assert f".{view.__qualname__} " in found.msg
    settings.DRF_APIKIT = project()
    assert check_deployed_tokens() == []


@pytest.mark.parametrize("view", [Obtain, Listing, Ending])
def test_views_that_need_no_issuer(route: Route, settings: Any, view: Any) -> None:
    settings.DRF_APIKIT = {}
    route(view.as_view(), SimplejwtPage.as_view())
    assert check_deployed_tokens() == []
