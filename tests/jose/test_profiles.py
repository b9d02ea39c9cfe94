"""What is read of claims that are verified. `test_samples.py` has whole tokens."""

from typing import Any

import pytest

from drf_apikit.jose.profiles import PROFILES, RFC9068


def test_a_preset_is_known_by_its_name() -> None:
    assert all(profile.name == name for name, profile in PROFILES.items())
    assert PROFILES["rfc9068"] is RFC9068


def test_the_first_claim_that_is_there_counts() -> None:
    entra = PROFILES["entra"]
    assert entra.client_of({"azp": "a", "appid": "b"}) == "a"
    assert entra.client_of({"appid": "b"}) == "b"
    assert entra.client_of({"client_id": "c"}) is None
    assert entra.scopes_of({"scp": "a", "roles": ["b"]}) == "a"
    assert entra.scopes_of({"roles": ["b"]}) == ["b"]
    assert entra.scopes_of({"scope": "c"}) is None


@pytest.mark.parametrize(
    ("name", "claims", "client", "is_of_client"),
    [
        ("rfc9068", {"sub": "shop"}, "shop", True),
        ("rfc9068", {"sub": "Shop"}, "shop", False),
        ("rfc9068", {"sub": None}, None, False),
        ("rfc9068", {}, None, False),
        ("simplejwt", {"sub": "shop", "user_id": "shop"}, "shop", False),
        ("auth0", {"sub": "shop@clients"}, "shop", True),
        ("auth0", {"sub": "auth0|1"}, "shop", False),
        ("entra", {"idtyp": "app", "scp": "a", "sub": "1"}, "shop", True),
        ("entra", {"idtyp": "user", "sub": "1", "oid": "1"}, "shop", False),
        ("entra", {"sub": "1", "oid": "1"}, "shop", True),
        ("entra", {"sub": "1", "oid": "2"}, "shop", False),
        ("entra", {"sub": "1", "oid": "1", "scp": "a"}, "shop", False),
    ],
)
def test_who_acts_for_itself_is_told(
    name: str, claims: dict[str, Any], client: str | None, is_of_client: bool
) -> None:
    assert PROFILES[name].is_of_client(claims, client) is is_of_client


ACCOUNT = "service-account-web-shop"


@pytest.mark.parametrize(
    ("claims", "is_of_client"),
    [
        ({"client_id": "Web-Shop", "preferred_username": ACCOUNT}, True),
        # Of older releases.
        ({"clientId": "Web-Shop", "preferred_username": ACCOUNT}, True),
        ({"client_id": "x", "clientId": "Web-Shop"}, False),
        ({"client_id": "web-shop", "preferred_username": ACCOUNT}, False),
        ({"client_id": "Web-Shop", "preferred_username": "ada"}, False),
        ({"preferred_username": ACCOUNT}, False),
        ({"client_id": "Web-Shop"}, False),
        (
            {"client_id": "Web-Shop", "preferred_username": ACCOUNT, "sid": "1"},
            False,
        ),
        (
            {
                "client_id": "Web-Shop",
                "preferred_username": ACCOUNT,
                "session_state": "1",
            },
            False,
        ),
    ],
)
def test_a_service_account_of_keycloak_is_told(
    claims: dict[str, Any], is_of_client: bool
) -> None:
    assert PROFILES["keycloak"].is_of_client(claims, "Web-Shop") is is_of_client
