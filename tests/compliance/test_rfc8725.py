"""RFC 8725 section 3 over HTTP: the best current practices, one by one.

What follows from a rule in every detail is proved in `tests/jose`.
"""

import base64
import hmac
import json
from typing import Any

import pytest

from drf_apikit.oidc import transport
from tests.compliance.tokens import KINDS, made, refused, taken, trusting
from tests.jose.minting import HEADER, KEY_OF, base64url, mint, public_jwk

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    settings.DRF_APIKIT = trusting()


def with_parts(token: str, **parts: str) -> str:
    names = ("header", "payload", "signature")
    found = dict(zip(names, token.split("."), strict=True))
    return ".".join({**found, **parts}.values())


@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.parametrize("algorithm", sorted(KEY_OF))
def test_the_caller_chooses_the_algorithms(settings: Any, algorithm: str) -> None:
    token = made(algorithm=algorithm, kind=KEY_OF[algorithm])
    taken(token)
    settings.DRF_APIKIT = trusting(ALGORITHMS=sorted(set(KEY_OF) - {algorithm}))
    refused(token)


@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.parametrize("named", ["RS256", "PS256", "ES384", "EdDSA", "HS256"])
def test_the_header_has_no_say(named: str) -> None:
    """Each key is for the algorithm of its kind, whatever a token says."""
    refused(made({"alg": named}))


@pytest.mark.compliance("RFC 8725", "3.1")
def test_a_key_is_for_one_algorithm_if_it_says_so(settings: Any) -> None:
    settings.DRF_APIKIT = trusting({"keys": [public_jwk("RSA", alg="RS512")]})
    taken(made(algorithm="RS512", kind="RSA"))
    refused(made(algorithm="RS256", kind="RSA"))


@pytest.mark.compliance("RFC 8725", "3.2")
@pytest.mark.parametrize("algorithm", ["none", "NONE", "HS256", "RSA1_5", "ES256K"])
def test_what_is_not_appropriate_is_not_there(algorithm: str) -> None:
    token = made({"alg": algorithm})
    refused(token)
    refused(with_parts(token, signature=""))


@pytest.mark.compliance("RFC 8725", "3.3")
@pytest.mark.parametrize("part", ["header", "payload", "signature"])
def test_a_signature_that_fails_refuses_the_whole(part: str) -> None:
    other = made(sub="admin", kind="other P-256", header={"kid": "P-256", "x": 1})
    names = ("header", "payload", "signature")
    piece = other.split(".")[names.index(part)]
    refused(with_parts(made(), **{part: piece}))


@pytest.mark.compliance("RFC 8725", "3.3")
def test_a_token_in_a_token_is_not_opened() -> None:
    refused(made({"cty": "JWT", "alg": "none"}, sub=made()))
    header = base64url(b'{"alg": "dir", "enc": "A256GCM", "cty": "JWT"}')
    refused(f"{header}..{'.'.join(made().split('.'))}")


@pytest.mark.compliance("RFC 8725", "3.4")
def test_points_and_numbers_outside_of_their_range_are_refused(settings: Any) -> None:
    zero = base64url(bytes(64))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    full = base64url(order.to_bytes(32) * 2)
    refused(with_parts(made(), signature=zero))
    refused(with_parts(made(), signature=full))
    # A point that is not on the curve makes no key, and harms no other one.
    off = {**public_jwk("P-256"), "y": base64url(b"\1" * 32)}
    settings.DRF_APIKIT = trusting({"keys": [off, public_jwk("P-384")]})
    refused(made())
    taken(made(algorithm="ES384", kind="P-384"))


@pytest.mark.compliance("RFC 8725", "3.5")
@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-e3"])
def test_a_weak_key_is_left_out(settings: Any, kind: str) -> None:
    settings.DRF_APIKIT = trusting({"keys": [public_jwk(kind), public_jwk("P-256")]})
    refused(made(algorithm="RS256", kind=kind))
    taken(made())


