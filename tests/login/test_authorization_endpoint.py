from typing import Any

import pytest

from tests.login.provider import Provider
from tests.login.website import open_website

pytestmark = pytest.mark.django_db


@pytest.mark.compliance("RFC 8414", "2")
@pytest.mark.parametrize("endpoint", [None, "http://id.example/authorize", 7])
def test_a_provider_where_nobody_can_log_in(
    endpoint: Any,
    provider: Provider,
    login_settings: Any,
    monkeypatch: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may well hand out tokens to clients."""
    browser = open_website(provider, login_settings, monkeypatch)
    provider.metadata["authorization_endpoint"] = endpoint
    answer = browser.begin()
    assert answer.status_code == 503
    assert "provider_unavailable" in answer.content.decode()
    told = f"{provider.url} has no authorization endpoint that can be used"
    assert told in caplog.text


def test_an_endpoint_of_the_settings_is_enough(
    provider: Provider, login_settings: Any, monkeypatch: Any
) -> None:
    browser = open_website(provider, login_settings, monkeypatch)
    provider.metadata["authorization_endpoint"] = None
    url = f"{provider.url}/elsewhere"
    login_settings.OIDC_OP_AUTHORIZATION_ENDPOINT = url
    assert browser.begin()["Location"].startswith(f"{url}?")
