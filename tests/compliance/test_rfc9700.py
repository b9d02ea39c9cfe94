"""RFC 9700, the best current practice: what of it is for a client that logs people in.

https://www.rfc-editor.org/rfc/rfc9700
"""

import pytest
from django.test import Client

from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS, DISCOVERIES, by
from tests.login.provider import AUTHORIZE, TOKEN

pytestmark = pytest.mark.django_db


def refused(stage: Stage, name: str) -> None:
    nobody_is_let_in(stage, ATTACKS[name](stage))


@pytest.mark.compliance("RFC 9700", "2.1")
@pytest.mark.compliance("RFC 9700", "4.7")
@pytest.mark.parametrize(
    "name",
    [
        "the answer of another session",
        "an answer without a session",
        "an answer with no state",
        "an answer with another state",
        "an answer again",
        "an answer again after a failure",
    ],
)
def test_an_answer_is_for_the_browser_that_asked_and_once(
    stage: Stage, name: str
) -> None:
    refused(stage, name)


@pytest.mark.compliance("RFC 9700", "4.7")
def test_a_forged_answer_logs_nobody_out(stage: Stage) -> None:
    stage.login()
    stage.finish("http://testserver/oidc/callback/?error=access_denied&state=x")
    assert user_of(stage.client)


@pytest.mark.compliance("RFC 9700", "2.1.1")
def test_challenge_and_nonce_are_of_one_login(stage: Stage) -> None:
    """And of one browser: the session keeps them."""
    seen = set()
    for client in (stage.client, stage.client, Client()):
        stage.asked(client=client)
        asked = stage.provider.last(AUTHORIZE).query
        seen |= {asked["code_challenge"], asked["nonce"], asked["state"]}
    assert len(seen) == 9


@pytest.mark.compliance("RFC 9700", "2.1.1")
@pytest.mark.compliance("RFC 9700", "4.5")
@pytest.mark.parametrize(
    "name",
    ["the code of another session", "a code again", "the code of another client"],
)
def test_a_code_that_was_put_in_is_worth_nothing(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("RFC 9700", "4.8")
@pytest.mark.parametrize(
    "name", ["a request without a challenge", "a request with the plain method"]
)
def test_pkce_cannot_be_taken_away(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("RFC 9700", "2.1.2")
@pytest.mark.compliance("RFC 9700", "2.4")
def test_tokens_come_from_the_token_endpoint_for_a_code(stage: Stage) -> None:
    stage.login()
    asked, shown = stage.provider.last(AUTHORIZE), stage.provider.last(TOKEN)
    assert asked.query["response_type"] == "code"
    assert shown.form["grant_type"] == "authorization_code"
    stage.client.logout()
    # A token in the address is nothing that anybody looks at.
    mine = "&access_token=x&id_token=x&token_type=Bearer"
    answer = stage.finish(stage.asked(), {"code": None})
    nobody_is_let_in(stage, answer)
    url = stage.asked().partition("testserver")[2].replace("code=", "nothing=")
    nobody_is_let_in(stage, stage.client.get(url + mine))


@pytest.mark.compliance("RFC 9700", "4.4")
@pytest.mark.parametrize(
    "name",
    [
        "an answer with another issuer",
        "an answer with no issuer",
        "another issuer where none is announced",
    ],
)
def test_no_code_goes_to_a_provider_that_did_not_give_it(
    stage: Stage, name: str
) -> None:
    refused(stage, name)
    assert stage.provider.count(TOKEN) == 0


@pytest.mark.compliance("RFC 9700", "4.2")
def test_no_address_with_a_code_is_told_to_others(stage: Stage) -> None:
    good = stage.login()
    stage.client.logout()
    bad = ATTACKS["a code again"](stage)
    for response in (good, bad):
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]
    assert "<script" not in bad.content.decode()
    assert "src=" not in bad.content.decode()


@pytest.mark.compliance("RFC 9700", "4.11")
@pytest.mark.parametrize(
    "url", ["https://evil.test/", "//evil.test/", "/\\evil.test/", "javascript:x"]
)
def test_a_login_leads_to_no_other_site(stage: Stage, url: str) -> None:
    assert stage.login(url)["Location"] == "/"


@pytest.mark.compliance("RFC 9700", "2.6")
@pytest.mark.parametrize(
    "name",
    [
        "discovery with issuer https://other.test",
        "discovery with authorization_endpoint http://provider.test/authorize",
        "discovery with token_endpoint http://provider.test/token",
    ],
)
def test_endpoints_are_those_of_the_metadata_and_encrypted(
    stage: Stage, name: str
) -> None:
    nobody_is_let_in(stage, by(DISCOVERIES[name])(stage))
