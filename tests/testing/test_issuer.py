import time
from typing import Any

import jwt
import pytest
from django.test import override_settings

from drf_apikit.jose import Reason, TokenError, parse_compact
from drf_apikit.oidc import find_issuer
from drf_apikit.testing import InMemoryIssuer

ISSUER = InMemoryIssuer()


def claims_of(token: str, issuer: InMemoryIssuer = ISSUER) -> Any:
    """Judge a token as an API would that trusts `issuer`."""
    issuers = {"AUTHENTICATION": {"ISSUERS": {issuer.issuer: issuer.settings}}}
    with override_settings(DRF_APIKIT=issuers):
        trusted = find_issuer(issuer.issuer)
        return trusted.verify(parse_compact(token), time.time())[0]


def refusal(token: str, issuer: InMemoryIssuer = ISSUER) -> Reason:
    with pytest.raises(TokenError) as refused:
        claims_of(token, issuer)
    return refused.value.reason


@pytest.mark.compliance("RFC 9068", "2.2")
def test_a_token_is_real() -> None:
    claims = claims_of(ISSUER.signed_token())
    assert claims["iss"] == ISSUER.issuer
    assert claims["aud"] == ISSUER.audience
    assert (claims["sub"], claims["client_id"]) == ("subject", "test-client")
    assert claims["scope"] == ""
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 10


def test_a_token_says_what_the_test_wants() -> None:
    token = ISSUER.signed_token(
        "alice", scope="a b", client_id="shop", lifetime=60, acr="high", jti="7"
    )
    claims = claims_of(token)
    assert (claims["sub"], claims["scope"]) == ("alice", "a b")
    assert (claims["client_id"], claims["acr"], claims["jti"]) == ("shop", "high", "7")
    assert claims["exp"] - claims["iat"] == 60


def test_each_token_is_another() -> None:
    tokens = [claims_of(ISSUER.signed_token())["jti"] for _ in range(3)]
    assert len(set(tokens)) == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"lifetime": -60}, Reason.EXPIRED),
        ({"aud": "other"}, Reason.AUDIENCE),
        ({"iss": "https://evil.test"}, Reason.ISSUER),
        ({"jti": None}, Reason.CLAIM_MISSING),
        ({"headers": {"typ": "JWT"}}, Reason.TYPE),
        ({"headers": {"kid": "other"}}, Reason.KEY_UNKNOWN),
    ],
    ids=repr,
)
def test_a_token_can_be_bad(options: dict[str, Any], reason: Reason) -> None:
    assert refusal(ISSUER.signed_token(**options)) is reason


def test_two_issuers_have_two_keys() -> None:
    assert refusal(ISSUER.signed_token(), InMemoryIssuer()) is Reason.SIGNATURE


def test_an_issuer_has_the_names_that_it_is_given() -> None:
    own = InMemoryIssuer("https://id.example/realm", "ledger")
    claims = claims_of(own.signed_token(), own)
    assert (claims["iss"], claims["aud"]) == ("https://id.example/realm", "ledger")


def test_only_the_public_key_is_published() -> None:
    (jwk,) = ISSUER.jwks["keys"]
    assert "d" not in jwk
    assert (jwk["kty"], jwk["alg"], jwk["use"]) == ("EC", "ES256", "sig")
    assert ISSUER.jwks == ISSUER.jwks


def test_the_value_of_a_header_is_given() -> None:
    scheme, token = ISSUER.authorization("alice", scope="a").split(" ")
    assert scheme == "Bearer"
    assert claims_of(token)["sub"] == "alice"
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
