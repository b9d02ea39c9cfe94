from typing import Any, Final

import pytest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.contrib.drf import OIDCAuthentication
from rest_framework.authentication import SessionAuthentication

from drf_apikit.checks import check_deployed_oidc
from tests.checks.conftest import Route
from tests.checks.deployment.conftest import SimplejwtPage, ids, told

HERE: Final = __name__
MODEL: Final = "django.contrib.auth.backends.ModelBackend"
OURS: Final = "drf_apikit.login.OIDCAuthenticationBackend"
THEIRS: Final = "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
LOGIN: Final = {"LOGIN": {"ISSUER": "https://id.example"}}
COOKIES: Final = "django.contrib.sessions.backends.signed_cookies"
STORED: Final = "django.contrib.sessions.backends.db"


def own(*_: Any, **__: Any) -> Any:
    raise AssertionError("nobody asks")


def made_of(base: Any, *overridden: str) -> Any:
    """Make what a project makes of a class that has no types."""
    return type("Own", (base,), dict.fromkeys(overridden, own))


#: Of somebody who has read about it.
Careful: Final = made_of(
    *(OIDCAuthenticationBackend, "verify_token", "filter_users_by_claims"),
    "get_userinfo",
)
OwnBearer: Final = made_of(OIDCAuthentication)
Introspecting: Final = made_of(OIDCAuthentication, "authenticate")


@pytest.fixture(autouse=True)
def _safe(settings: Any, route: Route) -> None:
    settings.DRF_APIKIT = {}
    settings.AUTHENTICATION_BACKENDS = [f"{HERE}.Careful", MODEL, "nowhere.Backend"]
    settings.OIDC_USE_PKCE = True
    settings.OIDC_RP_SIGN_ALGO = "ES256"
    settings.OIDC_TIMEOUT = 3
    settings.OIDC_OP_TOKEN_ENDPOINT = "https://id.example/token"
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:8000/jwks"
    settings.OIDC_STORE_ACCESS_TOKEN = True
    route()


def test_a_safe_project_is_not_told_of() -> None:
    assert check_deployed_oidc() == []


BAD: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "TLS": (
        *("E031", {"OIDC_VERIFY_SSL": False}),
        "OIDC_VERIFY_SSL is False: whoever is on the way to the provider can be",
    ),
    "unsigned": (
        *("E032", {"OIDC_ALLOW_UNSECURED_JWT": True}),
        "OIDC_ALLOW_UNSECURED_JWT is True: an ID token that nobody has signed is",
    ),
    "plain": (
        *("E033", {"OIDC_OP_USER_ENDPOINT": "http://id.example/me"}),
        "OIDC_OP_USER_ENDPOINT is 'http://id.example/me': codes, secrets and tokens",
    ),
    "kid": ("W041", {"OIDC_VERIFY_KID": False}, "OIDC_VERIFY_KID is False: of the"),
    "nonce": ("W042", {"OIDC_USE_NONCE": False}, "OIDC_USE_NONCE is False: an ID"),
    "PKCE": ("W043", {"OIDC_USE_PKCE": False}, "OIDC_USE_PKCE is False: a code"),
    "plain PKCE": (
        *("W044", {"OIDC_PKCE_CODE_CHALLENGE_METHOD": "plain"}),
        "OIDC_PKCE_CODE_CHALLENGE_METHOD is 'plain': who sees",
    ),
    "HMAC": (
        *("W045", {"OIDC_RP_SIGN_ALGO": "HS256"}),
        "OIDC_RP_SIGN_ALGO is 'HS256': who gets hold of the client's secret",
    ),
    "no timeout": ("W046", {"OIDC_TIMEOUT": None}, "OIDC_TIMEOUT is None: a provider"),
    "tokens in cookies": (
        *("W047", {"SESSION_ENGINE": COOKIES}),
        "OIDC_STORE_ACCESS_TOKEN is True, and SESSION_ENGINE keeps sessions in cookies",
    ),
    "ID tokens in cookies": (
        "W047",
        {
            "SESSION_ENGINE": COOKIES,
            "OIDC_STORE_ACCESS_TOKEN": False,
            "OIDC_STORE_ID_TOKEN": True,
        },
        "OIDC_STORE_ID_TOKEN is True, and SESSION_ENGINE keeps sessions in cookies",
    ),
    "state": ("W048", {"OIDC_STATE_SIZE": 21}, "OIDC_STATE_SIZE is 21, which can be"),
    "nonce size": ("W048", {"OIDC_NONCE_SIZE": 8}, "OIDC_NONCE_SIZE is 8, which can"),
}


