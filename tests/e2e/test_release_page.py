"""The page that asks before a key is released, in a real browser."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from drf_apikit.models import IdempotencyRecord
from tests.e2e.browser import Browser
from tests.idempotency.records import new_record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("ledger.urls")]
LIST = "/admin/drf_apikit/idempotencyrecord/"


@pytest.fixture
def admin(
    live_server: LiveServer, settings: Settings, browser: Browser
) -> Iterator[str]:
    """Have one record, and the browser log in; gives the address of the list."""
    new_record().save()
    # The browser resolves no names.
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    origin = live_server.url.replace("localhost", "127.0.0.1")
    browser.send("Network.setCookie", url=origin, **cookie)
    yield f"{origin}{LIST}"
    browser.send("Network.clearBrowserCookies")


def test_a_person_releases_a_key(browser: Browser, admin: str) -> None:
    browser.open(admin)
    browser.evaluate("document.querySelector('.action-select').click()")
    browser.evaluate("document.querySelector('[name=action]').value = 'release'")
    browser.click("[name=index]")
    assert "may happen twice" in browser.text()
    # Nothing sticks out sideways.
    width = "document.documentElement.scrollWidth - innerWidth"
    assert browser.evaluate(width) <= 0
    # A label and its help belong to the field; the way back is a link.
    field = "document.querySelector('textarea')"
    assert browser.evaluate(f"{field}.labels[0].innerText") == "Reason:"
    described = f"{field}.getAttribute('aria-describedby')"
    help_text = f"document.getElementById({described}).innerText"
    assert "log of the admin" in browser.evaluate(help_text)
    assert browser.evaluate("document.querySelector('.closelink').pathname") == LIST
    browser.click("[type=submit].default")
    assert browser.evaluate("document.title").startswith("Error: ")
    browser.evaluate(f"{field}.value = 'The bank says no'")
    browser.click("[type=submit].default")
    assert "Released: 1." in browser.text()
    assert not IdempotencyRecord.objects.exists()
