import base64
from typing import Any
from urllib.parse import unquote_plus

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from drf_apikit.jose.signing import SigningKey, load_signing_key
from drf_apikit.oidc.client_authentication import ClientAuthentication
from tests.jose.minting import private_key

NOW = 1_800_000_000.75
AUDIENCE = "https://id.example"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def signing_key(kind: str = "P-256", kid: str | None = None) -> SigningKey:
    raw = private_key(kind).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return load_signing_key(str(raw, "ascii"), kid)


def applied(
    method: str, client_id: str = "client", **options: Any
) -> tuple[dict[str, str], dict[str, str]]:
    """Give the form and the headers, which had something else before."""
    form, headers = {"grant_type": "g"}, {"Accept": "a/b"}
    ClientAuthentication(client_id, method, **options).apply(form, headers, NOW)
    assert (form.pop("grant_type"), headers.pop("Accept")) == ("g", "a/b")
    return form, headers


@pytest.mark.compliance("RFC 6749", "2.3.1")
@pytest.mark.parametrize(
    ("client_id", "secret", "pair"),
    [
        ("client", "secret", "client:secret"),
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("a b", "c+d", "a+b:c%2Bd"),
        ("https://x/y", "a/b?c&d=e%20", "https%3A%2F%2Fx%2Fy:a%2Fb%3Fc%26d%3De%2520"),
        ("é", "\u20ac\U0001f600", "%C3%A9:%E2%82%AC%F0%9F%98%80"),
        ("a-b_c.d~e", "\r\n\0", "a-b_c.d~e:%0D%0A%00"),
    ],
    ids=ascii,
)
def test_basic_encodes_both_parts_as_in_forms(
    client_id: str, secret: str, pair: str
) -> None:
    options = {"client_secret": secret}
    form, headers = applied("client_secret_basic", client_id, **options)
    assert form == {}
    scheme, _, encoded = headers.pop("Authorization").partition(" ")
    assert (scheme, headers) == ("Basic", {})
    sent = base64.b64decode(encoded, validate=True).decode("ascii")
    assert sent == pair
    # As the other side reads it.
    assert [unquote_plus(part) for part in sent.split(":")] == [client_id, secret]


def test_basic_is_one_line_however_long_the_secret_is() -> None:
    _, headers = applied("client_secret_basic", client_secret="s" * 1000)
    assert "\n" not in headers["Authorization"]


@pytest.mark.compliance("RFC 6749", "2.3.1")
def test_post_puts_both_into_the_form() -> None:
    form, headers = applied("client_secret_post", "a:b", client_secret="c d")
    assert form == {"client_id": "a:b", "client_secret": "c d"}
    assert headers == {}


def test_without_a_method_there_is_the_name_alone() -> None:
    assert applied("none", client_secret="unused") == ({"client_id": "client"}, {})


@pytest.mark.compliance("RFC 7523", "2.2")
@pytest.mark.compliance("RFC 7523", "3")
@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_an_assertion_is_verified_by_pyjwt(kind: str) -> None:
    key = signing_key(kind, "our-key")
    form, headers = applied("private_key_jwt", signing_key=key, audience=AUDIENCE)
    assert headers == {}
    assertion = form.pop("client_assertion")
    assert form == {"client_id": "client", "client_assertion_type": TYPE}
    assert jwt.get_unverified_header(assertion) == {
        "alg": key.algorithm,
        "kid": "our-key",
        "typ": "JWT",
    }
    claims = jwt.decode(
        assertion,
        jwt.PyJWK(key.public_jwk()).key,
        algorithms=[key.algorithm],
        audience=AUDIENCE,
        issuer="client",
        subject="client",
        # The clock stands still.
        options={"verify_exp": False, "verify_iat": False},
    )
    assert len(claims.pop("jti")) >= 22
    assert claims == {
        "iss": "client",
        "sub": "client",
        "aud": AUDIENCE,
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
    }


@pytest.mark.compliance("RFC 7523", "3")
def test_no_assertion_is_sent_twice() -> None:
    """Also within a second: who has seen one cannot use it again."""
    key, ids = signing_key("Ed25519"), set()
    for _ in range(3):
        form, _ = applied("private_key_jwt", signing_key=key, audience=AUDIENCE)
        token = form["client_assertion"]
        ids.add(jwt.decode(token, options={"verify_signature": False})["jti"])
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("", {}),
        ("client_secret_jwt", {"client_secret": "s"}),
        ("tls_client_auth", {}),
        ("client_secret_basic", {}),
        ("client_secret_basic", {"client_secret": ""}),
        pytest.param("client_secret_post", {"signing_key": signing_key()}, id="key"),
        ("private_key_jwt", {"client_secret": "hunter2", "audience": AUDIENCE}),
        pytest.param(
            "private_key_jwt", {"signing_key": signing_key()}, id="no audience"
        ),
        pytest.param(
            "private_key_jwt",
            {"signing_key": signing_key(), "audience": ""},
            id="empty audience",
        ),
    ],
    ids=str,
)
def test_what_is_missing_is_said_at_once(method: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no way|needs a") as refused:
        ClientAuthentication("client", method, **options)
    assert "hunter2" not in str(refused.value)


def test_nothing_secret_is_shown() -> None:
    client = ClientAuthentication(
        "client", "client_secret_basic", "hunter2", signing_key(kid="k"), AUDIENCE
    )
    assert "hunter2" not in repr(client)
    assert "SigningKey(algorithm='ES256', kid='k')" in repr(client)
