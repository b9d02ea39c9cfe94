"""OpenID Connect RP-Initiated Logout 1.0: what the provider is asked, and what then."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from tests.login.attacking import Stage, user_of
from tests.login.provider import CLIENT_ID, END_SESSION

pytestmark = pytest.mark.django_db


@pytest.fixture
def left(stage: Stage, login_settings: Any) -> tuple[str, dict[str, str]]:
    """Log in and out; give where the browser is sent, and the parameters."""
    login_settings.LOGOUT_REDIRECT_URL = "/"
    assert stage.login().status_code == 302
    response = stage.client.post("/oidc/logout/")
    parts = urlsplit(response["Location"])
    return response["Location"], dict(parse_qsl(parts.query))


@pytest.mark.compliance("OIDC RP-Initiated Logout 1.0", "2")
def test_the_provider_is_told_who_leaves(
    stage: Stage, left: tuple[str, dict[str, str]]
) -> None:
    url, query = left
    assert url.startswith(f"{stage.provider.url}{END_SESSION}?")
    options: Any = {"verify_signature": False}
    hint = jwt.decode(query["id_token_hint"], options=options)
    assert (hint["sub"], hint["aud"]) == ("alice", CLIENT_ID)
    assert query["client_id"] == CLIENT_ID
    assert query["post_logout_redirect_uri"] == "http://testserver/"
    assert len(query["state"]) >= 16


@pytest.mark.compliance("OIDC RP-Initiated Logout 1.0", "2")
def test_nobody_is_logged_in_any_more_wherever_the_browser_goes(
    stage: Stage, left: tuple[str, dict[str, str]]
) -> None:
    assert left
    assert user_of(stage.client) == ""
    assert stage.provider.count(END_SESSION) == 0


@pytest.mark.compliance("OIDC RP-Initiated Logout 1.0", "3")
def test_the_provider_sends_the_browser_back(
    stage: Stage, left: tuple[str, dict[str, str]]
) -> None:
    url, query = left
    assert stage.provider.visit(url) == f"http://testserver/?state={query['state']}"
