import stat
from urllib.parse import quote

import jwt
import pytest

from identity.spec import subject_of
from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import Provider


def test_client_credentials_give_an_rfc_9068_token(provider: Provider) -> None:
    response = provider.token("machine", grant_type="client_credentials")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    assert body.keys() == {"access_token", "expires_in", "token_type", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    decoded = provider.verified(body["access_token"])
    assert decoded["header"].keys() == {"alg", "typ", "kid"}
    assert decoded["header"]["typ"] == "at+jwt"
    claims = decoded["payload"]
    assert claims["sub"] == claims["client_id"] == "machine"
    assert claims["aud"] == provider.resource
    assert claims["scope"] == body["scope"] == "ledger:read ledger:write"
    assert claims["exp"] - claims["iat"] == 3600


def test_client_authenticates_in_the_header(provider: Provider) -> None:
    secret = provider.clients["server"].client_secret
    assert quote(secret) != secret
    pair = ("server", quote(secret, safe=""))
    response = provider.request(
        "POST", "/token/", auth=pair, data={"grant_type": "refresh_token"}
    )
    # It lacks the refresh token: that is said only to those who authenticated.
    assert response.json()["error"] == "invalid_request"
    assert "refresh token" in response.json()["error_description"]


def test_token_ids_differ(provider: Provider) -> None:
    ids = {
        provider.verified(
            provider.token("machine", grant_type="client_credentials").json()[
                "access_token"
            ],
        )["payload"]["jti"]
        for _ in range(3)
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        pytest.param(
            "https://other.example/api", "https://other.example/api", id="one"
        ),
        pytest.param(
            ["https://a.example", "https://b.example"],
            ["https://a.example", "https://b.example"],
            id="two",
        ),
    ],
)
def test_resource_becomes_the_audience(
    provider: Provider, resource: str | list[str], audience: str | list[str]
) -> None:
    token = provider.token(
        "machine", grant_type="client_credentials", resource=resource
    ).json()["access_token"]
    expected = audience if isinstance(audience, str) else audience[0]
    assert provider.verified(token, expected)["payload"]["aud"] == audience


def test_scope_is_narrowed(provider: Provider) -> None:
    body = provider.token(
        "machine", grant_type="client_credentials", scope="ledger:read"
    ).json()
    assert body["scope"] == "ledger:read"
    assert provider.verified(body["access_token"])["payload"]["scope"] == (
        "ledger:read"
    )


@pytest.mark.parametrize(
    ("client", "scope"),
    [
        pytest.param("reader", "ledger:write", id="not-the-client's"),
        pytest.param("machine", "openid", id="not-for-machines"),
        pytest.param("machine", "unheard:of", id="unknown"),
    ],
)
def test_scope_beyond_the_client_is_refused(
    provider: Provider, client: str, scope: str
) -> None:
    response = provider.token(client, grant_type="client_credentials", scope=scope)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


def test_opaque_token_is_understood_by_introspection_only(provider: Provider) -> None:
    token = provider.token("opaque-machine", grant_type="client_credentials").json()[
        "access_token"
    ]
    with pytest.raises(jwt.DecodeError):
        jwt.get_unverified_header(token)
    described = provider.introspect(token).json()
    assert described.pop("exp") - described.pop("iat") == 3600
    assert described == {
        "active": True,
        "iss": provider.issuer,
        "sub": "opaque-machine",
        "aud": [provider.resource],
        "client_id": "opaque-machine",
        "scope": "ledger:read ledger:write",
        "token_type": "Bearer",
    }


def test_introspection_describes_a_persons_jwt(
    provider: Provider, browser: Browser
) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    tokens = provider.exchange("web", code, proof.verifier).json()
    described = provider.introspect(tokens["access_token"]).json()
    assert described["active"] is True
    assert described["sub"] == subject_of("ada")
    assert described["username"] == "ada"


def test_introspection_knows_nothing_of_strangers(provider: Provider) -> None:
    response = provider.introspect("no such token")
    assert response.status_code == 200
    assert response.json() == {"active": False}


@pytest.mark.parametrize(
    ("auth", "data", "status", "error"),
    [
        pytest.param(None, {"token": "t"}, 401, "invalid_client", id="nobody"),
        pytest.param(
            ("machine", "wrong"), {"token": "t"}, 401, "invalid_client", id="wrong"
        ),
        pytest.param(("web", ""), {"token": "t"}, 401, "invalid_client", id="public"),
        pytest.param(
            ("machine", "machine-secret"), {}, 400, "invalid_request", id="no-token"
        ),
    ],
)
def test_introspection_refuses(
    provider: Provider,
    auth: tuple[str, str] | None,
    data: dict[str, str],
    status: int,
    error: str,
) -> None:
    response = provider.request("POST", "/introspect/", auth=auth, data=data)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_revoked_token_is_not_active(provider: Provider) -> None:
    token = provider.token("machine", grant_type="client_credentials").json()[
        "access_token"
    ]
    assert provider.introspect(token).json()["active"] is True
    pair = ("machine", "machine-secret")
    response = provider.request("POST", "/revoke/", auth=pair, data={"token": token})
    assert response.status_code == 200
    assert provider.introspect(token).json() == {"active": False}


def test_signing_key_is_the_owners_alone(provider: Provider) -> None:
    mode = (provider.folder / "signing_key.pem").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
