import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.login.provider import Provider
from tests.login.website import Browser, open_website

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


def page_of(browser: Browser) -> str:
    answer = browser.client.get("/api/", headers={"accept": "text/html"})
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def test_the_browsable_api_has_a_login_and_a_logout(browser: Browser) -> None:
    browser.client = Client(enforce_csrf_checks=True)
    link = re.search(r"href='([^']+)'>Log in<", page_of(browser))
    assert link is not None
    redirect = browser.client.get(unescape(link[1]))
    assert redirect["Location"].startswith(browser.provider.url)
    answer = browser.finish(browser.answer_of(redirect))
    assert answer["Location"] == "/api/"

    page = page_of(browser)
    form = re.search(r'method="post" action="([^"]*logout[^"]*)"', page)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert form is not None
    assert token is not None
    assert browser.client.post(unescape(form[1])).status_code == 403
    posted = {"csrfmiddlewaretoken": token[1]}
    answer = browser.client.post(unescape(form[1]), posted)
    assert answer["Location"].startswith(browser.provider.url)
    assert "Log in" in page_of(browser)


def test_the_links_say_next_whatever_the_setting_says(browser: Browser) -> None:
    browser.settings.OIDC_REDIRECT_FIELD_NAME = "goto"
    browser.option(LOGOUT_AT_PROVIDER=False)
    redirect = browser.client.get("/api-auth/login/?next=/api/&goto=/who/")
    assert browser.finish(browser.answer_of(redirect))["Location"] == "/api/"
    answer = browser.client.post("/api-auth/logout/?next=/api/&goto=/who/")
    assert answer["Location"] == "/api/"
