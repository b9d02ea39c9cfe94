"""The views of tokens: what is answered to whom, and never an error of the server."""

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError
from django.test import override_settings
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework_simplejwt.tokens import RefreshToken as StockRefreshToken
from rest_framework_simplejwt.views import TokenViewBase as StockViewBase

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens import renewal, serializers, tokens, views
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_session
from tests.tokens.facade import (
    HANDLERS,
    ISSUER,
    PASSWORD,
    SETTINGS,
    Caller,
    make_user,
    payload_of,
)

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.facade")]


@pytest.fixture(autouse=True, params=list(HANDLERS.values()), ids=list(HANDLERS))
def handler(request: pytest.FixtureRequest, settings: "Settings") -> str:
    path: str = request.param
    settings.DRF_APIKIT = SETTINGS
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": path}
    return path


@pytest.fixture
def ada() -> User:
    return make_user()


@pytest.fixture
def caller() -> Caller:
    return Caller()


def session_of(user: User) -> TokenSession:
    return TokenSession.objects.get(user=user)


def tokens_settings(**more: Any) -> dict[str, Any]:
    return {**SETTINGS, "TOKENS": {**SETTINGS["TOKENS"], **more}}


def is_problem(answer: Any, handler: str, kind: str) -> bool:
    """Ask for the type with our handler; DRF's own has none."""
    assert answer["Cache-Control"] == "no-store"
    if handler == HANDLERS["ours"]:
        assert answer["Content-Type"].startswith("application/problem+json")
        return str(json.loads(answer.content)["type"]).endswith(f"/{kind}")
    return bool(answer["Content-Type"].startswith("application/json"))


# Logging in.


@pytest.mark.compliance("RFC 6749", "5.1")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_login_gives_a_pair(ada: User, caller: Caller) -> None:
    answer = caller.obtain()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    given = answer.json()
    assert list(given) == ["refresh", "access", "token_type", "expires_in"]
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 300)
    assert given["refresh"].startswith("akr1_")
    assert caller.call("GET", "/me/", given["access"]).json() == "ada"
    session = TokenSession.objects.get()
    claims = payload_of(given["access"])
    assert claims["sub"] == str(ada.pk)
    assert claims["sid"] == str(session.pk)
    assert claims["client_id"] == session.client_id == "first-party"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_refresh_gives_the_next_pair(ada: User, caller: Caller) -> None:
    first = caller.tokens()
    answer = caller.refresh(first["refresh"])
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    second = answer.json()
    assert list(second) == list(first)
    assert second["refresh"] != first["refresh"]
    assert payload_of(second["access"])["sid"] == payload_of(first["access"])["sid"]
    assert caller.call("GET", "/me/", second["access"]).json() == ada.username
    assert TokenSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_token_that_was_just_used_is_a_conflict(
    ada: User, caller: Caller, handler: str
) -> None:
    first = caller.tokens()["refresh"]
    second = caller.refresh(first).json()["refresh"]
    answer = caller.refresh(first)
    assert answer.status_code == 409
    assert is_problem(answer, handler, "refresh-token-used")
    assert caller.refresh(second).status_code == 200
    assert session_of(ada).ended_at is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_reuse_ends_the_session(
    ada: User, caller: Caller, handler: str, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = tokens_settings(REUSE_GRACE=0)
    first = caller.tokens()["refresh"]
    second = caller.refresh(first).json()["refresh"]
    third = caller.refresh(second).json()["refresh"]
    for text in (first, third):
        answer = caller.refresh(text)
        assert answer.status_code == 401
        assert is_problem(answer, handler, "refresh-token-refused")
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert session_of(ada).end_reason == Ending.REUSE


def test_who_comes_at_once_gets_the_same_successor_by_choice(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = tokens_settings(REPEAT_SUCCESSOR=True)
    first = caller.tokens()["refresh"]
    answers = [caller.refresh(first).json() for _ in range(2)]
    assert answers[0]["refresh"] == answers[1]["refresh"]
    assert caller.call("GET", "/me/", answers[1]["access"]).json() == ada.username


@pytest.mark.parametrize(
    "sent",
    [{"password": "wrong"}, {"username": "eve"}, {"password": f"{PASSWORD} "}],
    ids=["password", "name", "a blank more"],
)
@pytest.mark.usefixtures("ada")
def test_wrong_words_are_refused(
    caller: Caller, handler: str, sent: dict[str, str]
) -> None:
    answer = caller.obtain(**sent)
    assert answer.status_code == 401
    assert is_problem(answer, handler, "invalid-credentials")
    assert not TokenSession.objects.exists()


def test_who_is_not_active_is_refused(ada: User, caller: Caller) -> None:
    refresh = caller.tokens()["refresh"]
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert caller.obtain().status_code == 401
    assert caller.refresh(refresh).status_code == 401


def test_another_password_ends_the_session(ada: User, caller: Caller) -> None:
    refresh = caller.tokens()["refresh"]
    ada.set_password("another one")
    ada.save()
    assert caller.refresh(refresh).status_code == 401


def test_a_better_hash_of_the_same_password_ends_no_session(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    given = caller.tokens()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    caller.tokens()
    before, ada.password = ada.password, User.objects.get(pk=ada.pk).password
    assert ada.password.startswith("pbkdf2_sha256$")
    assert before != ada.password
    assert caller.refresh(given["refresh"]).status_code == 200


def test_the_last_login_is_kept_by_choice(ada: User, caller: Caller) -> None:
    caller.tokens()
    ada.refresh_from_db()
    assert ada.last_login is None
    with override_settings(SIMPLE_JWT={"UPDATE_LAST_LOGIN": True}):
        caller.tokens()
    ada.refresh_from_db()
    assert ada.last_login is not None


# Clients and scopes.

CLIENTS: Mapping[str, Any] = {
    "phone": {"SCOPES": ["read", "write"], "ACCESS_LIFETIME": 60},
    "kiosk": {},
}


@pytest.fixture
def clients(settings: "Settings") -> None:
    settings.DRF_APIKIT = tokens_settings(CLIENTS=CLIENTS, SCOPES=["read"])


@pytest.mark.compliance("RFC 6749", "3.3")
@pytest.mark.usefixtures("ada", "clients")
@pytest.mark.parametrize(
    ("sent", "client", "scope", "seconds"),
    [
        ({}, "phone", "read write", 60),
        ({"client_id": "kiosk"}, "kiosk", "read", 300),
        ({"client_id": "phone", "scope": "write"}, "phone", "write", 60),
        ({"client_id": "phone", "scope": ""}, "phone", None, 60),
    ],
    ids=["the first one", "the other one", "a part", "none"],
)
def test_a_client_gets_what_it_may_have(
    caller: Caller, sent: dict[str, str], client: str, scope: str, seconds: int
) -> None:
    first = caller.tokens(**sent)
    for given in (first, caller.refresh(first["refresh"]).json()):
        claims = payload_of(given["access"])
        assert (claims["client_id"], claims.get("scope")) == (client, scope)
        assert claims["exp"] - claims["iat"] == given["expires_in"] == seconds
        assert given.get("scope") == scope


@pytest.mark.usefixtures("ada", "clients")
@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"client_id": "fridge"}, "client_id"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": ["phone"]}, "client_id"),
        ({"client_id": "kiosk", "scope": "read write"}, "scope"),
        ({"scope": "read\u00a0admin"}, "scope"),
        ({"scope": ["read"]}, "scope"),
    ],
    ids=str,
)
def test_what_no_client_may_have_is_an_error_of_the_field(
    caller: Caller, handler: str, sent: dict[str, Any], field: str
) -> None:
    answer = caller.obtain(**sent)
    assert answer.status_code == 400
    assert is_problem(answer, handler, "validation-error")
    assert field in answer.content.decode()
    assert not TokenSession.objects.exists()