@pytest.mark.compliance("RFC 8725", "3.5")
@pytest.mark.parametrize("secret", [b"", b"password", b"x" * 64], ids=repr)
def test_nobody_signs_with_a_password(settings: Any, secret: bytes) -> None:
    """Not even where one is published as a key."""
    shared = {"kty": "oct", "kid": "s", "k": base64url(secret), "alg": "HS256"}
    settings.DRF_APIKIT = trusting({"keys": [shared, public_jwk("P-256")]})
    token = made({"alg": "HS256", "kid": "s"})
    signing_input = token.rpartition(".")[0]
    digest = hmac.digest(secret, signing_input.encode(), "sha256")
    refused(f"{signing_input}.{base64url(digest)}")


@pytest.mark.compliance("RFC 8725", "3.6")
@pytest.mark.parametrize("value", ["DEF", "GZIP", ""])
def test_nothing_is_decompressed(value: str) -> None:
    refused(made({"zip": value}))


@pytest.mark.compliance("RFC 8725", "3.7")
def test_text_is_utf_8() -> None:
    """What is signed is all well, but for its encoding."""
    taken(made(name="Zoë \U0001f600"))
    payload = base64.urlsafe_b64decode(made().split(".")[1] + "==")
    text = json.dumps(json.loads(payload), ensure_ascii=False)
    taken(mint(HEADER, text.encode("utf-8")))
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        refused(mint(HEADER, text.encode(encoding)))
    refused(mint(HEADER, text.encode().replace(b"id-1", b"id-\xff")))
    refused(mint(HEADER, text.encode().replace(b"id-1", b"id-\\ud800")))


@pytest.mark.compliance("RFC 8725", "3.8")
def test_issuer_and_subject_are_looked_at(settings: Any) -> None:
    """A key is for the tokens of its issuer, and a subject is one of its own."""
    refused(made(iss="https://other.test"))
    other = {"AUDIENCE": "https://api.test", "JWKS": {"keys": [public_jwk("RSA")]}}
    issuers = settings.DRF_APIKIT["AUTHENTICATION"]["ISSUERS"]
    settings.DRF_APIKIT = {
        "AUTHENTICATION": {"ISSUERS": {**issuers, "https://other.test": other}}
    }
    taken(made(iss="https://other.test", algorithm="RS256", kind="RSA"))
    refused(made(iss="https://other.test"))
    for sub in (None, "", 7, "nobody", "\0"):
        refused(made(sub=sub))


@pytest.mark.compliance("RFC 8725", "3.9")
@pytest.mark.parametrize(
    "audience", [None, "", "https://other.test", [], ["https://api.test/"]], ids=repr
)
def test_a_token_is_for_this_api(audience: Any) -> None:
    refused(made(aud=audience))


@pytest.mark.compliance("RFC 8725", "3.10")
@pytest.mark.parametrize(
    "member",
    [
        {"jku": "https://evil.test/keys"},
        {"x5u": "http://169.254.169.254/"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": "https://evil.test/keys"},
        {"jwk": public_jwk("other P-256")},
    ],
    ids=lambda member: next(iter(member)),
)
def test_nothing_is_fetched_because_of_a_header(
    monkeypatch: pytest.MonkeyPatch, member: dict[str, Any]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(transport, "send", lambda _, url, **__: asked.append(url))
    refused(made(member, kind="other P-256"))
    assert asked == []


@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.parametrize("typ", [None, "JWT", "dpop+jwt", "logout+jwt"])
def test_a_token_says_of_what_kind_it_is(typ: str | None) -> None:
    refused(made({"typ": typ}))


@pytest.mark.compliance("RFC 8725", "3.12")
@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {"nonce": "n", "at_hash": "h", "azp": "robot"}),
        ({}, {"at_hash": "h"}),
        ({}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        ({}, {"htm": "GET", "htu": "https://api.test/"}),
        ({}, {"client_id": None, "azp": "robot"}),
    ],
    ids=["id-token", "id-token-typed", "logout", "dpop", "without-client"],
)
def test_tokens_of_another_kind_follow_other_rules(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    refused(made(header, **claims))


@pytest.mark.compliance("RFC 8725", "3.12")
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_for_encryption_verifies_nothing(settings: Any, kind: str) -> None:
    jwks = {"keys": [public_jwk(kind, use="enc"), public_jwk("other P-256")]}
    settings.DRF_APIKIT = trusting(jwks)
    algorithm = next(name for name, its in KEY_OF.items() if its == kind)
    refused(made(algorithm=algorithm, kind=kind))
