"""Where a user is logged in: seen and ended by that user alone."""

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.urls import include, path
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
)
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from rest_framework_simplejwt.settings import api_settings

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.testing import InMemoryIssuer
from drf_apikit.tokens import views
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.tokens import AccessToken, RefreshToken
from drf_apikit.tokens.views import SessionViewSet
from tests.tokens.facade import (
    HANDLERS,
    PASSWORD,
    SETTINGS,
    Caller,
    make_user,
    payload_of,
)
from tests.tokens.facade import urlpatterns as facade

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

PROVIDER = InMemoryIssuer()
SESSIONS = "/api/token/sessions/"


class KeyAuthentication(BaseAuthentication):
    """Some other way in."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        name = request.headers.get("X-Key")
        return (User.objects.get(username=name), object()) if name else None


class Ways(SessionViewSet):
    authentication_classes = (
        JWTBearerAuthentication,
        SessionAuthentication,
        BasicAuthentication,
        KeyAuthentication,
    )


class Stock(SessionViewSet):
    authentication_classes = (JWTAuthentication,)


class Mixed(SessionViewSet):
    authentication_classes = (SessionAuthentication, JWTBearerAuthentication)


class Stateless(SessionViewSet):
    authentication_classes = (JWTStatelessUserAuthentication,)


router = SimpleRouter()
router.register("ways", Ways, "ways")
router.register("mixed", Mixed, "mixed")
router.register("stock", Stock, "stock")
router.register("stateless", Stateless, "stateless")
urlpatterns = [*facade, path("", include(router.urls))]


@pytest.fixture(autouse=True)
def _issuer(settings: "Settings") -> None:
    issuers = SETTINGS["AUTHENTICATION"]["ISSUERS"]
    both = {**issuers, PROVIDER.issuer: {**PROVIDER.settings, "USERS": "local"}}
    settings.DRF_APIKIT = {**SETTINGS, "AUTHENTICATION": {"ISSUERS": both}}


@pytest.fixture(params=list(HANDLERS.values()), ids=list(HANDLERS))
def handler(request: pytest.FixtureRequest, settings: "Settings") -> str:
    given: str = request.param
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": given}
    return given


@pytest.fixture
def ada() -> User:
    return make_user()


@pytest.fixture
def caller() -> Caller:
    return Caller()


def listed(answer: Any) -> list[dict[str, Any]]:
    """Give the list, which has no pages, whatever the project's paginator."""
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    found: list[dict[str, Any]] = json.loads(answer.content)
    return found