@pytest.mark.usefixtures("ada")
def test_live_sessions_lose_what_the_settings_take_away(
    caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = tokens_settings(CLIENTS=CLIENTS)
    refresh = caller.tokens()["refresh"]
    fewer = {"phone": {"SCOPES": ["read", "more"]}}
    settings.DRF_APIKIT = tokens_settings(CLIENTS=fewer)
    given = caller.refresh(refresh).json()
    assert given["scope"] == "read"
    settings.DRF_APIKIT = tokens_settings(CLIENTS={"kiosk": {}})
    assert caller.refresh(given["refresh"]).status_code == 401


# Logging out and looking.


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_logout_ends_the_session(ada: User, caller: Caller, handler: str) -> None:
    refresh = caller.tokens()["refresh"]
    answer = caller.post("blacklist/", {"refresh": refresh})
    assert (answer.status_code, answer.json()) == (200, {})
    assert session_of(ada).end_reason == Ending.LOGOUT
    refused = caller.refresh(refresh)
    assert refused.status_code == 401
    assert is_problem(refused, handler, "refresh-token-refused")


def test_a_logout_may_be_sent_again(ada: User, caller: Caller) -> None:
    refresh = caller.tokens()["refresh"]
    for _ in range(2):
        assert caller.post("blacklist/", {"refresh": refresh}).status_code == 200
    assert session_of(ada).end_reason == Ending.LOGOUT


def test_a_logout_with_the_token_before_is_one(ada: User, caller: Caller) -> None:
    first = caller.tokens()["refresh"]
    second = caller.refresh(first).json()["refresh"]
    assert caller.post("blacklist/", {"refresh": first}).status_code == 200
    assert session_of(ada).end_reason == Ending.LOGOUT
    assert caller.refresh(second).status_code == 401


@pytest.mark.usefixtures("ada")
def test_a_logout_with_what_is_no_token_is_refused(
    caller: Caller, handler: str
) -> None:
    answer = caller.post("blacklist/", {"refresh": caller.tokens()["access"]})
    assert answer.status_code == 401
    assert is_problem(answer, handler, "refresh-token-refused")


@pytest.mark.parametrize("name", ["access", "refresh"])
@pytest.mark.usefixtures("ada")
def test_a_good_token_is_verified_and_not_used_up(caller: Caller, name: str) -> None:
    given = caller.tokens()
    for _ in range(2):
        answer = caller.post("verify/", {"token": given[name]})
        assert (answer.status_code, answer.json()) == (200, {})
    assert caller.refresh(given["refresh"]).status_code == 200


@pytest.mark.usefixtures("ada")
def test_a_bad_token_is_told(caller: Caller, handler: str) -> None:
    given = caller.tokens()
    answer = caller.post("verify/", {"token": f"{given['access'][:-4]}AAAA"})
    assert answer.status_code == 401
    assert is_problem(answer, handler, "invalid-token")
    end_session(TokenSession.objects.get().pk, Ending.REVOKED)
    answer = caller.post("verify/", {"token": given["refresh"]})
    assert answer.status_code == 401
    assert is_problem(answer, handler, "refresh-token-refused")


@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.usefixtures("ada")
def test_no_token_passes_for_the_other_kind(caller: Caller) -> None:
    given = caller.tokens()
    assert caller.refresh(given["access"]).status_code == 401
    assert caller.call("GET", "/me/", given["refresh"]).status_code == 401


# Hostile input.

FIELDS = [
    ("", {"username": "ada", "password": PASSWORD}, "username"),
    ("", {"username": "ada", "password": PASSWORD}, "password"),
    ("", {"username": "ada", "password": PASSWORD}, "client_id"),
    ("", {"username": "ada", "password": PASSWORD}, "scope"),
    ("refresh/", {}, "refresh"),
    ("blacklist/", {}, "refresh"),
    ("verify/", {}, "token"),
]
ODD: Mapping[str, Any] = {
    "NUL": "a\0b",
    "surrogate": "\ud800",
    "long": "x" * 2**20,
    "list": ["a"],
    "object": {"a": "b"},
    "null": None,
    "true": True,
    "number": 10**30,
    "float": 1e300,
    "dots": "." * 5000,
    "almost": "akr1_" + "A" * 86,
    "almost a JWT": "e30.e30.e30",
    "letters": "akr1_" + "é" * 86,
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
@pytest.mark.usefixtures("ada")
def test_odd_values_are_refused(caller: Caller, value: Any) -> None:
    for where, sent, field in FIELDS:
        body = json.dumps({**sent, field: value}).encode()
        answer = caller.raw(where, body, "application/json")
        assert 400 <= answer.status_code < 500, (where, field)
    assert not TokenSession.objects.exists()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "name", ["a\0b", "\ud800", "\U0001d49cda", "ada'--", "x" * 4096], ids=ascii
)
def test_no_database_stumbles_over_a_name(caller: Caller, name: str) -> None:
    body = json.dumps({"username": name, "password": PASSWORD}).encode()
    answer = caller.raw("", body, "application/json")
    assert answer.status_code in {400, 401}


BODIES: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "no JSON": (b"{", "application/json"),
    "text": (b'"akr1_"', "application/json"),
    "list": (b"[]", "application/json"),
    "null": (b"null", "application/json"),
    "deep": (b"[" * 10**6, "application/json"),
    "twice": (b'{"refresh": "a", "refresh": "b"}', "application/json"),
    "not a number": (b'{"refresh": NaN}', "application/json"),
    "no UTF-8": (b'{"refresh": "\xff"}', "application/json"),
    "charset": (b"{}", "application/json; charset=zlib"),
    "XML": (b"<refresh/>", "application/xml"),
    "no type": (b"{}", ""),
    "form": (b"refresh=a&refresh=b", "application/x-www-form-urlencoded"),
    "parts": (b"--x\r\n", "multipart/form-data; boundary=x"),
    "no boundary": (b"--x\r\n", "multipart/form-data"),
}


