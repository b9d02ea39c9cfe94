from datetime import timedelta
from typing import Any, Final

import pytest
from django.core.checks import Error
from rest_framework.authentication import SessionAuthentication
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
)
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, UntypedToken

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks import check_deployed_simplejwt
from drf_apikit.tokens.views import TokenObtainPairView as OurObtain
from tests.checks.conftest import Route
from tests.checks.deployment.conftest import (
    PRIVATE,
    Obtain,
    SimplejwtPage,
    ids,
    pems,
    safe_simplejwt,
    told,
)

JWKS: Final = "https://id.example/jwks"
WEAK, WEAK_PUBLIC = pems(1024)
LONG: Final = "a secret of more than sixty-four octets, which is what HS512 takes here"
NEITHER: Final = {"SIGNING_KEY": None, "VERIFYING_KEY": ""}
OURS: Final = {
    "TOKENS": {"ISSUER": "https://shop.example", "AUDIENCE": "ledger"},
}


class OwnAccessToken(AccessToken):
    """What the package makes of it."""

    __module__ = "drf_apikit.tokens.tokens"


class OwnSerializer(TokenObtainPairSerializer):
    token_class: Any = type("Refresh", (RefreshToken,), {"__module__": "drf_apikit.x"})


OwnSerializer.__module__ = "shop.serializers"


class Swapped(views.TokenObtainPairView):
    serializer_class: Any = OwnSerializer


class OurOwn(OurObtain):
    def get_serializer_class(self) -> Any:
        raise NotImplementedError


#: What is wrong, the setting that makes it so, and what its message says.
BAD: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "short key": (
        *("E022", {"ALGORITHM": "HS256", "SIGNING_KEY": "x" * 31, "VERIFYING_KEY": ""}),
        "SIMPLE_JWT['SIGNING_KEY'] is a key of 31 octets for HS256: who has one token",
    ),
    "short for HS512": (
        "E022",
        {"ALGORITHM": "HS512", "SIGNING_KEY": b"y" * 63, "VERIFYING_KEY": None},
        "a key of 63 octets for HS512",
    ),
    "none": ("E023", {"ALGORITHM": "none"}, "SIMPLE_JWT['ALGORITHM'] is 'none'"),
    "unknown": ("E023", {"ALGORITHM": "RS25"}, "SIMPLE_JWT['ALGORITHM'] is 'RS25'"),
    "weak signing key": (
        *("E024", {"SIGNING_KEY": WEAK}),
        "SIMPLE_JWT['SIGNING_KEY'] is an RSA key of 1024 bits.",
    ),
    "weak verifying key": (
        *("E024", {"ALGORITHM": "PS256", "VERIFYING_KEY": WEAK_PUBLIC}),
        "SIMPLE_JWT['VERIFYING_KEY'] is an RSA key of 1024 bits.",
    ),
    "no audience": (
        *("E027", {"JWK_URL": JWKS, "AUDIENCE": None}),
        f"SIMPLE_JWT['JWK_URL'] is '{JWKS}', and SIMPLE_JWT['AUDIENCE'] is None",
    ),
    "plain JWK_URL": (
        *("E028", {"JWK_URL": "HTTP://id.example/jwks"}),
        "SIMPLE_JWT['JWK_URL'] is 'HTTP://id.example/jwks'",
    ),
    "no type": (
        *("E029", {"TOKEN_TYPE_CLAIM": None}),
        "SIMPLE_JWT['TOKEN_TYPE_CLAIM'] is None",
    ),
    "any token": (
        *("E030", {"AUTH_TOKEN_CLASSES": [UntypedToken]}),
        "SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has UntypedToken",
    ),
    "key of something else": (
        *("W027", {"ALGORITHM": "HS256", "SIGNING_KEY": LONG, "VERIFYING_KEY": ""}),
        "SIMPLE_JWT['SIGNING_KEY'] is SECRET_KEY, with HS256",
    ),
    "idle key": (
        *("W028", {"ALGORITHM": "HS256", "SIGNING_KEY": LONG + "!"}),
        "SIMPLE_JWT['VERIFYING_KEY'] is set, and with ALGORITHM 'HS256' nobody looks",
    ),
    "idle key set": (
        "W028",
        {**NEITHER, "ALGORITHM": "HS512", "SIGNING_KEY": LONG + "!", "JWK_URL": JWKS},
        "SIMPLE_JWT['JWK_URL'] is set, and with ALGORITHM 'HS512' nobody looks",
    ),
    "long access": (
        *("W029", {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=15, seconds=1)}),
        "SIMPLE_JWT['ACCESS_TOKEN_LIFETIME'] is 0:15:01",
    ),
    "long refresh": (
        *("W030", {"REFRESH_TOKEN_LIFETIME": timedelta(days=31)}),
        "SIMPLE_JWT['REFRESH_TOKEN_LIFETIME'] is 31 days",
    ),
    "no issuer": (
        *("W033", {"JWK_URL": JWKS, "ISSUER": None}),
        f"SIMPLE_JWT['JWK_URL'] is '{JWKS}', and SIMPLE_JWT['ISSUER'] is None",
    ),
    "no id": ("W034", {"JTI_CLAIM": None}, "SIMPLE_JWT['JTI_CLAIM'] is None"),
    "inactive": (
        *("W035", {"CHECK_USER_IS_ACTIVE": False}),
        "SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] is False",
    ),
    "leeway": ("W036", {"LEEWAY": 301}, "SIMPLE_JWT['LEEWAY'] is 0:05:01"),
    "leeway as a span": (
        *("W036", {"LEEWAY": timedelta(hours=1)}),
        "SIMPLE_JWT['LEEWAY'] is 1:00:00",
    ),
    "another header": (
        *("W038", {"AUTH_HEADER_NAME": "HTTP_X_TOKEN"}),
        "SIMPLE_JWT['AUTH_HEADER_NAME'] is 'HTTP_X_TOKEN'",
    ),
}


