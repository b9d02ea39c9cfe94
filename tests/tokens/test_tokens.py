"""simplejwt's token classes as its users know them, on our sessions."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import RequestFactory
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt import tokens as stock
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    InvalidToken,
    TokenError,
)
from rest_framework_simplejwt.settings import api_settings

from drf_apikit.exceptions import RefreshTokenRefused
from drf_apikit.tokens.clients import find_client
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, rotate
from drf_apikit.tokens.simplejwt_settings import simple_jwt
from drf_apikit.tokens.tokens import AccessToken, RefreshToken, Token, UntypedToken
from tests.tokens.facade import SETTINGS, make_user, payload_of

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _issuer(settings: "Settings") -> None:
    settings.DRF_APIKIT = SETTINGS


@pytest.fixture
def ada() -> User:
    return make_user()


def section(**more: Any) -> dict[str, Any]:
    return {**SETTINGS, "TOKENS": {**SETTINGS["TOKENS"], **more}}


def authenticated(by: type[JWTAuthentication], text: str) -> Any:
    headers = {"Authorization": f"Bearer {text}"}
    return by().authenticate(Request(RequestFactory().get("/", headers=headers)))


@pytest.fixture
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `AUTH_TOKEN_CLASSES`, which simplejwt reads once."""
    monkeypatch.setattr(api_settings, "AUTH_TOKEN_CLASSES", (AccessToken,))


# What a project does with them.


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_pair_is_made_for_a_user(ada: User) -> None:
    token = RefreshToken.for_user(ada)
    token["name"] = "Ada"
    assert not TokenSession.objects.exists()
    refresh, access = str(token), str(token.access_token)
    session = TokenSession.objects.get()
    assert (session.user, session.claims) == (ada, {"name": "Ada"})
    assert refresh == str(token)
    claims = payload_of(access)
    assert (claims["sub"], claims["name"]) == (str(ada.pk), "Ada")
    assert claims["auth_time"] == pytest.approx(time.time(), abs=60)
    assert "user_id" not in claims
    assert "token_type" not in claims


def test_they_are_simplejwt_s() -> None:
    assert issubclass(AccessToken, stock.AccessToken)
    assert issubclass(RefreshToken, stock.RefreshToken)
    assert issubclass(UntypedToken, stock.UntypedToken)
    assert Token is stock.Token


def test_a_token_is_read_from_its_text(ada: User) -> None:
    token = RefreshToken.for_user(ada)
    token["name"] = "Ada"
    for text in (str(token), str(token).encode()):
        read = RefreshToken(text)
        assert (read["name"], read["user_id"]) == ("Ada", str(ada.pk))
        assert read["token_type"] == "refresh"
        assert read["exp"] > read["iat"]
        assert str(read) == str(token)
        assert payload_of(str(read.access_token))["name"] == "Ada"
        read.verify()
        read.check_blacklist()
    assert TokenSession.objects.count() == 1


def test_what_is_not_good_is_an_error_of_simplejwt(ada: User) -> None:
    text = str(RefreshToken.for_user(ada))
    rotate(text)
    for wrong in ("", "akr1_", text, f"{text}A", "\xff", b"\xff", "a\0b", 5):
        with pytest.raises(TokenError):
            RefreshToken(wrong)
    # The one that was used up did no harm.
    assert TokenSession.objects.get().ended_at is None


def test_a_token_that_is_over_is_told_apart(ada: User) -> None:
    text = str(RefreshToken.for_user(ada))
    long_ago = TokenSession.objects.get().created_at - timedelta(days=1)
    TokenSession.objects.update(expires_at=long_ago)
    with pytest.raises(ExpiredTokenError):
        RefreshToken(text)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_logout_of_a_project_ends_the_session(ada: User) -> None:
    token = RefreshToken(str(RefreshToken.for_user(ada)))
    with transaction.atomic():
        session, is_ended = token.blacklist()
    assert (session.user, is_ended) == (ada, True)
    assert token.blacklist()[1] is False
    assert TokenSession.objects.get().end_reason == Ending.LOGOUT
    with pytest.raises(TokenError):
        token.verify()


def test_what_is_not_written_needs_no_end(ada: User) -> None:
    token = RefreshToken.for_user(ada)
    token.verify()
    token.outstand()
    assert token.blacklist() == (None, False)
    assert not TokenSession.objects.exists()


def test_a_token_may_name_its_user_itself(ada: User) -> None:
    token = RefreshToken()
    token["user_id"] = str(ada.pk)
    assert str(token.access_token)
    assert TokenSession.objects.get().user == ada


def test_a_token_can_be_told_from_outside() -> None:
    assert repr(RefreshToken()).startswith("{'token_type': 'refresh'")


