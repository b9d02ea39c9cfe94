"""RFC 7636 (PKCE) as the client sees it: what the provider is asked and shown."""

import hashlib
import re
from typing import Final

import pytest

from tests.jose.minting import base64url
from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS
from tests.login.provider import AUTHORIZE, TOKEN

pytestmark = pytest.mark.django_db

VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@pytest.mark.compliance("RFC 7636", "4.1")
def test_each_request_has_a_verifier_of_its_own(stage: Stage) -> None:
    verifiers = set()
    for _ in range(3):
        assert stage.login().status_code == 302
        stage.client.logout()
        verifiers.add(stage.provider.last(TOKEN).form["code_verifier"])
    assert len(verifiers) == 3
    assert all(map(VERIFIER.fullmatch, verifiers))


@pytest.mark.compliance("RFC 7636", "4.2")
@pytest.mark.compliance("RFC 7636", "4.3")
@pytest.mark.compliance("RFC 7636", "4.5")
def test_the_challenge_is_the_hash_of_the_verifier(stage: Stage) -> None:
    assert stage.login().status_code == 302
    asked, shown = stage.provider.last(AUTHORIZE), stage.provider.last(TOKEN)
    assert asked.query["code_challenge_method"] == "S256"
    digest = hashlib.sha256(shown.form["code_verifier"].encode()).digest()
    assert asked.query["code_challenge"] == base64url(digest)
    assert "code_verifier" not in asked.query


@pytest.mark.compliance("RFC 7636", "4.2")
@pytest.mark.parametrize("methods", [None, [], ["plain"], ["S256", "plain"]])
def test_no_provider_talks_it_into_another_method(
    stage: Stage, methods: list[str] | None
) -> None:
    stage.provider.metadata["code_challenge_methods_supported"] = methods
    stage.login()
    asked = stage.provider.last(AUTHORIZE)
    assert asked.query["code_challenge_method"] == "S256"


@pytest.mark.compliance("RFC 7636", "4.6")
@pytest.mark.parametrize(
    "name",
    [
        "a request without a challenge",
        "a request with the plain method",
        "a request with another challenge",
        "the code of another session",
    ],
)
def test_a_verifier_that_does_not_fit_is_the_end(stage: Stage, name: str) -> None:
    nobody_is_let_in(stage, ATTACKS[name](stage))
    # And nothing else is tried.
    assert stage.provider.count(TOKEN) <= 1
    assert user_of(stage.client) == ""
