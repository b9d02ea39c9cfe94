"""Nobody gets in, nothing breaks and nothing leaks, whatever is tried on a login.

`test_attacks_found.py` shows that the same judgement finds what is left open.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from tests.login.answers import as_refusal
from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS, DISCOVERIES, by
from tests.login.provider import DISCOVERY, JWKS, TOKEN, USERINFO

pytestmark = pytest.mark.django_db

EVIL = [
    "https://evil.test/",
    "//evil.test/",
    "///evil.test/",
    "/\\evil.test/",
    "\\\\evil.test/",
    "http:evil.test",
    "http:///evil.test",
    "http://testserver@evil.test/",
    "http://testserver.evil.test/",
    " //evil.test/",
    "\t//evil.test/",
    "/\t/evil.test/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/ok\r\nLocation: https://evil.test/",
]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_lets_nobody_in(stage: Stage, name: str) -> None:
    nobody_is_let_in(stage, ATTACKS[name](stage))


@pytest.mark.parametrize("name", DISCOVERIES)
def test_a_provider_that_cannot_be_found_lets_nobody_in(
    stage: Stage, name: str
) -> None:
    nobody_is_let_in(stage, by(DISCOVERIES[name])(stage))


@pytest.mark.parametrize("path", [DISCOVERY, JWKS, TOKEN, USERINFO])
def test_a_provider_that_hangs_is_not_waited_for(
    stage: Stage, login_settings: Any, path: str
) -> None:
    login_settings.OIDC_TIMEOUT = 1
    apikit = login_settings.DRF_APIKIT
    login_settings.DRF_APIKIT = {**apikit, "AUTHENTICATION": {"FETCH_TIMEOUT": 1}}
    held = stage.provider.hold(path)
    response = stage.login()
    assert held.asked.is_set()
    nobody_is_let_in(stage, response)
    assert response.status_code == 503


def test_a_good_login(stage: Stage) -> None:
    response = stage.login("/who/")
    assert (response.status_code, response["Location"]) == (302, "/who/")
    assert user_of(stage.client)


@pytest.mark.parametrize("url", EVIL)
def test_a_login_ends_here_wherever_it_is_to_end(stage: Stage, url: str) -> None:
    response = stage.login(url)
    assert (response.status_code, response["Location"]) == (302, "/")


def test_a_forged_answer_changes_nothing_for_who_is_logged_in(stage: Stage) -> None:
    stage.login()
    before = user_of(stage.client)
    stage.provider.subject = "mallory"
    mine = stage.asked(client=Client())
    assert stage.finish(mine).status_code == 400
    forged = "http://testserver/oidc/callback/?error=access_denied&state=unknown"
    assert stage.finish(forged).status_code == 400
    assert user_of(stage.client) == before


def test_a_session_that_was_planted_is_worth_nothing(stage: Stage) -> None:
    stage.begin()
    planted = stage.client.cookies["sessionid"].value
    stage.finish(stage.asked())
    assert user_of(stage.client)
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert user_of(thief) == ""


@pytest.mark.parametrize("is_verified", [True, False, "true", None])
def test_an_address_makes_nobody_somebody_else(
    stage: Stage, is_verified: object
) -> None:
    users: Any = get_user_model().objects
    users.create_superuser("admin", "admin@example.com")
    stage.provider.userinfo = {
        "email": "admin@example.com",
        "email_verified": is_verified,
        "preferred_username": "admin",
    }
    stage.login()
    assert user_of(stage.client) != "admin"


@pytest.mark.parametrize("path", [JWKS, TOKEN, USERINFO])
def test_a_provider_that_hangs_halfway_is_not_waited_for(
    stage: Stage, login_settings: Any, path: str
) -> None:
    login_settings.OIDC_TIMEOUT = 1
    apikit = login_settings.DRF_APIKIT
    login_settings.DRF_APIKIT = {**apikit, "AUTHENTICATION": {"FETCH_TIMEOUT": 1}}
    gone = threading.Event()

    def half(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        handler.wfile.flush()
        assert gone.wait(60)

    stage.provider.answers[path] = half
    response = stage.login()
    gone.set()
    nobody_is_let_in(stage, response)
    assert response.status_code == 503


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("an ID token of another client", 400),
        ("an answer with another state", 400),
        ("an answer with error access_denied", 403),
        ("a /token that dies", 503),
        ("discovery dies", 503),
    ],
)
def test_a_program_is_told_in_a_problem_document(
    stage: Stage, name: str, status: int
) -> None:
    stage.client.defaults["HTTP_ACCEPT"] = "application/json"
    attack = ATTACKS.get(name) or by(DISCOVERIES[name])
    response = attack(stage)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert ("Retry-After" in response) == (status == 503)
    nobody_is_let_in(stage, response)


def test_no_line_of_the_log_is_the_providers(stage: Stage) -> None:
    forged = "x\nINFO forged\r\x1b[31m\u2028INFO forged"
    answer = as_refusal(400, "invalid_grant", error_description=forged)
    stage.provider.answers[TOKEN] = answer
    nobody_is_let_in(stage, stage.login())
    lines = stage.log.text.splitlines()
    assert not [line for line in lines if line.startswith("INFO forged")]
    assert "\x1b" not in stage.log.text


def test_who_may_not_log_in_any_more_is_not_let_in(stage: Stage) -> None:
    stage.login()
    get_user_model().objects.update(is_active=False)
    stage.client.logout()
    response = stage.login()
    nobody_is_let_in(stage, response)
    assert response.status_code == 403


def test_the_next_person_gets_nothing_of_the_first_one(stage: Stage) -> None:
    stage.login()
    first, session = user_of(stage.client), stage.client.session
    session["basket"] = ["apple"]
    session.save()
    stage.provider.subject = "bob"
    stage.login()
    assert user_of(stage.client) not in {first, ""}
    assert "basket" not in stage.client.session


def name_of_an_administrator(_email: str, _claims: object) -> str:
    return "admin"


def test_a_name_makes_nobody_somebody_else(stage: Stage, login_settings: Any) -> None:
    login_settings.OIDC_USERNAME_ALGO = f"{__name__}.name_of_an_administrator"
    users: Any = get_user_model().objects
    users.create_superuser("admin", "root@example.com")
    nobody_is_let_in(stage, stage.login())


def test_no_page_elsewhere_logs_anybody_out(stage: Stage) -> None:
    stage.client = Client(enforce_csrf_checks=True)
    stage.login()
    assert stage.client.post("/oidc/logout/").status_code == 403
    assert stage.client.get("/oidc/logout/").status_code == 405
    assert user_of(stage.client)


@pytest.mark.parametrize("url", EVIL)
@pytest.mark.parametrize("at_provider", [True, False])
def test_a_logout_ends_here_wherever_it_is_to_end(
    stage: Stage, login_settings: Any, url: str, at_provider: bool
) -> None:
    apikit = login_settings.DRF_APIKIT
    login = {**apikit["LOGIN"], "LOGOUT_AT_PROVIDER": at_provider}
    login_settings.DRF_APIKIT = {**apikit, "LOGIN": login}
    login_settings.LOGOUT_REDIRECT_URL = "/"
    stage.login()
    location = stage.client.post("/oidc/logout/", {"next": url})["Location"]
    assert "evil" not in location
    assert (location == "/") is not at_provider


def test_one_answer_that_comes_many_times_at_once_works_once(
    stage: Stage, transactional_db: None
) -> None:
    assert transactional_db is None
    callback = stage.asked()
    cookies = stage.client.cookies

    def come(_: int) -> int:
        client = Client(raise_request_exception=False)
        client.cookies = cookies
        url = urlsplit(callback)
        try:
            return client.get(f"{url.path}?{url.query}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(come, range(4)))
    assert statuses == [302, 400, 400, 400]
    assert stage.provider.count(TOKEN) == 1
