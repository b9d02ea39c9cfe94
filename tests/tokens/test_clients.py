"""Clients that the settings name later, or no more."""

from typing import TYPE_CHECKING, Any, Final

import pytest

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    RefreshRefusedError,
    Refusal,
    find_session,
    rotate,
)
from tests.tokens.facade import SETTINGS, Caller, make_user, payload_of

if TYPE_CHECKING:
    from pytest_django import Settings

COUNTED: Final[list[str]] = []
pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.facade")]


@pytest.fixture(autouse=True)
def _issuer(settings: "Settings") -> None:
    settings.DRF_APIKIT = section()
    make_user()


@pytest.fixture
def caller() -> Caller:
    return Caller()


def section(**more: Any) -> dict[str, Any]:
    return {**SETTINGS, "TOKENS": {**SETTINGS["TOKENS"], **more}}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_session_outlives_that_clients_get_names(
    caller: Caller, settings: "Settings"
) -> None:
    given = caller.tokens()
    clients = {
        "phone": {"ACCESS_LIFETIME": 60, "SCOPES": ["read"]},
        "kiosk": {"ACCESS_LIFETIME": 30},
    }
    settings.DRF_APIKIT = section(CLIENTS=clients)
    assert caller.post("verify/", {"token": given["refresh"]}).status_code == 200
    answer = caller.refresh(given["refresh"])
    assert answer.status_code == 200
    claims = payload_of(answer.json()["access"])
    assert claims["client_id"] == "phone"
    assert claims["exp"] - claims["iat"] == 60
    assert caller.refresh(answer.json()["refresh"]).status_code == 200
    assert caller.obtain(client_id="first-party").status_code == 400


def test_a_name_of_the_settings_is_taken_as_it_is(
    caller: Caller, settings: "Settings"
) -> None:
    given = caller.tokens()
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}, "first-party": {}})
    claims = payload_of(caller.refresh(given["refresh"]).json()["access"])
    assert claims["client_id"] == "first-party"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
def test_a_client_that_is_gone_is_refused_without_harm(
    caller: Caller, settings: "Settings", caplog: pytest.LogCaptureFixture
) -> None:
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}, "tv": {}})
    given = caller.tokens(client_id="tv")
    later = section(CLIENTS={"phone": {}})
    settings.DRF_APIKIT = {**later, "METRICS": {"COUNTER": f"{__name__}.hook"}}
    COUNTED.clear()
    caplog.set_level("INFO", "drf_apikit.tokens")
    assert caller.refresh(given["refresh"]).status_code == 401
    assert caller.post("verify/", {"token": given["refresh"]}).status_code == 401
    assert COUNTED == ["client"]
    assert "Refused a refresh token of the session" in caplog.text
    assert given["refresh"] not in caplog.text
    for look in (rotate, find_session):
        with pytest.raises(RefreshRefusedError) as raised:
            look(given["refresh"])
        assert raised.value.refusal is Refusal.CLIENT
    assert TokenSession.objects.get().ended_at is None
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}, "tv": {}})
    assert caller.refresh(given["refresh"]).status_code == 200


def test_who_comes_with_a_client_that_is_gone_may_log_out(
    caller: Caller, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}, "tv": {}})
    given = caller.tokens(client_id="tv")
    settings.DRF_APIKIT = section(CLIENTS={"phone": {}})
    sent = {"refresh": given["refresh"]}
    assert caller.post("blacklist/", sent).status_code == 200
    assert TokenSession.objects.get().ended_at is not None


def hook(event: str, labels: dict[str, str]) -> None:
    if event == "tokens.refresh_refused":
        COUNTED.append(labels["reason"])
