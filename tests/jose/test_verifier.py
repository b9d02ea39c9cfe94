import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drf_apikit.jose import (
    KeySet,
    Policy,
    Reason,
    TokenError,
    parse_compact,
    parse_key_set,
    verify,
)
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.claims import ClaimRules
from tests.jose.minting import (
    CLAIMS,
    HEADER,
    KEY_OF,
    KEYS,
    NOW,
    POLICY,
    base64url,
    mint,
    private_key,
    public_jwk,
    sign,
)

#: The order of the group of P-256.
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def check(token: str, keys: KeySet = KEYS, policy: Policy[ClaimRules] = POLICY) -> Any:
    return verify(parse_compact(token), keys, policy, NOW)


def refusal(
    token: str, keys: KeySet = KEYS, policy: Policy[ClaimRules] = POLICY
) -> Reason:
    with pytest.raises(TokenError) as refused:
        check(token, keys, policy)
    return refused.value.reason


def forged(header: Mapping[str, Any], signature: bytes) -> str:
    """Write a token with a signature of one's own making."""
    parts = (json.dumps(header).encode(), json.dumps(dict(CLAIMS)).encode(), signature)
    return ".".join(map(base64url, parts))


def by_secret(secret: bytes, algorithm: str) -> str:
    """Sign with HMAC, as who knows the public key could (RFC 8725 section 2.1)."""
    header = {**HEADER, "alg": algorithm, "kid": "RSA"}
    signing_input = forged(header, b"").rpartition(".")[0]
    digestmod = algorithm.replace("HS", "sha")
    digest = hmac.digest(secret, signing_input.encode(), digestmod)
    return f"{signing_input}.{base64url(digest)}"


def public_key(encoding: Encoding) -> bytes:
    key = private_key("RSA").public_key()
    return bytes(key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.compliance("RFC 7515", "5.2")
@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("with_kid", [True, False], ids=["kid", "no-kid"])
def test_a_good_token_of_each_algorithm_passes(algorithm: str, with_kid: bool) -> None:
    kind = KEY_OF[algorithm]
    header = {**HEADER, "alg": algorithm, "kid": kind if with_kid else None}
    token = mint(header, algorithm=algorithm, kind=kind)
    assert check(token) == CLAIMS
    assert check(token, policy=replace(POLICY, algorithms=frozenset({algorithm})))
    others = replace(POLICY, algorithms=ALGORITHMS - {algorithm})
    assert refusal(token, policy=others) is Reason.ALGORITHM


@pytest.mark.compliance("RFC 8725", "3.2")
@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(
    "algorithm",
    [
        None,
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "HS384",
        "HS512",
        "ES256K",
        "ES512 ",
        "es256",
        "Ed448",
        "RSA-OAEP",
        "dir",
        "A128KW",
        1,
        True,
        [],
        ["ES256"],
        {"ES256": 1},
    ],
    ids=repr,
)
def test_an_algorithm_that_is_not_in_the_list_is_refused(algorithm: Any) -> None:
    header = {**HEADER, "alg": algorithm}
    assert refusal(mint(header)) is Reason.ALGORITHM
    unsigned = mint(header).rpartition(".")[0]
    assert refusal(f"{unsigned}.") is Reason.ALGORITHM


@pytest.mark.compliance("RFC 8725", "2.1")
@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(public_key(Encoding.PEM), id="pem"),
        pytest.param(public_key(Encoding.PEM).strip(), id="pem-stripped"),
        pytest.param(public_key(Encoding.DER), id="der"),
        pytest.param(json.dumps(public_jwk("RSA")).encode(), id="jwk"),
        pytest.param(json.dumps({"keys": [public_jwk("RSA")]}).encode(), id="jwks"),
        pytest.param(base64.urlsafe_b64decode(public_jwk("RSA")["n"] + "=="), id="n"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_public_key_is_no_secret(algorithm: str, secret: bytes) -> None:
    token = by_secret(secret, algorithm)
    assert refusal(token) is Reason.ALGORITHM
    # Not even where somebody allows it.
    careless = replace(POLICY, algorithms=ALGORITHMS | {algorithm})
    assert refusal(token, policy=careless) is Reason.KEY_UNFIT


@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.parametrize(
    ("algorithm", "kid"),
    [
        ("RS256", "P-256"),
        ("RS256", "Ed25519"),
        ("PS512", "P-521"),
        ("ES256", "RSA"),
        ("ES256", "P-384"),
        ("ES384", "P-256"),
        ("ES512", "Ed25519"),
        ("EdDSA", "P-256"),
        ("EdDSA", "RSA"),
    ],
)
def test_an_algorithm_does_not_choose_its_key(algorithm: str, kid: str) -> None:
    header = {**HEADER, "alg": algorithm, "kid": kid}
    token = mint(header, algorithm=algorithm, kind=KEY_OF[algorithm])
    assert refusal(token) is Reason.KEY_UNFIT


@pytest.mark.compliance("RFC 7515", "4.1.11")
@pytest.mark.compliance("RFC 8725", "3.10")
@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"crit": ["b64"], "b64": True},
        {"crit": ["x"], "x": 1},
        {"crit": ["alg"]},
        {"crit": None},
        {"crit": 7},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"zip": None},
    ],
    ids=repr,
)
def test_extensions_are_refused(members: dict[str, Any]) -> None:
    header = json.dumps({**HEADER, **members}).encode()
    assert refusal(mint(header)) is Reason.HEADER


