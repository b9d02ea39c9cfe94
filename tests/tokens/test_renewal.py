"""Refresh tokens that simplejwt gave out, taken once by choice."""

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken as StockAccessToken
from rest_framework_simplejwt.tokens import RefreshToken as StockRefreshToken

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens import renewal
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending
from tests.tokens.facade import SETTINGS, Caller, make_user, payload_of

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.facade")]


@pytest.fixture(autouse=True)
def _exchanging(settings: "Settings") -> None:
    settings.DRF_APIKIT = section()


@pytest.fixture
def ada() -> User:
    return make_user()


@pytest.fixture
def caller() -> Caller:
    return Caller()


def section(**more: Any) -> dict[str, Any]:
    tokens = {**SETTINGS["TOKENS"], "LEGACY_REFRESH_TOKENS": "exchange", **more}
    return {**SETTINGS, "TOKENS": tokens}


def legacy(user: User, **claims: Any) -> str:
    """Give what simplejwt gave out before; None leaves a claim out."""
    payload = {**StockRefreshToken.for_user(user).payload, **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, django_settings.SECRET_KEY, "HS256")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_live_token_becomes_a_session(ada: User, caller: Caller) -> None:
    text = legacy(ada, name="Ada", scope="admin", sid="x", aud_hint=1)
    answer = caller.refresh(text)
    assert answer.status_code == 200
    given = answer.json()
    claims = payload_of(given["access"])
    session = TokenSession.objects.get()
    assert (claims["sub"], claims["sid"]) == (str(ada.pk), str(session.pk))
    assert (claims["name"], claims["aud_hint"]) == ("Ada", 1)
    assert "scope" not in claims
    assert caller.call("GET", "/me/", given["access"]).json() == "ada"
    assert caller.refresh(given["refresh"]).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_it_is_taken_once(ada: User, caller: Caller, settings: "Settings") -> None:
    text = legacy(ada)
    given = caller.refresh(text).json()
    assert caller.refresh(text).status_code == 409
    settings.DRF_APIKIT = section(REUSE_GRACE=0)
    assert caller.refresh(text).status_code == 401
    assert TokenSession.objects.get().end_reason == Ending.REUSE
    assert caller.refresh(given["refresh"]).status_code == 401


def test_one_without_a_name_is_taken_once_too(
    ada: User, caller: Caller, settings: "Settings", monkeypatch: pytest.MonkeyPatch
) -> None:
    text, other = legacy(ada, jti=None), legacy(ada, jti=None, name="Ada")
    monkeypatch.setattr(api_settings, "JTI_CLAIM", None)
    settings.SIMPLE_JWT = {"JTI_CLAIM": None}
    assert [caller.refresh(one).status_code for one in (text, text)] == [200, 409]
    assert caller.post("verify/", {"token": other}).status_code == 200
    assert caller.refresh(other).status_code == 200


@pytest.mark.parametrize("name", ["\0", "\ud800"])
def test_claims_that_no_database_keeps_are_refused(
    ada: User, caller: Caller, name: str
) -> None:
    text = legacy(ada, name=name)
    assert caller.refresh(text).status_code == 401
    assert not TokenSession.objects.exists()


def test_who_comes_at_once_gets_the_same_by_choice(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = section(REPEAT_SUCCESSOR=True)
    text = legacy(ada)
    texts = {caller.refresh(text).json()["refresh"] for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("is_exchanged", "where"), [(False, ""), (True, ""), (True, "new")]
)
def test_a_logout_ends_what_it_is_or_became(
    ada: User, caller: Caller, *, is_exchanged: bool, where: str
) -> None:
    text = legacy(ada)
    given = caller.refresh(text).json() if is_exchanged else {}
    ending = given["refresh"] if where else text
    assert caller.post("blacklist/", {"refresh": ending}).status_code == 200
    assert TokenSession.objects.get().end_reason == Ending.LOGOUT
    for one in (text, *filter(None, [given.get("refresh")])):
        assert caller.refresh(one).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"token_type": "access"},
        {"token_type": None},
        {"exp": 1},
        {"exp": None},
        {"jti": None},
        {"user_id": None},
        {"user_id": "4711"},
        {"user_id": "nobody"},
        {"user_id": {"a": 1}},
        {"user_id": "9" * 400},
        {"user_id": 2**70},
    ],
    ids=str,
)
def test_what_simplejwt_would_refuse_is_refused(
    ada: User, caller: Caller, claims: dict[str, Any]
) -> None:
    text = legacy(ada, **claims)
    for where in ("refresh/", "blacklist/"):
        assert caller.post(where, {"refresh": text}).status_code == 401
    assert not TokenSession.objects.exists()


