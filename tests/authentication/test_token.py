from typing import Any

import pytest

from drf_apikit.authentication.token import AccessToken
from drf_apikit.conf import IssuerSettings
from tests.jose.minting import CLAIMS


def test_a_token_tells_when_it_was_issued_and_when_it_ends() -> None:
    token = AccessToken(CLAIMS)
    assert (token.issued_at, token.expires_at) == (CLAIMS["iat"], CLAIMS["exp"])
    assert token.settings.token_profile == "rfc9068"


@pytest.mark.compliance("RFC 9068", "2.2")
@pytest.mark.parametrize(
    ("subject", "client", "machine"),
    [("shop", "shop", True), ("alice", "shop", False), ("Shop", "shop", False)],
)
def test_a_client_that_is_the_subject_acts_for_itself(
    subject: str, client: str, machine: bool
) -> None:
    token = AccessToken({**CLAIMS, "sub": subject, "client_id": client})
    assert token.is_of_client is machine


@pytest.mark.parametrize(
    ("path", "claims", "scopes"),
    [
        ("permissions", {"permissions": ["a", "b"]}, {"a", "b"}),
        ("permissions", {"permissions": "a b  c"}, {"a", "b", "c"}),
        ("permissions", {}, set()),
        ("access.roles", {"access": {"roles": ["a"]}}, {"a"}),
        ("access.roles", {"access.roles": ["b"], "access": {"roles": ["a"]}}, {"b"}),
        ("access.roles", {"access": ["roles"]}, set()),
        ("access.roles.x", {"access": {"roles": "x"}}, set()),
        ("https://id.example/roles", {"https://id.example/roles": ["a"]}, {"a"}),
        ("permissions", {"permissions": ["a", 7, "", None, ["b"]]}, {"a"}),
        ("permissions", {"permissions": {"a": 1}}, set()),
        ("permissions", {"permissions": 7}, set()),
    ],
)
def test_scopes_are_where_the_settings_say(
    path: str, claims: dict[str, Any], scopes: set[str]
) -> None:
    settings = IssuerSettings(scope_claim=path)
    token = AccessToken({**CLAIMS, **claims}, settings)
    assert token.scopes == frozenset(scopes)


def test_a_token_of_simplejwt_has_no_client() -> None:
    settings = IssuerSettings(token_profile="simplejwt")
    token = AccessToken({"iss": "https://id.example", "user_id": 7}, settings)
    assert (token.subject, token.client_id, token.is_of_client) == ("7", None, False)


def test_the_subject_is_where_the_settings_say() -> None:
    settings = IssuerSettings(token_profile="entra", subject_claim="oid")
    claims = {"iss": "https://id.example", "sub": "pairwise", "oid": "alice"}
    token = AccessToken({**claims, "azp": "shop", "scp": "read"}, settings)
    assert (token.subject, token.is_of_client) == ("alice", False)
    machine = AccessToken({**claims, "sub": "alice", "azp": "shop"}, settings)
    assert machine.is_of_client is True
    without = {"iss": "https://id.example", "azp": "shop", "roles": ["read"]}
    assert AccessToken(without, settings).is_of_client is False