def sid(given: dict[str, Any]) -> str:
    return str(payload_of(given["access"])["sid"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere", "ada")
def test_users_see_their_live_sessions(caller: Caller) -> None:
    first, second = caller.tokens(), caller.tokens()
    make_user("eve")
    caller.tokens(username="eve")
    ended = caller.tokens()
    caller.post("blacklist/", {"refresh": ended["refresh"]})
    found = listed(caller.call("GET", SESSIONS, first["access"]))
    names = "id client_id created_at refreshed_at expires_at user_agent current"
    assert [list(one) for one in found] == [names.split()] * 2
    current = {one["id"]: one["current"] for one in found}
    assert current == {sid(second): False, sid(first): True}


def test_a_list_tells_one_from_another(ada: User, caller: Caller) -> None:
    caller.client.defaults["HTTP_USER_AGENT"] = "Phone\0\xff/1.0" + "x" * 1000
    given = caller.tokens()
    (one,) = listed(caller.call("GET", SESSIONS, given["access"]))
    assert one["user_agent"].startswith("Phone\xff/1.0xxx")
    assert len(one["user_agent"]) == 200
    assert one["client_id"] == "first-party"
    assert TokenSession.objects.get().user == ada


def test_a_list_has_an_end(
    ada: User, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_MOST", 2)
    given = [caller.tokens() for _ in range(3)]
    found = listed(caller.call("GET", SESSIONS, given[-1]["access"]))
    assert [one["id"] for one in found] == [sid(given[2]), sid(given[1])]
    assert caller.call("DELETE", SESSIONS, given[2]["access"]).status_code == 204
    assert caller.refresh(given[0]["refresh"]).status_code == 401
    assert ada.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere", "ada")
def test_users_end_one_of_their_sessions(caller: Caller) -> None:
    phone, laptop = caller.tokens(), caller.tokens()
    where = f"{SESSIONS}{sid(phone)}/"
    answer = caller.call("DELETE", where, laptop["access"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert caller.refresh(phone["refresh"]).status_code == 401
    assert caller.refresh(laptop["refresh"]).status_code == 200
    assert caller.call("DELETE", where, laptop["access"]).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere", "ada")
def test_users_end_all_but_the_one_that_asks(caller: Caller) -> None:
    mine, *others = (caller.tokens() for _ in range(3))
    make_user("eve")
    of_eve = caller.tokens(username="eve")
    assert caller.call("DELETE", SESSIONS, mine["access"]).status_code == 204
    for one in others:
        assert caller.refresh(one["refresh"]).status_code == 401
    for one in (mine, of_eve):
        assert caller.refresh(one["refresh"]).status_code == 200


@pytest.mark.usefixtures("ada")
def test_nobody_ends_sessions_of_others(caller: Caller, handler: str) -> None:
    given = caller.tokens()
    make_user("eve")
    eve = caller.tokens(username="eve")
    answer = caller.call("DELETE", f"{SESSIONS}{sid(given)}/", eve["access"])
    assert answer.status_code == 404
    assert ("problem" in answer["Content-Type"]) is (handler == HANDLERS["ours"])
    assert caller.call("DELETE", SESSIONS, eve["access"]).status_code == 204
    assert caller.refresh(given["refresh"]).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["7d0c1d5e-2f43-4a58-9b6e-3c1f0a9d8e27", "1", "%00", "x" * 5000, "é", " "],
)
@pytest.mark.parametrize("where", [SESSIONS, "/ways/"], ids=["path", "router"])
@pytest.mark.usefixtures("ada")
def test_what_is_no_session_is_not_found(caller: Caller, where: str, name: str) -> None:
    access = caller.tokens()["access"]
    answer = caller.call("DELETE", f"{where}{name}/", access)
    assert answer.status_code == 404


# Who may.


def test_without_a_token_there_is_nothing_to_see(caller: Caller, handler: str) -> None:
    for method, where in (
        ("GET", SESSIONS),
        ("DELETE", SESSIONS),
        ("DELETE", f"{SESSIONS}{uuid4()}/"),
    ):
        answer = caller.call(method, where, None)
        assert answer.status_code == 401
        assert ("problem" in answer["Content-Type"]) is (handler == HANDLERS["ours"])


def test_a_token_of_somebody_else_ends_no_session(ada: User, caller: Caller) -> None:
    given = caller.tokens()
    theirs = PROVIDER.signed_token(str(ada.pk), sid=sid(given))
    assert caller.call("GET", "/me/", theirs).json() == "ada"
    for method, where in (
        ("GET", SESSIONS),
        ("DELETE", SESSIONS),
        ("DELETE", f"{SESSIONS}{sid(given)}/"),
    ):
        assert caller.call(method, where, theirs).status_code == 403
    assert caller.refresh(given["refresh"]).status_code == 200


@pytest.mark.usefixtures("handler")
def test_a_token_whose_session_is_over_ends_no_other(ada: User, caller: Caller) -> None:
    stolen, mine = caller.tokens(), caller.tokens()
    where = f"{SESSIONS}{sid(stolen)}/"
    assert caller.call("DELETE", where, mine["access"]).status_code == 204
    assert caller.call("GET", "/me/", stolen["access"]).status_code == 200
    for method in ("GET", "DELETE"):
        answer = caller.call(method, SESSIONS, stolen["access"])
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        assert answer["Cache-Control"] == "no-store"
    assert caller.refresh(mine["refresh"]).status_code == 200
    ada.set_password("another one")
    ada.save()
    assert caller.call("DELETE", SESSIONS, mine["access"]).status_code == 401


def test_a_machine_has_no_sessions(ada: User, caller: Caller) -> None:
    theirs = PROVIDER.signed_token("robot", client_id="robot")
    assert caller.call("GET", SESSIONS, theirs).status_code == 403
    assert ada.pk


def test_a_browser_sees_and_ends_them(ada: User, caller: Caller) -> None:
    given = caller.tokens()
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(ada)
    (one,) = listed(browser.get("/ways/"))
    assert (one["id"], one["current"]) == (sid(given), False)
    assert browser.delete("/ways/").status_code == 403
    browser.handler.enforce_csrf_checks = False
    assert browser.delete("/ways/").status_code == 204
    assert caller.refresh(given["refresh"]).status_code == 401


def test_other_ways_in_are_not_enough(ada: User) -> None:
    client = APIClient()
    assert client.get("/ways/", headers={"X-Key": ada.username}).status_code == 403
    client.credentials(HTTP_AUTHORIZATION="Basic YWRhOng=")
    assert client.get("/ways/").status_code == 401


def test_a_password_with_each_request_is_no_session(ada: User) -> None:
    ada.set_password("x")
    ada.save()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Basic YWRhOng=")
    assert client.get("/ways/").status_code == 403
    assert PASSWORD


def test_tests_of_a_project_may_put_somebody_in(ada: User) -> None:
    client = APIClient()
    client.force_authenticate(ada)
    assert listed(client.get("/ways/")) == []
    over = RefreshToken.for_user(ada).access_token
    TokenSession.objects.all().delete()
    client.force_authenticate(ada, over)
    assert client.get("/ways/").status_code == 401


def test_simplejwt_s_own_authentication_will_do(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "AUTH_TOKEN_CLASSES", (AccessToken,))
    caller = Caller()
    access = str(RefreshToken.for_user(ada).access_token)
    (one,) = listed(caller.call("GET", "/stock/", access))
    assert one["current"] is True
    # It knows no user, only what the token says.
    assert caller.call("GET", "/stateless/", access).status_code == 403
    without = str(AccessToken.for_user(ada))
    (one,) = listed(caller.call("GET", "/stock/", without))
    assert one["current"] is False
    assert caller.call("DELETE", "/stock/", without).status_code == 204
    assert listed(caller.call("GET", "/stock/", without)) == []
    answer = caller.call("GET", "/stock/", access)
    assert answer.status_code == 401
    challenge = 'Bearer realm="api", error="invalid_token"'
    assert answer["WWW-Authenticate"] == challenge


def test_whoever_took_the_token_makes_the_challenge(ada: User) -> None:
    access = str(RefreshToken.for_user(ada).access_token)
    TokenSession.objects.all().delete()
    answer = Caller().call("GET", "/mixed/", access)
    assert answer.status_code == 401
    challenge = 'Bearer realm="api", error="invalid_token"'
    assert answer["WWW-Authenticate"] == challenge


def test_a_database_that_cannot_be_asked_is_for_later(
    ada: User, caller: Caller, handler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("could not connect")

    access = caller.tokens()["access"]
    for name in ("live_sessions", "end_session", "end_all"):
        monkeypatch.setattr(views, name, fail)
    for method, where in (
        ("GET", SESSIONS),
        ("DELETE", SESSIONS),
        ("DELETE", f"{SESSIONS}{uuid4()}/"),
    ):
        answer = caller.call(method, where, access)
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert ("problem" in answer["Content-Type"]) is (handler == HANDLERS["ours"])
    assert ada.pk
