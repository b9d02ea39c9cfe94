import re
import traceback
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, x25519

from drf_apikit.jose import KeySetError, parse_key_set
from drf_apikit.jose.signing import SigningKey, load_signing_key
from tests.jose.minting import private_key, public_jwk

#: The algorithm of each kind of key.
ALGORITHMS = {
    "RSA": "RS256",
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
}
#: RFC 8037 appendices A.1 and A.3.
ED25519_SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
ED25519_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
CLAIMS = {"iss": "client", "n": 1}


def pem(key: Any, password: bytes | None = None) -> str:
    encryption: serialization.KeySerializationEncryption
    encryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, encryption), "ascii")


def loaded(kind: str, kid: str | None = None) -> SigningKey:
    return load_signing_key(pem(private_key(kind)), kid)


@pytest.mark.compliance("RFC 7518", "3.1")
@pytest.mark.compliance("RFC 8037", "3.1")
@pytest.mark.parametrize(("kind", "algorithm"), ALGORITHMS.items())
def test_what_is_signed_can_be_verified(kind: str, algorithm: str) -> None:
    key = loaded(kind, "name")
    assert (key.algorithm, key.kid) == (algorithm, "name")
    token = key.sign(CLAIMS, "x+jwt")
    header = {"alg": algorithm, "kid": "name", "typ": "x+jwt"}
    assert jwt.get_unverified_header(token) == header
    known = jwt.PyJWK(key.public_jwk())
    assert jwt.decode(token, known.key, algorithms=[algorithm]) == CLAIMS


def test_without_a_type_there_is_none() -> None:
    token = loaded("P-256", "name").sign(CLAIMS)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "name"}


def test_what_is_signed_is_not_changed() -> None:
    claims = dict(CLAIMS)
    loaded("P-256").sign(claims)
    assert claims == CLAIMS


@pytest.mark.compliance("RFC 7517", "4")
@pytest.mark.parametrize(("kind", "algorithm"), ALGORITHMS.items())
def test_the_public_key_is_one_that_others_use(kind: str, algorithm: str) -> None:
    jwk = loaded(kind, "name").public_jwk()
    assert jwk.keys().isdisjoint({"d", "p", "q", "dp", "dq", "qi", "key_ops"})
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == ("name", algorithm, "sig")
    members = {n: v for n, v in public_jwk(kind).items() if n not in ("kid", "key_ops")}
    assert {**jwk, **members} == jwk
    usable = parse_key_set({"keys": [jwk]})
    assert usable.dropped == ()
    assert usable.keys[0].algorithms == {algorithm}


@pytest.mark.compliance("RFC 7638", "3")
@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("kid", [None, ""])
def test_without_a_name_it_has_that_of_its_members(kind: str, kid: str | None) -> None:
    key = loaded(kind, kid)
    (published,) = parse_key_set({"keys": [key.public_jwk()]}).keys
    assert key.kid == published.kid == published.thumbprint
    assert re.fullmatch(r"[\w-]{43}", key.kid)


@pytest.mark.compliance("RFC 8037", "A.3")
def test_the_name_is_that_of_the_specification() -> None:
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": ED25519_SEED,
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    known = jwt.PyJWK(jwk, algorithm="EdDSA").key
    assert load_signing_key(pem(known)).kid == ED25519_THUMBPRINT


@pytest.mark.parametrize(
    "form",
    [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL],
    ids=["pkcs8", "traditional"],
)
def test_both_forms_of_pem_are_read(form: serialization.PrivateFormat) -> None:
    raw = private_key("RSA").private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    )
    assert load_signing_key(str(raw, "ascii")).algorithm == "RS256"


@pytest.mark.compliance("RFC 7518", "3.3")
@pytest.mark.parametrize(
    "kind", ["RSA-1024", "RSA-e3", "secp256k1", "Ed448", "DSA", "X25519"]
)
def test_a_key_that_nobody_should_sign_with_is_refused(kind: str) -> None:
    others = {
        "DSA": lambda: dsa.generate_private_key(2048),
        "X25519": x25519.X25519PrivateKey.generate,
    }
    key = others[kind]() if kind in others else private_key(kind)
    with pytest.raises(KeySetError, match="too weak, or not for signatures"):
        load_signing_key(pem(key))


def broken() -> dict[str, str]:
    """Make texts that are no private key, and hold secrets all the same."""
    good = pem(private_key("P-256"))
    key = private_key("P-256").public_key()
    public = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "nothing": "",
        "text": "hunter2",
        "cut": good[:60],
        "body": "".join(good.splitlines()[1:-1]),
        "damaged": good.replace("M", "N"),
        "escaped": good.replace("\n", "\\n"),
        "not-ascii": good.replace("M", "\u0416"),
        "surrogate": "\ud800",
        "encrypted": pem(private_key("P-256"), b"hunter2"),
        "public": str(public, "ascii"),
        "jwk": '{"kty": "oct", "k": "hunter2"}',
    }


@pytest.mark.parametrize("kind", broken())
def test_what_is_no_private_key_is_refused_and_not_shown(kind: str) -> None:
    text = broken()[kind]
    with pytest.raises(KeySetError, match="no private key in PEM") as refused:
        load_signing_key(text)
    error = refused.value
    shown = "".join(traceback.format_exception(error))
    for line in [line for line in text.splitlines() if len(line) > 3]:
        assert line not in shown


def test_nothing_of_the_key_is_shown() -> None:
    key = loaded("P-256", "name")
    assert repr(key) == "SigningKey(algorithm='ES256', kid='name')"