@pytest.mark.compliance("RFC 8725", "3.10")
@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
@pytest.mark.parametrize(
    "value", [public_jwk("other P-256"), "https://evil.test/keys", ["MIIB"], 7, None]
)
def test_keys_from_the_header_are_not_looked_at(name: str, value: Any) -> None:
    header = json.dumps({**HEADER, name: value}).encode()
    assert check(mint(header)) == CLAIMS
    assert refusal(mint(header, kind="other P-256")) is Reason.SIGNATURE


@pytest.mark.compliance("RFC 9068", "2.1")
@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.parametrize(
    "typ",
    ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"],
)
def test_an_access_token_says_that_it_is_one(typ: str) -> None:
    assert check(mint({**HEADER, "typ": typ})) == CLAIMS


@pytest.mark.compliance("RFC 9068", "2.1")
@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.parametrize(
    "typ",
    [
        None,
        "",
        "JWT",
        "jwt",
        "application/jwt",
        "dpop+jwt",
        "logout+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "rt+jwt",
        "at+jwt;charset=utf-8",
        " at+jwt",
        "at+jwt ",
        "at jwt",
        "text/at+jwt",
        "application/",
        "application/application/at+jwt",
        "at+jwt\0",
        "at+ȷwt",
        1,
        True,
        [],
        ["at+jwt"],
        {"at+jwt": 1},
    ],
    ids=ascii,
)
def test_other_tokens_of_the_issuer_are_refused(typ: Any) -> None:
    assert refusal(mint({**HEADER, "typ": typ})) is Reason.TYPE


@pytest.mark.compliance("RFC 7515", "4.1.4")
@pytest.mark.parametrize("kid", ["null", "0", "true", "[]", '["P-256"]', "{}", "1.5"])
def test_a_kid_is_a_string(kid: str) -> None:
    header = b'{"alg": "ES256", "typ": "at+jwt", "kid": %b}' % kid.encode()
    assert refusal(mint(header)) is Reason.HEADER
    # Nor does it become "no kid", which a single key would serve.
    single = parse_key_set({"keys": [public_jwk("P-256")]})
    assert refusal(mint(header), single) is Reason.HEADER


