"""RFC 9068 over HTTP: each thing that a resource server must do with a token."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import InMemoryIssuer, assert_problem
from tests.jose.minting import base64url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]

OTHER = InMemoryIssuer()


def answer(token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return APIClient().get("/me/", headers=headers)


def refused(token: str) -> None:
    response = answer(token)
    assert_problem(response, 401, "invalid-token")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def minted(issuer: InMemoryIssuer, **options: Any) -> str:
    return issuer.signed_token("robot", client_id="robot", **options)


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_both_spellings_of_the_type_are_accepted(
    oidc_issuer: InMemoryIssuer, typ: str
) -> None:
    assert answer(minted(oidc_issuer, headers={"typ": typ})).status_code == 200


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize("typ", ["JWT", "", "id+jwt", "dpop+jwt", "logout+jwt"])
def test_any_other_type_is_refused(oidc_issuer: InMemoryIssuer, typ: str) -> None:
    refused(minted(oidc_issuer, headers={"typ": typ}))


@pytest.mark.compliance("RFC 9068", "4")
def test_the_issuer_must_match_exactly(oidc_issuer: InMemoryIssuer) -> None:
    refused(minted(oidc_issuer, iss=f"{oidc_issuer.issuer}/"))


@pytest.mark.compliance("RFC 9068", "4")
def test_the_audience_must_be_this_api(oidc_issuer: InMemoryIssuer) -> None:
    refused(minted(oidc_issuer, aud="https://other.test"))
    refused(minted(oidc_issuer, aud=[]))
    both = ["https://other.test", oidc_issuer.audience]
    assert answer(minted(oidc_issuer, aud=both)).status_code == 200


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.compliance("RFC 8725", "3.2")
def test_a_token_must_be_signed(oidc_issuer: InMemoryIssuer) -> None:
    header, payload, signature = minted(oidc_issuer).split(".")
    refused(f"{header}.{payload}.")
    unsigned = base64url(b'{"alg": "none", "typ": "at+jwt"}')
    refused(f"{unsigned}.{payload}.")
    refused(f"{unsigned}.{payload}.{signature}")


@pytest.mark.compliance("RFC 9068", "4")
def test_the_signature_must_be_by_a_key_of_the_issuer(
    oidc_issuer: InMemoryIssuer,
) -> None:
    assert OTHER.issuer == oidc_issuer.issuer
    refused(minted(OTHER))


@pytest.mark.compliance("RFC 9068", "4")
def test_an_expired_token_is_refused(oidc_issuer: InMemoryIssuer) -> None:
    refused(minted(oidc_issuer, lifetime=-60))
    refused(minted(oidc_issuer, exp=None))


@pytest.mark.compliance("RFC 9068", "2.2")
@pytest.mark.parametrize(
    "name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]
)
def test_each_required_claim_is_required(
    oidc_issuer: InMemoryIssuer, name: str
) -> None:
    claims: dict[str, Any] = {"sub": "robot", "client_id": "robot", name: None}
    refused(oidc_issuer.signed_token(**claims))


@pytest.mark.compliance("RFC 9068", "5")
def test_an_id_token_for_this_very_client_is_refused(
    oidc_issuer: InMemoryIssuer,
) -> None:
    id_token = minted(
        oidc_issuer, headers={"typ": "JWT"}, nonce="n", at_hash="h", azp="robot"
    )
    refused(id_token)