@pytest.mark.usefixtures("simplejwt_project")
def test_a_safe_project_is_not_told_of() -> None:
    assert check_deployed_simplejwt() == []


@pytest.mark.usefixtures("simplejwt_project")
@pytest.mark.parametrize(("code", "values", "said"), BAD.values(), ids=list(BAD))
def test_each_bad_setting(
    settings: Any, code: str, values: dict[str, Any], said: str
) -> None:
    settings.SECRET_KEY = LONG
    settings.SIMPLE_JWT = safe_simplejwt(**values)
    found = told(check_deployed_simplejwt)
    assert list(found) == [code]
    assert said in found[code]
    key = str(values.get("SIGNING_KEY", "") or PRIVATE)
    assert key[-30:] not in repr(check_deployed_simplejwt())
    (message,) = check_deployed_simplejwt()
    assert isinstance(message, Error) is code.startswith("E")


@pytest.mark.parametrize("name", BAD)
def test_settings_that_nobody_reads(route: Route, settings: Any, name: str) -> None:
    _, values, _ = BAD[name]
    settings.SIMPLE_JWT = safe_simplejwt(**values)
    bearer = SimplejwtPage.as_view(authentication_classes=[JWTBearerAuthentication])
    route(bearer)
    assert check_deployed_simplejwt() == []
    settings.ROOT_URLCONF = ""
    assert check_deployed_simplejwt() == []


def test_a_view_that_decides_for_each_request(route: Route, settings: Any) -> None:
    class Deciding(SimplejwtPage):
        def get_authenticators(self) -> Any:
            return []

    settings.SIMPLE_JWT = safe_simplejwt(LEEWAY=301)
    route(Deciding.as_view())
    assert check_deployed_simplejwt() == []