@pytest.mark.compliance("RFC 6749", "3.2")
@pytest.mark.parametrize(("body", "kind"), BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("parsers", ["JSON", "all"])
def test_odd_bodies_are_refused(
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    kind: str,
    parsers: str,
) -> None:
    if parsers == "all":
        every = (JSONParser, FormParser, MultiPartParser)
        monkeypatch.setattr(StockViewBase, "parser_classes", every)
    for where in ("", "refresh/", "blacklist/", "verify/"):
        answer = caller.raw(where, body, kind)
        assert 400 <= answer.status_code < 500, where
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("ada")
def test_a_form_will_do(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StockViewBase, "parser_classes", (FormParser,))
    sent = urlencode({"username": "ada", "password": PASSWORD}).encode()
    answer = caller.raw("", sent, "application/x-www-form-urlencoded")
    assert answer.status_code == 200


def test_large_bodies_are_refused_where_django_says_so(
    caller: Caller, settings: "Settings"
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = json.dumps({"refresh": "a" * 1000}).encode()
    answer = caller.raw("refresh/", body, "application/json")
    assert 400 <= answer.status_code < 500


# The database, and keys.


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Break what a healthy database and a healthy ring never do."""

    def put(error: Exception) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise error

        for module, name in (
            (renewal, "rotate"),
            (renewal, "end_session"),
            (serializers, "find_session"),
            (tokens, "open_session"),
        ):
            monkeypatch.setattr(module, name, fail)

    return put


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (OperationalError("could not connect"), "1"),
        (OperationalError(1213, "Deadlock found"), "1"),
        (KeysUnavailableError(ISSUER, 7, "none"), "7"),
    ],
    ids=["outage", "contention", "keys"],
)
@pytest.mark.usefixtures("ada")
def test_what_cannot_be_done_now_may_be_done_later(
    caller: Caller,
    handler: str,
    fault: Callable[[Exception], None],
    error: Exception,
    seconds: str,
) -> None:
    refresh = caller.tokens()["refresh"]
    fault(error)
    answers = [
        caller.obtain(),
        caller.refresh(refresh),
        caller.post("blacklist/", {"refresh": refresh}),
        caller.post("verify/", {"token": refresh}),
    ]
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, seconds)
        assert is_problem(answer, handler, "tokens-unavailable")


@pytest.mark.usefixtures("ada")
def test_a_mistake_is_not_hidden(
    caller: Caller, fault: Callable[[Exception], None]
) -> None:
    refresh = caller.tokens()["refresh"]
    fault(ProgrammingError("no such table"))
    assert caller.refresh(refresh).status_code == 500


@pytest.mark.usefixtures("ada")
def test_no_refresh_token_is_used_up_by_an_access_token_that_cannot_be_made(
    caller: Caller, settings: "Settings", caplog: pytest.LogCaptureFixture
) -> None:
    refresh = caller.tokens()["refresh"]
    large = "tests.tokens.test_views.large_claims"
    settings.DRF_APIKIT = tokens_settings(CLAIMS=large, MAX_SIZE=512)
    answer = caller.refresh(refresh)
    assert answer.status_code == 500
    assert "roles: 502" in caplog.text
    assert "xxxx" not in caplog.text
    settings.DRF_APIKIT = SETTINGS
    assert caller.refresh(refresh).status_code == 200


def large_claims(_user: User, _session: TokenSession) -> dict[str, Any]:
    return {"roles": "x" * 500}


# Projects of simplejwt.


class NamedSerializer(serializers.TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        token["name"] = user.get_username()
        return token

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        return {**super().validate(attrs), "hello": str(self.user)}


class EarlySerializer(serializers.TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        str(token)
        return token


class StockSerializer(serializers.TokenObtainPairSerializer):
    token_class = StockRefreshToken


class NamedView(views.TokenObtainPairView):
    serializer_class = NamedSerializer


def test_claims_of_a_project_are_in_each_access_token(
    ada: User, caller: Caller, settings: "Settings"
) -> None:
    named = f"{__name__}.NamedSerializer"
    settings.SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": named}
    first = caller.tokens()
    assert first["hello"] == str(ada)
    second = caller.refresh(first["refresh"]).json()
    third = caller.refresh(second["refresh"]).json()
    for given in (first, second, third):
        assert payload_of(given["access"])["name"] == "ada"


def test_a_view_may_name_its_serializer() -> None:
    assert NamedView().get_serializer_class() is NamedSerializer


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"{__name__}.StockSerializer", "get_token() gives a rest_framework_simplejwt"),
        (f"{__name__}.EarlySerializer", "a token that is not written yet"),
        ("rest_framework.serializers.Serializer", "it must build on drf_apikit.tokens"),
    ],
    ids=["stock tokens", "too early", "something else"],
)
def test_what_would_give_out_other_tokens_is_a_fault_of_the_project(
    caller: Caller, settings: "Settings", path: str, says: str
) -> None:
    settings.SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": path}
    caller.client.raise_request_exception = True
    with pytest.raises(ImproperlyConfigured, match=re.escape(says)):
        caller.obtain()


@pytest.mark.usefixtures("ada")
def test_without_an_issuer_nothing_is_given_out(
    caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = {}
    caller.client.raise_request_exception = True
    with pytest.raises(ImproperlyConfigured, match="is not set"):
        caller.obtain()
    assert not TokenSession.objects.exists()
