from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import async_only_middleware

from tests.login import website
from tests.login.provider import Provider
from tests.login.website import MIDDLEWARE, Browser, open_website

pytestmark = pytest.mark.django_db(transaction=True)

DUE = 241


async def _who(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return HttpResponse(f"{user} {request.user}")


async def _staff(request: HttpRequest) -> HttpResponse:
    users: list[Any] = [await request.auser(), request.user]
    return HttpResponse(" ".join(str(user.is_staff) for user in users))


class Urls:
    """The URLs of the project, with async views."""

    urlpatterns = [
        *website.urlpatterns,
        path("awho/", _who),
        path("astaff/", _staff),
    ]


@async_only_middleware
def curious(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Ask early who it is."""

    async def middleware(request: HttpRequest) -> Any:
        await request.auser()
        return await get_response(request)

    return middleware


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    browser = open_website(provider, login_settings, monkeypatch)
    browser.settings.ROOT_URLCONF = Urls
    browser.settings.MIDDLEWARE = [
        *MIDDLEWARE[:-1],
        f"{__name__}.curious",
        MIDDLEWARE[-1],
    ]
    browser.client = Client()
    browser.log_in()
    browser.clock.now += DUE
    return browser


def visit(browser: Browser, method: str = "get", url: str = "/awho/") -> str:
    client = AsyncClient()
    client.cookies = browser.client.cookies
    answer = async_to_sync(getattr(client, method))(url)
    return str(answer.content.decode())


def test_async_views_see_nobody_either(browser: Browser) -> None:
    browser.provider.grants.revoke_all()
    assert visit(browser) == "AnonymousUser AnonymousUser"


def test_async_views_see_what_a_renewal_leaves(browser: Browser) -> None:
    browser.option(GROUPS_CLAIM="roles", STAFF=["boss"])
    browser.provider.claims["roles"] = ["boss"]
    browser.log_in()
    browser.provider.claims["roles"] = []
    browser.clock.now += DUE
    assert visit(browser, url="/astaff/") == "False False"


def test_async_views_see_nobody_whose_session_waits(browser: Browser) -> None:
    browser.provider.tokens["refresh_token"] = None
    browser.log_in()
    browser.clock.now += 601
    assert visit(browser, "options") == "AnonymousUser AnonymousUser"