@pytest.mark.usefixtures("simplejwt_project")
@pytest.mark.parametrize(
    "values",
    [
        {"ALGORITHM": "ES256", "SIGNING_KEY": "no key"},
        {"VERIFYING_KEY": "no key"},
        {**NEITHER, "JWK_URL": "http://localhost:8000/jwks"},
        {"ALGORITHM": "HS384", "SIGNING_KEY": "z" * 48, "VERIFYING_KEY": ""},
        {"ACCESS_TOKEN_LIFETIME": 86400, "LEEWAY": "of no kind"},
        {"LEEWAY": None, "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15)},
        {"LEEWAY": 300, "REFRESH_TOKEN_LIFETIME": timedelta(days=30)},
    ],
    ids=str,
)
def test_what_is_no_danger_or_what_others_tell_of(
    settings: Any, values: dict[str, Any]
) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(**values)
    assert check_deployed_simplejwt() == []


@pytest.mark.usefixtures("simplejwt_project")
@pytest.mark.parametrize("fallback", [False, True])
def test_the_defaults_sign_with_the_secret_key(settings: Any, fallback: bool) -> None:
    settings.SECRET_KEY = "short"
    settings.SIMPLE_JWT = None
    if fallback:
        settings.SIMPLE_JWT = {"SIGNING_KEY": LONG}
        settings.SECRET_KEY_FALLBACKS = [LONG]
    assert ids(check_deployed_simplejwt()) == ["E022", "W027"][fallback:]


# Who renews, and who ends.


@pytest.mark.parametrize(
    ("code", "values", "said"),
    [
        (
            *("W031", {"ROTATE_REFRESH_TOKENS": False}),
            "SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] is False",
        ),
        (
            *("W032", {"BLACKLIST_AFTER_ROTATION": False}),
            "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] is False",
        ),
        ("E025", {}, "SIMPLE_JWT['BLACKLIST_AFTER_ROTATION'] is True, and INSTALLED_"),
    ],
)
def test_a_view_that_renews(
    route: Route, settings: Any, code: str, values: dict[str, Any], said: str
) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(**values)
    route(views.TokenRefreshView.as_view())
    found = told(check_deployed_simplejwt)
    assert list(found) == [code]
    assert said in found[code]


@pytest.mark.usefixtures("blacklist")
def test_a_view_that_renews_and_blacklists(route: Route, settings: Any) -> None:
    settings.SIMPLE_JWT = safe_simplejwt()
    route(views.TokenRefreshView.as_view(), views.TokenBlacklistView.as_view())
    assert check_deployed_simplejwt() == []


def test_a_logout_that_ends_nothing(route: Route, settings: Any) -> None:
    settings.SIMPLE_JWT = safe_simplejwt()
    route(Obtain.as_view(), views.TokenBlacklistView.as_view())
    found = told(check_deployed_simplejwt)
    assert list(found) == ["E026"]
    assert (
        "TokenBlacklistView answers 200 to a logout and ends nothing" in found["E026"]
    )


class OwnEnd(TokenBlacklistSerializer):
    def validate(self, attrs: Any) -> Any:
        raise NotImplementedError(attrs)


def test_a_logout_of_the_project(route: Route, settings: Any) -> None:
    settings.SIMPLE_JWT = safe_simplejwt()
    route(views.TokenBlacklistView.as_view(serializer_class=OwnEnd))
    assert check_deployed_simplejwt() == []


# What counts as a token.


@pytest.mark.usefixtures("simplejwt_project")
@pytest.mark.parametrize(
    ("name", "code"), [("RefreshToken", "E030"), ("SlidingToken", "W037")]
)
def test_other_tokens_for_access(settings: Any, name: str, code: str) -> None:
    path = f"rest_framework_simplejwt.tokens.{name}"
    settings.SIMPLE_JWT = safe_simplejwt(AUTH_TOKEN_CLASSES=(AccessToken, path))
    assert list(told(check_deployed_simplejwt)) == [code]


@pytest.mark.parametrize("name", ["TokenObtainSlidingView", "TokenRefreshSlidingView"])
def test_views_of_sliding_tokens(route: Route, settings: Any, name: str) -> None:
    settings.SIMPLE_JWT = safe_simplejwt()
    route(getattr(views, name).as_view())
    assert list(told(check_deployed_simplejwt)) == ["W037"]


# Beside our own tokens.


@pytest.fixture
def _issuing(settings: Any) -> None:
    settings.DRF_APIKIT = OURS


@pytest.mark.usefixtures("simplejwt_project", "_issuing")
def test_what_is_left_of_simplejwt() -> None:
    found = told(check_deployed_simplejwt)
    assert list(found) == ["W062", "W063"]
    assert "SimplejwtPage has simplejwt's JWTAuthentication" in found["W062"]
    assert "Obtain is simplejwt's own view" in found["W063"]


@pytest.mark.usefixtures("_issuing")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "rest_framework_simplejwt.serializers.TokenObtainPairSerializer",
            None,
        ),
        ("drf_apikit.tokens.serializers.TokenObtainPairSerializer", None),
        (f"{__name__}.OwnSerializer", "it must build on drf_apikit.tokens.serializers"),
        ("nowhere.Serializer", "No module named 'nowhere'"),
    ],
)
def test_a_serializer_that_our_view_refuses(
    route: Route, settings: Any, path: str, said: str | None
) -> None:
    settings.SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": path}
    route(OurObtain.as_view(), OurOwn.as_view())
    found = told(check_deployed_simplejwt)
    assert list(found) == ([] if said is None else ["E040"])
    assert said is None or said in found["E040"]


