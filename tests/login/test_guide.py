"""The guide to the login: who follows it to the letter has one."""

import re
import runpy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from django.template import engines
from django.test import Client, RequestFactory

from tests.login.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.login.website import MIDDLEWARE, Browser, open_website
from tests.login.website import urlpatterns as website

pytestmark = pytest.mark.django_db

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "how-to" / "log-people-in.md"
BLOCK: Final = re.compile(r"<!-- test: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
OURS: Final = "https://id.shop.example"


def blocks() -> Mapping[str, str]:
    return dict(BLOCK.findall(PAGE.read_text("utf-8")))


def run(name: str, **names: Any) -> dict[str, Any]:
    """Run a block as part of a file that has these names."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "block.py"
        file.write_text(blocks()[name], "utf-8")
        return runpy.run_path(str(file), names)


@pytest.fixture
def browser(provider: Provider, settings: Any, monkeypatch: Any) -> Browser:
    browser = open_website(provider, settings, monkeypatch)
    monkeypatch.setenv("OIDC_RP_CLIENT_SECRET", CLIENT_SECRET)
    given = run("settings", INSTALLED_APPS=[], MIDDLEWARE=MIDDLEWARE[:-1])
    for setting, value in given.items():
        if setting.isupper() and setting != "INSTALLED_APPS":
            setattr(settings, setting, value)
    assert settings.DRF_APIKIT == {"LOGIN": {"ISSUER": OURS}}
    browser.option(ISSUER=provider.url, INSECURE_LOOPBACK_HTTP=True)
    provider.clients[settings.OIDC_RP_CLIENT_ID] = provider.clients[CLIENT_ID]
    provider.clients[settings.OIDC_RP_CLIENT_ID].client_id = settings.OIDC_RP_CLIENT_ID
    made = run("urls", urlpatterns=website[2:])
    urls = ModuleType("guide_urls")
    vars(urls)["urlpatterns"] = run("browsable", **made)["urlpatterns"]
    monkeypatch.setitem(sys.modules, "guide_urls", urls)
    settings.ROOT_URLCONF = "guide_urls"
    return browser


def test_who_follows_it_has_a_login(browser: Browser) -> None:
    assert browser.log_in(next="/who/")["Location"] == "/who/"
    assert browser.who() == "alice@example.com"
    browser.clock.now += 241
    assert browser.who() == "alice@example.com"
    assert browser.client.post("/oidc/logout/").status_code == 302
    assert browser.who() == "nobody"


def test_the_link_and_the_button_work(browser: Browser) -> None:
    request: Any = RequestFactory().get("/who/?a=b")
    template = engines["django"].from_string(blocks()["template"])
    page = template.render({}, request)
    assert 'href="/oidc/authenticate/?next=/who/%3Fa%3Db"' in page
    browser.log_in()
    request.user = browser.client.get("/who/").wsgi_request.user
    page = template.render({"user": request.user}, request)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    assert 'action="/oidc/logout/"' in page


def test_the_browsable_api_leads_to_the_provider(browser: Browser) -> None:
    page = browser.client.get("/api/", headers={"accept": "text/html"})
    assert "/api-auth/login/?next=/api/" in page.content.decode()
    redirect = Client().get("/api-auth/login/?next=/api/")
    assert redirect["Location"].startswith(browser.provider.url)


def test_a_rule_of_ones_own(browser: Browser, monkeypatch: Any) -> None:
    shop = ModuleType("guide_auth")
    vars(shop).update(run("backend"))
    monkeypatch.setitem(sys.modules, "guide_auth", shop)
    browser.settings.AUTHENTICATION_BACKENDS = ["guide_auth.ShopBackend"]
    answer = browser.finish(browser.answer_of(browser.begin()))
    assert answer.status_code == 403
    assert "claims_refused" in answer.content.decode()
    browser.provider.userinfo["tenants"] = ["shop"]
    browser.log_in()
    assert browser.who() == "alice@example.com"