def set_all(settings: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


@pytest.mark.parametrize(("code", "values", "said"), BAD.values(), ids=list(BAD))
def test_each_bad_setting(
    settings: Any, code: str, values: dict[str, Any], said: str
) -> None:
    set_all(settings, values)
    found = told(check_deployed_oidc)
    assert list(found) == [code]
    assert found[code].startswith(said)


@pytest.mark.parametrize("name", BAD)
def test_settings_that_nobody_reads(settings: Any, name: str) -> None:
    settings.AUTHENTICATION_BACKENDS = [MODEL]
    set_all(settings, BAD[name][1])
    assert check_deployed_oidc() == []


@pytest.mark.parametrize("name", BAD)
def test_with_our_backend_others_tell(settings: Any, name: str) -> None:
    settings.DRF_APIKIT = LOGIN
    settings.AUTHENTICATION_BACKENDS = [OURS]
    code, values, _ = BAD[name]
    set_all(settings, values)
    expected = [code] if code == "W048" else []
    assert ids(check_deployed_oidc()) == expected


def test_the_defaults_of_the_library(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [THEIRS]
    for name in ("OIDC_USE_PKCE", "OIDC_RP_SIGN_ALGO", "OIDC_TIMEOUT"):
        delattr(settings, name)
    found = told(check_deployed_oidc)
    assert list(found) == ["W039", "W040", "W043", "W045", "W046"]
    assert f"AUTHENTICATION_BACKENDS has {THEIRS}, which accepts" in found["W039"]
    assert f"AUTHENTICATION_BACKENDS has {THEIRS}, which finds" in found["W040"]


@pytest.mark.parametrize(
    "values",
    [
        {"OIDC_USE_PKCE": False, "OIDC_PKCE_CODE_CHALLENGE_METHOD": "plain"},
        {"OIDC_STATE_SIZE": 22, "OIDC_NONCE_SIZE": "of no kind"},
        {"SESSION_ENGINE": COOKIES, "OIDC_STORE_ACCESS_TOKEN": False},
        {"SESSION_ENGINE": STORED, "OIDC_STORE_ID_TOKEN": True},
    ],
    ids=str,
)
def test_what_is_no_danger(settings: Any, values: dict[str, Any]) -> None:
    set_all(settings, values)
    settings.SILENCED_SYSTEM_CHECKS = []
    assert set(ids(check_deployed_oidc())) <= {"W043"}


# Access tokens.


@pytest.mark.parametrize("cls", [OIDCAuthentication, OwnBearer])
@pytest.mark.parametrize("named", [False, True], ids=["listed", "named"])
def test_a_class_that_believes_any_access_token(
    settings: Any, route: Route, cls: Any, named: bool
) -> None:
    settings.DRF_APIKIT = LOGIN
    settings.AUTHENTICATION_BACKENDS = [MODEL] if named else [THEIRS]
    settings.OIDC_DRF_AUTH_BACKEND = THEIRS if named else None
    classes = [SessionAuthentication, cls]
    route(SimplejwtPage.as_view(authentication_classes=classes))
    found = told(check_deployed_oidc)
    assert list(found) == ["E034"]
    assert f"SimplejwtPage has {cls.__name__}, which accepts any" in found["E034"]


@pytest.mark.parametrize(
    ("cls", "backend"),
    [
        (Introspecting, THEIRS),
        (OIDCAuthentication, f"{HERE}.Careful"),
        (OIDCAuthentication, OURS),
    ],
)
def test_a_class_that_looks_closer(
    settings: Any, route: Route, cls: Any, backend: str
) -> None:
    settings.OIDC_DRF_AUTH_BACKEND = backend
    settings.AUTHENTICATION_BACKENDS = [MODEL]
    route(SimplejwtPage.as_view(authentication_classes=[cls]))
    assert check_deployed_oidc() == []