@pytest.mark.usefixtures("_issuing")
def test_what_has_our_tokens_is_ours(route: Route, settings: Any) -> None:
    settings.SIMPLE_JWT = {"AUTH_TOKEN_CLASSES": [OwnAccessToken]}
    route(Swapped.as_view(), SimplejwtPage.as_view())
    assert check_deployed_simplejwt() == []


@pytest.mark.usefixtures("_issuing")
@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("W029", {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}),
        ("W030", {"REFRESH_TOKEN_LIFETIME": timedelta(days=60)}),
    ],
)
def test_what_our_sessions_read_too(settings: Any, code: str, values: Any) -> None:
    settings.SIMPLE_JWT = values
    assert list(told(check_deployed_simplejwt)) == [code]


#: What nobody should live for.
LONGEST: Final = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=60),
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["W029", "W030"]),
        ({"ACCESS_LIFETIME": 300}, ["W030"]),
        ({"REFRESH_LIFETIME": 86400}, ["W029"]),
        ({"SESSION_LIFETIME": 2_592_000}, ["W029"]),
        ({"SESSION_LIFETIME": 2_592_001}, ["W029", "W030"]),
        ({"CLIENTS": {"till": {"ACCESS_LIFETIME": 60}}}, ["W030"]),
        ({"CLIENTS": {"till": {"ACCESS_LIFETIME": 60}, "phone": {}}}, ["W029", "W030"]),
        (
            {"CLIENTS": {"till": {"ACCESS_LIFETIME": 60, "SESSION_LIFETIME": 86400}}},
            [],
        ),
    ],
    ids=str,
)
def test_lives_count_as_they_come_out(
    settings: Any, values: dict[str, Any], expected: list[str]
) -> None:
    settings.SIMPLE_JWT = LONGEST
    settings.DRF_APIKIT = {"TOKENS": {**OURS["TOKENS"], **values}}
    found = told(check_deployed_simplejwt)
    assert list(found) == expected
    for message in found.values():
        assert "'] is 1:00:00:" in message or "'] is 60 days, 0:00:00:" in message


@pytest.mark.usefixtures("simplejwt_project")
def test_lives_that_simplejwt_reads_itself(settings: Any) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(**LONGEST)
    own = {"ACCESS_LIFETIME": 300, "REFRESH_LIFETIME": 86400}
    settings.DRF_APIKIT = {"TOKENS": {**OURS["TOKENS"], **own}}
    assert {"W029", "W030"} <= told(check_deployed_simplejwt).keys()


