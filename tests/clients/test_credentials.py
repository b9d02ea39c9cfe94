import copy
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from drf_apikit.clients import ClientCredentials, TokenUnavailableError
from tests.clients.conftest import NAME, World
from tests.clients.servers import Api, Endpoint
from tests.oidc.provider import Clock


def test_a_call_has_the_token(
    credentials: ClientCredentials, api: Api, endpoint: Endpoint
) -> None:
    with requests.Session() as session:
        session.auth = credentials
        for _ in range(3):
            assert session.post(api.url, data=b"body").content == b"body"
    assert requests.get(api.url, auth=credentials, timeout=30).status_code == 200
    assert credentials.access_token() == "token-1"
    assert api.tokens == ["token-1"] * 4
    assert endpoint.requests == 1


@pytest.mark.compliance("RFC 6749", "4.4.2")
def test_what_is_asked_for(
    credentials: ClientCredentials, world: World, endpoint: Endpoint
) -> None:
    credentials.access_token()
    (plain,) = endpoint.asked
    assert plain.form == {"grant_type": "client_credentials"}
    assert plain.headers["Authorization"].startswith("Basic ")
    told = {"AUDIENCE": "https://api.example", "RESOURCE": "https://api.example/v1"}
    world.configure(SCOPES=["b", "a"], AUTH_METHOD="client_secret_post", **told)
    credentials.access_token()
    assert endpoint.asked[-1].form == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "audience": "https://api.example",
        "resource": "https://api.example/v1",
        "client_id": "worker",
        "client_secret": "s3cret-of-the-worker",
    }
    assert "Authorization" not in endpoint.asked[-1].headers


def test_the_endpoint_is_discovered(
    credentials: ClientCredentials, world: World, endpoint: Endpoint
) -> None:
    world.configure(TOKEN_ENDPOINT=None, ISSUER=endpoint.url)
    assert credentials.access_token() == "token-1"
    assert [one.method for one in endpoint.asked] == ["GET", "POST"]


def test_settings_are_followed(
    credentials: ClientCredentials, world: World, endpoint: Endpoint
) -> None:
    assert credentials.access_token() == "token-1"
    world.configure(CLIENT_SECRET="another secret")
    assert credentials.access_token() == "token-2"
    assert credentials.access_token() == "token-2"
    assert endpoint.requests == 2


@pytest.mark.parametrize(
    ("name", "hint"), [("biling", "Did you mean 'billing'?"), ("x", "Add an entry")]
)
def test_a_name_that_nobody_has_configured(world: World, name: str, hint: str) -> None:
    assert world.entry
    with pytest.raises(ImproperlyConfigured, match=hint) as caught:
        ClientCredentials(name).access_token()
    assert f"no {name!r}" in str(caught.value)


def test_it_is_its_name() -> None:
    credentials = ClientCredentials(NAME)
    assert credentials == ClientCredentials(NAME)
    assert credentials != ClientCredentials("ledger")
    assert credentials != NAME
    assert len({credentials, ClientCredentials(NAME)}) == 1
    assert repr(credentials) == "ClientCredentials('billing')"
    assert copy.copy(credentials) == credentials


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "http://127.0.0.1.api.example/",
        "http://user@api.example/",
        "ftp://127.0.0.1/",
    ],
)
def test_a_token_never_goes_over_http(credentials: ClientCredentials, url: str) -> None:
    request = requests.Request("GET", url, auth=credentials)
    with pytest.raises(requests.exceptions.InvalidSchema, match="over https alone"):
        request.prepare()


def test_only_a_flag_lets_it_go_to_this_machine(
    credentials: ClientCredentials, world: World, api: Api
) -> None:
    secure = "https://id.example/token"
    world.configure(INSECURE_LOOPBACK_HTTP=None, TOKEN_ENDPOINT=secure)
    with pytest.raises(requests.exceptions.InvalidSchema):
        requests.get(f"{api.url}/?secret=x", auth=credentials, timeout=30)
    assert api.asked == []


def test_without_a_token_nothing_is_sent(
    credentials: ClientCredentials, api: Api, endpoint: Endpoint, clock: Clock
) -> None:
    endpoint.fail()
    with pytest.raises(requests.RequestException) as caught:
        requests.get(api.url, auth=credentials, timeout=30)
    error = caught.value
    assert isinstance(error, TokenUnavailableError)
    told = f"No token for 'billing': {endpoint.url}/token answered 503"
    assert (error.reason, str(error)) == (told, told)
    assert error.retry_after == 5
    assert api.asked == []
    clock.now += 5
    endpoint.mend()
    assert requests.get(api.url, auth=credentials, timeout=30).status_code == 200


def test_the_error_survives_the_way_to_another_process() -> None:
    """It is copied as it is pickled, as task queues do."""
    error: Any = copy.copy(TokenUnavailableError("why", 7))
    assert isinstance(error, TokenUnavailableError)
    assert (error.reason, error.retry_after, str(error)) == ("why", 7, "why")