@pytest.mark.parametrize(
    ("kid", "reason"),
    [
        ("", Reason.KEY_UNKNOWN),
        ("p-256", Reason.KEY_UNKNOWN),
        ("x" * 256, Reason.KEY_UNKNOWN),
        ("x" * 257, Reason.HEADER),
        ("../../../../dev/null", Reason.KEY_UNKNOWN),
        ("' UNION SELECT 'key", Reason.KEY_UNKNOWN),
        ("a\0b", Reason.KEY_UNKNOWN),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_kid_finds_a_key_or_nothing(kid: str, reason: Reason) -> None:
    assert refusal(mint({**HEADER, "kid": kid})) is reason


@pytest.mark.compliance("RFC 7515", "5.2")
def test_another_key_under_a_known_name_does_not_verify() -> None:
    assert refusal(mint(kind="other P-256")) is Reason.SIGNATURE


@pytest.mark.compliance("RFC 7518", "3.4")
@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (0, 1), (1, 0), (N, N), (N, 1), (1, N), (1, 1), (N - 1, N - 1)]
)
def test_degenerate_signatures_do_not_verify(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert refusal(forged(HEADER, raw)) is Reason.SIGNATURE


@pytest.mark.compliance("RFC 7518", "3.4")
def test_a_der_signature_does_not_verify() -> None:
    signing_input = forged(HEADER, b"").rpartition(".")[0]
    raw = sign("ES256", "P-256", signing_input.encode())
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    assert check(forged(HEADER, raw)) == CLAIMS
    assert refusal(forged(HEADER, encode_dss_signature(r, s))) is Reason.SIGNATURE


@pytest.mark.compliance("RFC 7515", "5.2")
@pytest.mark.parametrize("part", [0, 1], ids=["header", "payload"])
def test_what_is_signed_cannot_be_replaced(part: int) -> None:
    one, other = mint(), mint({**HEADER, "typ": "AT+JWT"}, {**CLAIMS, "sub": "bob"})
    pieces = one.split(".")
    pieces[part] = other.split(".")[part]
    assert refusal(".".join(pieces)) is Reason.SIGNATURE


@pytest.mark.compliance("RFC 7515", "5.2")
@pytest.mark.parametrize(
    "claims", [{"exp": 0}, {"sub": "\0"}, {"iss": "x"}, {"aud": 1}]
)
def test_claims_are_judged_after_the_signature(claims: dict[str, Any]) -> None:
    bad = {**CLAIMS, **claims}
    assert refusal(mint(claims=bad, kind="other P-256")) is Reason.SIGNATURE
    assert refusal(mint(claims=bad)) is not Reason.SIGNATURE


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "iat", "client_id", "jti"]
)
def test_a_signed_token_without_a_claim_is_refused(name: str) -> None:
    assert refusal(mint(claims={**CLAIMS, name: None})) is Reason.CLAIM_MISSING


@pytest.mark.parametrize("kid", ["RSA-1024", "RSA-e3"])
def test_a_weak_key_verifies_nothing_although_it_is_published(kid: str) -> None:
    keys = parse_key_set({"keys": [public_jwk(kid), public_jwk("P-256")]})
    header = {**HEADER, "alg": "RS256", "kid": kid}
    token = mint(header, algorithm="RS256", kind=kid)
    assert refusal(token, keys) is Reason.KEY_UNKNOWN


@pytest.mark.parametrize(
    ("token", "reason", "detail"),
    [
        (mint({**HEADER, "zip": "DEF"}), Reason.HEADER, "zip is not supported"),
        (mint({**HEADER, "kid": 7}), Reason.HEADER, "unusable kid"),
        (mint({**HEADER, "alg": "none"}), Reason.ALGORITHM, "not in the allow-list"),
        (
            mint({**HEADER, "typ": "JWT"}),
            Reason.TYPE,
            "typ is of another kind of token",
        ),
        (mint(kind="other P-256"), Reason.SIGNATURE, "does not verify"),
    ],
    ids=["extension", "kid", "algorithm", "type", "signature"],
)
def test_a_refusal_says_what_is_wrong(token: str, reason: Reason, detail: str) -> None:
    with pytest.raises(TokenError) as refused:
        check(token)
    assert (refused.value.reason, refused.value.detail) == (reason, detail)