# Claims.


@pytest.mark.parametrize("name", ["sub", "scope", "aud", "sid", "client_id", "events"])
def test_names_of_ours_are_not_for_a_project(ada: User, name: str) -> None:
    token = RefreshToken.for_user(ada)
    token[name] = "admin"
    with pytest.raises(ImproperlyConfigured, match=f"may not be called {name}"):
        str(token)
    assert not TokenSession.objects.exists()


def up_to_date(user: User, session: TokenSession) -> Mapping[str, Any]:
    return {"name": user.username.upper(), "since": session.created_at.year}


@pytest.mark.parametrize("wrong", ["\ud800", ["\udfff"], {"\ud800": 1}])
def test_what_no_verifier_reads_is_not_signed(ada: User, wrong: Any) -> None:
    deep: Any = []
    for _ in range(32):
        deep = [deep]
    for value in (wrong, deep):
        token = RefreshToken.for_user(ada)
        token["name"] = value
        with pytest.raises(ImproperlyConfigured, match="name"):
            str(token.access_token)
        assert not TokenSession.objects.exists()
        access = AccessToken.for_user(ada)
        access["name"] = value
        with pytest.raises(ImproperlyConfigured, match="name"):
            str(access)


def test_what_python_itself_cannot_write_is_not_signed(ada: User) -> None:
    access = AccessToken.for_user(ada)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    access["name"] = deep
    with pytest.raises(ImproperlyConfigured, match="name"):
        str(access)


def test_what_a_verifier_reads_is_signed(ada: User) -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    access = AccessToken.for_user(ada)
    access["deep"], access["name"] = deep, "\U0001f600 \u00e9"
    read: Any = AccessToken(str(access))
    assert (read["deep"], read["name"]) == (deep, access["name"])


def greedy(_user: User, _session: TokenSession) -> Mapping[str, Any]:
    return {"sub": "1"}


def test_a_function_adds_what_has_to_be_up_to_date(
    ada: User, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = section(CLAIMS=f"{__name__}.up_to_date")
    token = RefreshToken.for_user(ada)
    token["name"] = "old"
    token["kept"] = True
    claims = payload_of(str(token.access_token))
    assert (claims["name"], claims["kept"]) == ("ADA", True)
    assert claims["since"] >= 2026
    settings.DRF_APIKIT = section(CLAIMS=f"{__name__}.greedy")
    with pytest.raises(ImproperlyConfigured, match="may not be called sub"):
        str(token.access_token)


def test_a_client_that_is_gone_gets_nothing(ada: User, settings: "Settings") -> None:
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}, "tv": {}})
    token, tv = RefreshToken.for_user(ada), find_client("tv")
    assert tv is not None
    token.grant(tv, [])
    str(token)
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}})
    with pytest.raises(RefreshTokenRefused):
        str(token.access_token)
    assert AccessToken.lifetime == timedelta(seconds=300)


def test_local_times_are_read_as_such(ada: User, settings: "Settings") -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "America/New_York"
    claims = payload_of(str(RefreshToken.for_user(ada).access_token))
    assert claims["auth_time"] == pytest.approx(time.time(), abs=60)
    assert claims["exp"] == pytest.approx(time.time() + 300, abs=60)


# Lives.


class ShortToken(AccessToken):
    lifetime = timedelta(seconds=60)


class LongToken(AccessToken):
    lifetime = timedelta(days=60)


class ShortRefreshToken(RefreshToken):
    access_token_class = ShortToken


class LongRefreshToken(RefreshToken):
    access_token_class = LongToken


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [(RefreshToken, 120), (ShortRefreshToken, 60), (LongRefreshToken, 120)],
)
def test_a_class_may_make_a_life_shorter_and_no_longer(
    ada: User, settings: "Settings", kind: type[RefreshToken], seconds: int
) -> None:
    settings.DRF_APIKIT = section(ACCESS_LIFETIME=120)
    claims = payload_of(str(kind.for_user(ada).access_token))
    assert claims["exp"] - claims["iat"] == seconds


def test_nothing_makes_a_life_longer(ada: User) -> None:
    token = AccessToken.for_user(ada)
    token.set_exp(lifetime=timedelta(days=1))
    claims = payload_of(str(token))
    assert claims["exp"] - claims["iat"] == 300
    token.set_exp(lifetime=timedelta(seconds=5))
    claims = payload_of(str(token))
    assert claims["exp"] - claims["iat"] == 5


