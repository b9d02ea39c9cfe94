"""Nobody gets in, nothing breaks and nothing leaks, whatever is tried on a login.

`test_attacks_found.py` shows that the same judgement finds what is left open.
"""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

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
