"""The page about sessions says what ends them, and when."""

import re
import runpy
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from rest_framework.test import APIRequestFactory, force_authenticate

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_session, live_sessions
from drf_apikit.tokens.tokens import AccessToken
from tests.docs.pages import blocks_of, text_of
from tests.tokens.pitfall_site import PASSWORD, SETTINGS, Site

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.pitfall_site")]

PAGE: Final = text_of("how-to/let-users-see-their-sessions.md")
TABLE: Final = PAGE.partition("## What ends a session")[2].partition("\n\nWhat ends")[0]
ROWS: Final = dict(re.findall(r"^\| (.+) \| (.+) \|$", TABLE, re.MULTILINE)[1:])
REUSED: Final = "a refresh token is used again after `REUSE_GRACE`"
RULE: Final = "`USER_AUTHENTICATION_RULE` says no"
SAVED: Final = "`is_active` is False"
IDLE: Final = "`REFRESH_LIFETIME` (14 days) without a refresh"
OLD: Final = "`SESSION_LIFETIME` (90 days) after the login"


def nobody(_user: Any) -> bool:
    return False


def forget_password(site: Site, _text: str) -> None:
    User.objects.filter(pk=site.user.pk).update(password=make_password("another"))


def end(_site: Site, _text: str) -> None:
    assert end_session(TokenSession.objects.get().pk, Ending.REVOKED)


def use_again(site: Site, text: str) -> None:
    for _ in range(2):
        site.refresh(text)


def deactivate(site: Site, _text: str) -> None:
    site.user.is_active = False
    site.user.save()


def deactivate_silently(site: Site, _text: str) -> None:
    User.objects.filter(pk=site.user.pk).update(is_active=False)


AT_ONCE: Final[Mapping[str, Callable[[Site, str], object]]] = {
    "the app logs out": Site.log_out,
    "the user, or an administrator, ends it": end,
    REUSED: use_again,
    SAVED: deactivate,
    "the user is deleted": lambda site, _: site.user.delete(),
}
AT_THE_NEXT_REFRESH: Final[Mapping[str, Callable[[Site, str], object]]] = {
    "another password, however it was set": forget_password,
    SAVED: deactivate_silently,
    RULE: lambda *_: None,
}


@pytest.fixture
def site(settings: Any) -> Site:
    tokens = {**SETTINGS["TOKENS"], "REUSE_GRACE": 0}
    settings.DRF_APIKIT = {**SETTINGS, "TOKENS": tokens}
    return Site()


def test_each_row_is_tried() -> None:
    assert ROWS.keys() == AT_ONCE.keys() | AT_THE_NEXT_REFRESH.keys() | {IDLE, OLD}
    assert {row for row in ROWS if "at once" in ROWS[row]} == set(AT_ONCE)
    assert {row for row in ROWS if "refresh" in ROWS[row]} == set(AT_THE_NEXT_REFRESH)


@pytest.mark.parametrize("row", AT_ONCE)
def test_what_ends_a_session_at_once(site: Site, row: str) -> None:
    text = site.tokens()["refresh"]
    user = User.objects.get()
    assert live_sessions(user).count() == 1
    AT_ONCE[row](site, text)
    assert live_sessions(user).count() == 0


@pytest.mark.parametrize("row", AT_THE_NEXT_REFRESH)
def test_what_ends_a_session_at_the_next_refresh(
    site: Site, settings: Any, row: str
) -> None:
    text = site.tokens()["refresh"]
    if row == RULE:
        settings.SIMPLE_JWT = {"USER_AUTHENTICATION_RULE": f"{__name__}.nobody"}
    AT_THE_NEXT_REFRESH[row](site, text)
    assert live_sessions(site.user).count() == 1
    assert site.refresh(text).status_code == 401
    assert live_sessions(site.user).count() == 0


def test_who_changes_the_password_stays_logged_in(site: Site, tmp_path: Path) -> None:
    mine, other = site.tokens(), site.tokens()
    module = tmp_path / "passwords.py"
    module.write_text(blocks_of("how-to/let-users-see-their-sessions.md")["keep"])
    view = runpy.run_path(str(module))["PasswordView"].as_view()

    def change(old: str) -> int:
        sent = {"old": old, "new": "another one"}
        request = APIRequestFactory().post("/", sent, format="json")
        token: Any = AccessToken(mine["access"])
        force_authenticate(request, site.user, token)
        status: int = view(request).status_code
        return status

    assert change("a guess") == 403
    assert change(PASSWORD) == 204
    assert site.refresh(other["refresh"]).status_code == 401
    assert site.refresh(mine["refresh"]).status_code == 200


def test_the_lives_are_those_of_the_page(site: Site) -> None:
    site.tokens()
    session = TokenSession.objects.get()
    assert session.expires_at - session.created_at == timedelta(days=14)
    assert session.ends_at - session.created_at == timedelta(days=90)