def test_simplejwt_s_own_settings_count(ada: User, settings: "Settings") -> None:
    settings.SIMPLE_JWT = {
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=90),
        "REFRESH_TOKEN_LIFETIME": timedelta(hours=2),
    }
    assert AccessToken.lifetime == timedelta(seconds=90)
    assert RefreshToken.lifetime == timedelta(hours=2)
    token = RefreshToken.for_user(ada)
    claims = payload_of(str(token.access_token))
    assert claims["exp"] - claims["iat"] == 90
    read = RefreshToken(str(token))
    assert read["exp"] - read["iat"] == 7200


# Where simplejwt verifies.


@pytest.mark.usefixtures("_ours")
def test_simplejwt_s_authentication_takes_them(ada: User) -> None:
    access = str(RefreshToken.for_user(ada).access_token)
    user, token = authenticated(JWTAuthentication, access)
    assert (user, type(token)) == (ada, AccessToken)
    assert (token["user_id"], token["token_type"]) == (str(ada.pk), "access")
    someone, _ = authenticated(JWTStatelessUserAuthentication, access)
    assert someone.id == str(ada.pk)
    untyped: Any = UntypedToken
    assert untyped(access)["user_id"] == str(ada.pk)


@pytest.mark.usefixtures("_ours")
def test_simplejwt_s_authentication_takes_no_others(ada: User) -> None:
    others = (
        str(stock.AccessToken.for_user(ada)),
        str(stock.RefreshToken.for_user(ada)),
        str(RefreshToken.for_user(ada)),
    )
    for text in others:
        with pytest.raises(InvalidToken):
            authenticated(JWTAuthentication, text)


def test_simplejwt_s_own_classes_take_none_of_ours(ada: User) -> None:
    token = RefreshToken.for_user(ada)
    untyped: Any = stock.UntypedToken
    for text in (str(token), str(token.access_token)):
        with pytest.raises(TokenError):
            untyped(text)


@pytest.mark.usefixtures("_ours")
def test_an_access_token_may_have_no_session(ada: User) -> None:
    access = str(AccessToken.for_user(ada))
    assert authenticated(JWTAuthentication, access)[0] == ada
    assert "sid" not in payload_of(access)
    assert not TokenSession.objects.exists()


@pytest.fixture
def _revoking(settings: "Settings", monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
    monkeypatch.setattr(api_settings, "CHECK_REVOKE_TOKEN", True)


@pytest.mark.usefixtures("_ours", "_revoking")
def test_another_password_may_end_access_tokens_too(ada: User) -> None:
    access = str(RefreshToken.for_user(ada).access_token)
    assert authenticated(JWTAuthentication, access)[0] == ada
    ada.set_password("another one")
    ada.save()
    with pytest.raises(AuthenticationFailed):
        authenticated(JWTAuthentication, access)


@pytest.mark.usefixtures("_ours", "_revoking")
def test_without_a_session_nobody_knows_the_password(ada: User) -> None:
    without = str(AccessToken.for_user(ada))
    deleted = str(RefreshToken.for_user(ada).access_token)
    TokenSession.objects.all().delete()
    for access in (without, deleted):
        with pytest.raises(AuthenticationFailed):
            authenticated(JWTAuthentication, access)


@pytest.mark.usefixtures("_revoking")
@pytest.mark.parametrize("name", ["hash_password", "pw"])
def test_no_digest_of_a_password_gets_out(
    ada: User, settings: "Settings", monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": name}
    monkeypatch.setattr(api_settings, "REVOKE_TOKEN_CLAIM", name)
    settings.DRF_APIKIT = section(CLAIMS=f"{__name__}.telling")
    token = RefreshToken.for_user(ada)
    access = AccessToken.for_user(ada)
    assert name not in token
    assert name not in access
    assert name not in payload_of(str(token.access_token))
    session = TokenSession.objects.get()
    assert session.claims == {}
    # As sessions had it once.
    TokenSession.objects.update(claims={name: "x"})
    for one in (access, RefreshToken(str(token)).access_token):
        one[name] = "x"
        assert name not in payload_of(str(one))


def telling(_user: User, _session: TokenSession) -> Mapping[str, Any]:
    return {simple_jwt("REVOKE_TOKEN_CLAIM"): "x"}


@pytest.mark.usefixtures("_ours")
def test_users_may_be_known_by_another_field(
    ada: User, settings: "Settings", monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIMPLE_JWT = {"USER_ID_FIELD": "username"}
    monkeypatch.setattr(api_settings, "USER_ID_FIELD", "username")
    make_user(str(ada.pk))
    token = RefreshToken.for_user(ada)
    refresh, access = str(token), str(token.access_token)
    claims = payload_of(access)
    assert (claims["sub"], claims["user_id"]) == (str(ada.pk), "ada")
    assert authenticated(JWTAuthentication, access)[0] == ada
    again = RefreshToken(refresh).access_token
    assert authenticated(JWTAuthentication, str(again))[0] == ada