@pytest.mark.usefixtures("_issuing")
def test_a_verifier_that_was_left_gives_nothing_out(
    route: Route, settings: Any
) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(**LONGEST)
    settings.DRF_APIKIT = {
        "TOKENS": {**OURS["TOKENS"], "ACCESS_LIFETIME": 300, "REFRESH_LIFETIME": 3600}
    }
    route(SimplejwtPage.as_view())
    assert list(told(check_deployed_simplejwt)) == ["W062"]


def test_a_verifier_alone_stands_for_tokens_that_code_gives_out(
    route: Route, settings: Any
) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(**LONGEST)
    route(SimplejwtPage.as_view())
    assert list(told(check_deployed_simplejwt)) == ["W029", "W030"]


@pytest.mark.usefixtures("_issuing")
def test_who_is_inactive_matters_to_simplejwt_alone(
    route: Route, settings: Any
) -> None:
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False}
    route(OurObtain.as_view())
    assert check_deployed_simplejwt() == []
    ours = {"AUTH_TOKEN_CLASSES": [OwnAccessToken]}
    settings.SIMPLE_JWT = {"CHECK_USER_IS_ACTIVE": False, **ours}
    route(SimplejwtPage.as_view())
    assert list(told(check_deployed_simplejwt)) == ["W035"]


def test_a_key_that_is_exchanged(settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "short"}
    tokens = {**OURS["TOKENS"], "LEGACY_REFRESH_TOKENS": "exchange"}
    settings.DRF_APIKIT = {"TOKENS": tokens}
    assert list(told(check_deployed_simplejwt)) == ["E022"]


@pytest.mark.parametrize("value", [{"TOKENS": {"ISSUER": 7}}, {"TOKENS": {}}, {}])
def test_without_tokens_of_ours_nothing_is_beside_them(
    route: Route, settings: Any, value: Any
) -> None:
    settings.DRF_APIKIT = value
    settings.SIMPLE_JWT = safe_simplejwt()
    classes = [SessionAuthentication, JWTAuthentication]
    route(Obtain.as_view(), SimplejwtPage.as_view(authentication_classes=classes))
    assert check_deployed_simplejwt() == []


# E043: who may log in.


def somebody(_user: Any) -> bool:
    return False


@pytest.mark.parametrize("view", [Obtain, OurObtain])
@pytest.mark.parametrize(
    "rule", ["shop.nowhere.rule", "rule", f"{__name__}.LONG", None, 7], ids=str
)
def test_a_rule_that_nobody_can_ask(
    route: Route, settings: Any, view: Any, rule: Any
) -> None:
    settings.DRF_APIKIT = OURS if view is OurObtain else {}
    settings.SIMPLE_JWT = safe_simplejwt(USER_AUTHENTICATION_RULE=rule)
    route(view.as_view())
    found = told(check_deployed_simplejwt)
    assert list(found) == ["E043"]
    said = f"SIMPLE_JWT['USER_AUTHENTICATION_RULE'] is {rule!r}"
    assert found["E043"].startswith(said)


@pytest.mark.parametrize("view", [Obtain, OurObtain])
@pytest.mark.parametrize("rule", [somebody, f"{__name__}.somebody"])
def test_a_rule_of_the_project(
    route: Route, settings: Any, view: Any, rule: Any
) -> None:
    settings.DRF_APIKIT = OURS if view is OurObtain else {}
    settings.SIMPLE_JWT = safe_simplejwt(USER_AUTHENTICATION_RULE=rule)
    route(view.as_view())
    assert check_deployed_simplejwt() == []


def test_a_rule_that_nobody_asks(route: Route, settings: Any) -> None:
    settings.SIMPLE_JWT = safe_simplejwt(USER_AUTHENTICATION_RULE="nowhere.rule")
    route(SimplejwtPage.as_view())
    assert check_deployed_simplejwt() == []
