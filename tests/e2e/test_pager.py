"""The pager of the browsable API, in a real browser."""

from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.app.models import Article
from tests.e2e.browser import Browser

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.pagination.api"),
]
PAGER = ".apikit-pager"


@pytest.fixture
def browsable(live_server: LiveServer, settings: Settings) -> str:
    """Five articles, two on a page; gives the address of the list."""
    Article.objects.bulk_create(Article(title=f"article {n}") for n in range(5))
    # The browser resolves no names.
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    return f"{live_server.url}/browsable/".replace("localhost", "127.0.0.1")


def pager(browser: Browser) -> dict[str, Any]:
    """Give what of the pager can be followed, and what it says."""
    links = f"[...document.querySelectorAll('{PAGER} a[href]')].map(a => a.rel)"
    total = f"document.querySelector('{PAGER} .apikit-total').innerText.trim()"
    titles = "document.body.innerText.match(/article \\d/g)"
    return {
        "links": browser.evaluate(links),
        "total": browser.evaluate(total),
        "titles": browser.evaluate(titles),
    }


def test_to_the_end_and_back(browser: Browser, browsable: str) -> None:
    browser.open(browsable)
    # The header Link names all of them; a person sees where there is nothing.
    first = {"links": ["first", "next", "last"], "total": "5 in all"}
    assert pager(browser) == {**first, "titles": ["article 0", "article 1"]}
    browser.click(f"{PAGER} a[rel=next]")
    middle = {"links": ["first", "prev", "next", "last"], "total": "5 in all"}
    assert pager(browser) == {**middle, "titles": ["article 2", "article 3"]}
    browser.click(f"{PAGER} a[rel=last]")
    last = {"links": ["first", "prev", "last"], "total": "5 in all"}
    assert pager(browser) == {**last, "titles": ["article 3", "article 4"]}
    browser.click(f"{PAGER} a[rel=prev]")
    assert pager(browser)["titles"] == ["article 1", "article 2"]
    browser.click(f"{PAGER} a[rel=first]")
    assert browser.evaluate("location.search") == ""


def test_in_german(browser: Browser, browsable: str) -> None:
    browser.speak("de")
    browser.open(browsable)
    text = browser.evaluate(f"document.querySelector('{PAGER}').innerText")
    assert text.split() == ["Erste", "Zurück", "5", "insgesamt", "Weiter", "Letzte"]
    label = f"document.querySelector('{PAGER}').getAttribute('aria-label')"
    assert browser.evaluate(label) == "Seiten"
