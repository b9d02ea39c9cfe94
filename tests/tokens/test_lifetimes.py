from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.lifetimes import lifetimes, longest_access_lifetime

DAY = 24 * 60 * 60


def lives(client_id: str = "app") -> tuple[int, int, int]:
    found = lifetimes(client_id)
    return found.access, found.refresh, found.session


@pytest.mark.usefixtures("tokens")
def test_those_by_default() -> None:
    assert lives() == (300, 14 * DAY, 90 * DAY)


@pytest.mark.parametrize("given", [None, {}, {"ACCESS_TOKEN_LIFETIME": 60}, "x"])
def test_settings_of_simplejwt_that_say_nothing(given: Any, settings: Settings) -> None:
    settings.SIMPLE_JWT = given
    assert lives() == (300, 14 * DAY, 90 * DAY)


def test_those_of_simplejwt(settings: Settings, tokens: Callable[..., None]) -> None:
    settings.SIMPLE_JWT = {
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=400),
    }
    assert lives() == (600, 90 * DAY, 90 * DAY)
    tokens(ACCESS_LIFETIME=120)
    tokens(REFRESH_LIFETIME=DAY)
    assert lives() == (120, DAY, 90 * DAY)
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(0)}
    tokens(ACCESS_LIFETIME=None)
    assert lives()[0] == 1


def test_those_of_a_client(tokens: Callable[..., None]) -> None:
    clients = {
        "tv": {"ACCESS_LIFETIME": 900, "SESSION_LIFETIME": 10 * DAY},
        "app": {"REFRESH_LIFETIME": DAY},
    }
    tokens(CLIENTS=clients)
    assert lives("tv") == (900, 10 * DAY, 10 * DAY)
    assert lives("app") == (300, DAY, 90 * DAY)
    assert longest_access_lifetime(apikit_settings.tokens) == 900
    tokens(CLIENTS={**clients, "tv": {}})
    assert longest_access_lifetime(apikit_settings.tokens) == 300


def test_a_part_of_a_second_is_none(settings: Settings) -> None:
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=90.5)}
    assert lives()[0] == 90
