"""RFC 9068 over HTTP: each thing that a resource server must do with a token."""

from typing import Any

import pytest

from drf_apikit.testing import InMemoryIssuer, assert_problem
from tests.compliance.tokens import answer, refused
from tests.jose.minting import base64url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]

OTHER = InMemoryIssuer()


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


@pytest.mark.compliance("RFC 9068", "4")
def test_an_encrypted_token_is_refused(oidc_issuer: InMemoryIssuer) -> None:
    """No encryption is negotiated, so there is no key to decrypt with."""
    header = base64url(b'{"alg": "RSA-OAEP", "enc": "A256GCM", "typ": "at+jwt"}')
    refused(f"{header}.a2V5.aXY.{minted(oidc_issuer).split('.')[1]}.dGFn")


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(("seconds", "status"), [(-20, 200), (-40, 401)])
def test_the_leeway_for_clocks_is_small(
    oidc_issuer: InMemoryIssuer, seconds: int, status: int
) -> None:
    token = minted(oidc_issuer, lifetime=seconds)
    assert answer(token).status_code == status


@pytest.mark.compliance("RFC 9068", "4")
def test_only_keys_of_the_issuer_are_used(oidc_issuer: InMemoryIssuer) -> None:
    """A key that the token brings along is none of them."""
    (jwk,) = OTHER.jwks["keys"]
    refused(minted(OTHER, headers={"jwk": jwk}))
    refused(minted(OTHER, headers={"jku": "https://evil.test/keys"}))
    assert answer(minted(oidc_issuer, headers={"jwk": jwk})).status_code == 200


@pytest.mark.compliance("RFC 9068", "4")
def test_every_failure_is_an_invalid_token(oidc_issuer: InMemoryIssuer) -> None:
    """Whatever is wrong, the challenge says the same: `refused` compares it."""
    for claims in (
        {"aud": "https://other.test"},
        {"iss": "https://other.test"},
        {"lifetime": -60},
        {"headers": {"typ": "JWT"}},
        {"headers": {"kid": "unknown"}},
        {"sub": "nobody"},
    ):
        refused(oidc_issuer.signed_token(**claims))


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(
    ("scope", "status"), [("notes:list notes:read", 200), ("notes:read", 403)]
)
def test_the_scopes_of_a_token_decide(
    oidc_issuer: InMemoryIssuer, scope: str, status: int
) -> None:
    response = answer(minted(oidc_issuer, scope=scope), "/scoped/")
    assert response.status_code == status
    if status == 403:
        assert_problem(response, 403, "insufficient-scope")