def test_a_look_at_a_token_uses_nothing_up(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    text = legacy(ada)
    for _ in range(2):
        assert caller.post("verify/", {"token": text}).status_code == 200
    assert caller.post("verify/", {"token": legacy(ada, exp=1)}).status_code == 401
    assert not TokenSession.objects.exists()
    assert caller.refresh(text).status_code == 200
    assert caller.post("verify/", {"token": text}).status_code == 401
    settings.DRF_APIKIT = SETTINGS
    assert caller.post("verify/", {"token": legacy(ada)}).status_code == 401


def test_who_may_not_log_in_has_no_session(ada: User, caller: Caller) -> None:
    text = legacy(ada)
    User.objects.update(is_active=False)
    assert caller.refresh(text).status_code == 401
    assert not TokenSession.objects.exists()


@pytest.fixture
def _revoking(settings: "Settings", monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
    monkeypatch.setattr(api_settings, "CHECK_REVOKE_TOKEN", True)


@pytest.mark.usefixtures("_revoking")
def test_another_password_ends_what_is_not_exchanged(ada: User, caller: Caller) -> None:
    text, before = legacy(ada), legacy(ada, hash_password=None)
    ada.set_password("another one")
    ada.save()
    for one in (text, before, legacy(ada, hash_password=["x"])):
        for where in ("refresh/", "blacklist/"):
            assert caller.post(where, {"refresh": one}).status_code == 401
    assert not TokenSession.objects.exists()


@pytest.mark.usefixtures("_revoking")
def test_the_digest_of_a_password_goes_no_further(ada: User, caller: Caller) -> None:
    text = legacy(ada)
    assert payload_of(text)["hash_password"]
    given = caller.refresh(text).json()
    assert "hash_password" not in payload_of(given["access"])
    assert TokenSession.objects.get().claims == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("wrong", [{"MAX_SIZE": 512}, {"CLAIMS": f"{__name__}.fail"}])
def test_what_fails_midway_uses_nothing_up(
    ada: User, caller: Caller, settings: "Settings", wrong: dict[str, Any]
) -> None:
    text = legacy(ada, much="x" * 300)
    settings.DRF_APIKIT = section(**wrong)
    assert caller.refresh(text).status_code == 500
    assert not TokenSession.objects.exists()
    settings.DRF_APIKIT = section()
    assert caller.refresh(text).status_code == 200


def fail(_user: User, _session: TokenSession) -> dict[str, Any]:
    raise LookupError


def test_users_may_be_known_by_another_field(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    settings.SIMPLE_JWT = {"USER_ID_FIELD": "username"}
    make_user(str(ada.pk))
    given = caller.refresh(legacy(ada, user_id="ada")).json()
    claims = payload_of(given["access"])
    assert (claims["sub"], claims["user_id"]) == (str(ada.pk), "ada")
    assert caller.call("GET", "/me/", given["access"]).json() == "ada"


def test_other_keys_are_refused(ada: User, caller: Caller) -> None:
    payload = StockRefreshToken.for_user(ada).payload
    text = jwt.encode(payload, "x" * 32, "HS256")
    assert caller.refresh(text).status_code == 401
    assert caller.refresh(str(StockAccessToken.for_user(ada))).status_code == 401
    assert caller.refresh(caller.tokens()["access"]).status_code == 401


HS256: Final = b'{"alg": "HS256"}'


def segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "a.b.c",
        "\u00e9.\u00e9.\u00e9",
        f"{segment(b'[' * 9000)}.e30.e30",
        f"e30.{segment(b'[' * 9000)}.e30",
        f"{segment(HS256)}.{segment(b'[' * 9000)}.AAAA",
        segment(b'{"alg": "none"}') + ".e30.",
        segment(b'{"alg": ["HS256"]}') + ".e30.AAAA",
        segment(b'{"alg": "HS256", "kid": {}}') + ".e30.AAAA",
    ],
    ids=["dots", "letters", "accents", "deep", "deep2", "deep3", "none", "list", "kid"],
)
def test_what_is_no_token_is_refused(caller: Caller, text: str) -> None:
    for where in ("refresh/", "blacklist/"):
        assert caller.post(where, {"refresh": text}).status_code == 401


def test_without_a_key_nothing_is_used_up(
    ada: User, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeysUnavailableError("us", 7, "none")

    text = legacy(ada)
    with monkeypatch.context() as patch:
        patch.setattr(renewal, "current_ring", fail)
        assert caller.refresh(text).status_code == 503
    assert not TokenSession.objects.exists()
    assert caller.refresh(text).status_code == 200


def test_by_default_nobody_takes_them(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = SETTINGS
    text = legacy(ada)
    for where in ("refresh/", "blacklist/"):
        assert caller.post(where, {"refresh": text}).status_code == 401
    assert not TokenSession.objects.exists()


def test_a_token_of_an_ended_session_may_be_logged_out(
    ada: User, caller: Caller
) -> None:
    refresh = caller.tokens()["refresh"]
    long_ago = TokenSession.objects.get().created_at - timedelta(days=1)
    TokenSession.objects.update(expires_at=long_ago)
    assert caller.post("blacklist/", {"refresh": refresh}).status_code == 200
    again = caller.tokens()["refresh"]
    ada.set_password("another one")
    ada.save()
    assert caller.post("blacklist/", {"refresh": again}).status_code == 200
    assert caller.refresh(again).status_code == 401
    last = caller.obtain(password="another one").json()["refresh"]
    User.objects.update(is_active=False)
    assert caller.post("blacklist/", {"refresh": last}).status_code == 200
    User.objects.update(is_active=True)
    assert caller.refresh(last).status_code == 401
