from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from identity.spec import subject_of
from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import Provider


@pytest.fixture
def refresh_token(provider: Provider, browser: Browser) -> str:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof, scope="openid ledger:read")
    token: str = provider.exchange("web", code, proof.verifier).json()["refresh_token"]
    return token


def test_refreshing_rotates(provider: Provider, refresh_token: str) -> None:
    body = refresh(provider, refresh_token).json()
    claims = provider.verified(body["access_token"])["payload"]
    assert claims["sub"] == subject_of("ada")
    assert claims["scope"] == "openid ledger:read"
    assert claims["aud"] == provider.resource
    assert body["refresh_token"] != refresh_token
    assert refresh(provider, body["refresh_token"]).status_code == 200


def test_reuse_ends_the_whole_family(provider: Provider, refresh_token: str) -> None:
    newest = refresh(provider, refresh_token).json()["refresh_token"]
    replay = refresh(provider, refresh_token)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    after = refresh(provider, newest)
    assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")


def test_of_many_at_once_one_wins(provider: Provider, refresh_token: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: refresh(provider, refresh_token).status_code, range(8))
        )
    assert sorted(statuses) == [200] + [400] * 7


def test_of_many_exchanges_at_once_one_wins(
    provider: Provider, browser: Browser
) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(
                lambda _: provider.exchange("web", code, proof.verifier).status_code,
                range(8),
            )
        )
    assert sorted(statuses) == [200] + [400] * 7


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        pytest.param({"scope": "ledger:write"}, "invalid_scope", id="more-scope"),
        pytest.param(
            {"resource": "https://other.example"}, "invalid_target", id="other-audience"
        ),
        pytest.param({"refresh_token": "unknown"}, "invalid_grant", id="unknown"),
    ],
)
def test_refreshing_gives_nothing_new(
    provider: Provider,
    refresh_token: str,
    parameters: dict[str, str],
    error: str,
) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    response = provider.token("web", **(body | parameters))
    assert (response.status_code, response.json()["error"]) == (400, error)


def test_another_client_cannot_refresh(provider: Provider, refresh_token: str) -> None:
    response = provider.token(
        "server", grant_type="refresh_token", refresh_token=refresh_token
    )
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


def refresh(provider: Provider, token: str) -> requests.Response:
    return provider.token("web", grant_type="refresh_token", refresh_token=token)
