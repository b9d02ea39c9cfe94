from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import JWKRegistry

from drf_apikit.jose.errors import KeySetError, Reason, TokenError
from drf_apikit.jose.keys import MAX_KEYS, KeySet, parse_key_set
from tests.jose.minting import KEY_OF, base64url, private_key, public_jwk
from tests.jose.strategies import JSON_VALUES

SECRET = base64url(b"a secret that nobody may read")
JUNK: list[Any] = [None, True, 7, 1.5, "", "x", [], {}, [[]], {"kty": {}}]
RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def parse(*jwks: Any) -> KeySet:
    return parse_key_set({"keys": list(jwks)})


def select(keys: KeySet, kid: str | None, algorithm: str) -> Any:
    return keys.select(kid, algorithm).public_key


def refusal(keys: KeySet, kid: str | None, algorithm: str = "ES256") -> Reason:
    with pytest.raises(TokenError) as refused:
        keys.select(kid, algorithm)
    return refused.value.reason


@pytest.mark.compliance("RFC 7517", "5")
@pytest.mark.parametrize(
    "document",
    [*JUNK, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": ()}, {"Keys": []}],
    ids=repr,
)
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(KeySetError, match="not an object with a `keys` array"):
        parse_key_set(document)


@pytest.mark.compliance("RFC 7517", "5")
def test_an_empty_set_is_a_set() -> None:
    assert parse() == KeySet((), ())
    assert refusal(parse(), "a") is Reason.KEY_UNKNOWN
    assert refusal(parse(), None) is Reason.KEY_UNKNOWN


@pytest.mark.compliance("RFC 7518", "6")
@pytest.mark.compliance("RFC 8037", "2")
@pytest.mark.parametrize("algorithm", sorted(KEY_OF))
def test_a_key_is_read_for_what_it_can_do(algorithm: str) -> None:
    kind = KEY_OF[algorithm]
    keys = parse(public_jwk(kind))
    assert keys.dropped == ()
    assert select(keys, kind, algorithm) == private_key(kind).public_key()
    fitting = {name for name in KEY_OF if KEY_OF[name] == kind}
    assert keys.keys[0].algorithms == fitting


@pytest.mark.compliance("RFC 8725", "3.5")
@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        *[pytest.param(junk, None, id=f"junk-{junk!r}") for junk in JUNK],
        pytest.param({"kty": "oct", "k": SECRET}, "secret", id="oct"),
        pytest.param({"kty": "oct"}, "secret", id="oct-without-k"),
        pytest.param(public_jwk("P-256", k=SECRET), "secret", id="ec-with-k"),
        pytest.param(public_jwk("P-256", d=SECRET), "secret", id="ec-private"),
        pytest.param(public_jwk("RSA", d=SECRET), "secret", id="rsa-private"),
        *[
            pytest.param(public_jwk("RSA", **{m: SECRET}), "secret", id=f"rsa-{m}")
            for m in ("p", "q", "dp", "dq", "qi", "oth")
        ],
        pytest.param(public_jwk("Ed25519", d=SECRET), "secret", id="okp-private"),
        pytest.param(public_jwk("RSA-1024"), "weak", id="rsa-1024"),
        pytest.param(public_jwk("RSA-e3"), "weak", id="rsa-e-3"),
        pytest.param(public_jwk("secp256k1"), "weak", id="secp256k1"),
        pytest.param(public_jwk("Ed448"), "weak", id="ed448"),
        pytest.param(public_jwk("P-256", crv="P-521"), "broken", id="wrong-crv"),
        pytest.param(public_jwk("P-256", crv="P-999"), "broken", id="unknown-crv"),
        pytest.param(public_jwk("P-256", crv=["P-256"]), "broken", id="list-crv"),
        pytest.param(public_jwk("P-256", y=SECRET), "broken", id="short-y"),
        pytest.param(
            public_jwk("P-256", y=base64url(bytes(32))), "broken", id="off-the-curve"
        ),
        pytest.param(public_jwk("P-256", x=None), "broken", id="no-x"),
        pytest.param(public_jwk("P-256", x="é"), "broken", id="non-ascii-x"),
        pytest.param(public_jwk("P-256", x="\ud800"), "broken", id="surrogate-x"),
        pytest.param(public_jwk("RSA", n=None), "broken", id="no-n"),
        pytest.param(public_jwk("RSA", n=""), "broken", id="empty-n"),
        pytest.param(public_jwk("RSA", n="!"), "broken", id="bad-n"),
        pytest.param(public_jwk("RSA", e=7), "broken", id="number-e"),
        pytest.param(public_jwk("RSA", e="AA"), "broken", id="e-is-zero"),
        pytest.param(public_jwk("RSA", e="AQAA"), "broken", id="e-is-even"),
        pytest.param(public_jwk("Ed25519", x="AAAA"), "broken", id="short-okp"),
        pytest.param(public_jwk("Ed25519", crv="X25519"), "broken", id="x25519"),
        pytest.param(public_jwk("P-256", kty="ec"), "broken", id="kty-case"),
        pytest.param(public_jwk("P-256", kty="RSA"), "broken", id="other-kty"),
        pytest.param(public_jwk("P-256", kty=["EC"]), "broken", id="list-kty"),
        pytest.param(public_jwk("P-256", kty=None), "broken", id="no-kty"),
        pytest.param(public_jwk("P-256", kid=7), "kid", id="number-kid"),
        pytest.param(public_jwk("P-256", kid=True), "kid", id="bool-kid"),
        pytest.param(public_jwk("P-256", kid=["P-256"]), "kid", id="list-kid"),
        pytest.param(public_jwk("P-256", kid={}), "kid", id="object-kid"),
        pytest.param(public_jwk("P-256", kid="x" * 257), "kid", id="long-kid"),
        pytest.param(public_jwk("P-256", use="enc"), "not for sig", id="use-enc"),
        pytest.param(public_jwk("P-256", use=["sig"]), "not for sig", id="list-use"),
        pytest.param(public_jwk("P-256", use=""), "not for sig", id="empty-use"),
        pytest.param(public_jwk("P-256", key_ops=["sign"]), "not for sig", id="ops"),
        pytest.param(public_jwk("P-256", key_ops=[]), "not for sig", id="no-ops"),
        pytest.param(public_jwk("P-256", key_ops="verify"), "not for sig", id="op"),
        pytest.param(
            public_jwk("P-256", key_ops={"verify": 1}), "not for sig", id="ops-object"
        ),
        pytest.param(public_jwk("P-256", alg="ES384"), "not for sig", id="other-alg"),
        pytest.param(public_jwk("P-384", alg="ES256"), "not for sig", id="p-384-es256"),
        pytest.param(public_jwk("RSA", alg="RSA-OAEP"), "not for sig", id="rsa-oaep"),
        pytest.param(public_jwk("RSA", alg="HS256"), "not for sig", id="rsa-hs256"),
        pytest.param(public_jwk("RSA", alg="none"), "not for sig", id="rsa-none"),
        pytest.param(public_jwk("RSA", alg=["RS256"]), "not for sig", id="list-alg"),
        pytest.param(public_jwk("RSA", alg={}), "not for sig", id="object-alg"),
    ],
)
def test_an_unusable_key_is_left_out_and_harms_no_other(
    jwk: Any, reason: str | None
) -> None:
    good = public_jwk("other P-256")
    keys = parse(jwk, good)
    assert [key.kid for key in keys.keys] == ["other P-256"]
    (said,) = keys.dropped
    assert said.startswith("keys[0]: ")
    assert (reason or "") in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("jwk", "said"),
    [
        (7, "not an object"),
        (public_jwk("P-256", kid=7), "unusable kid"),
        (public_jwk("P-256", d=SECRET), "a secret or private key"),
        (public_jwk("P-256", kty="x"), "unknown or broken key"),
        (public_jwk("P-256", use="enc"), "too weak, or not for signatures"),
    ],
)
def test_what_is_left_out_is_told(jwk: Any, said: str) -> None:
    assert parse(public_jwk("P-256"), jwk).dropped == (f"keys[1]: {said}",)


def test_a_refusal_says_what_is_wrong() -> None:
    with pytest.raises(KeySetError, match=r"^not an object with a `keys` array$"):
        parse_key_set([])
    two = parse(public_jwk("P-256", kid="a"), public_jwk("other P-256", kid="a"))
    for kid, reason, detail in (
        ("b", Reason.KEY_UNKNOWN, "no key with this kid"),
        ("a", Reason.KEY_UNFIT, "2 keys fit ES256"),
    ):
        with pytest.raises(TokenError) as refused:
            two.select(kid, "ES256")
        assert (refused.value.reason, refused.value.detail) == (reason, detail)


@pytest.mark.compliance("RFC 7517", "4.4")
@pytest.mark.parametrize("algorithm", sorted(RSA))
def test_alg_narrows_what_a_key_does(algorithm: str) -> None:
    keys = parse(public_jwk("RSA", alg=algorithm))
    assert keys.keys[0].algorithms == {algorithm}
    for other in RSA - {algorithm}:
        assert refusal(keys, "RSA", other) is Reason.KEY_UNFIT


@pytest.mark.compliance("RFC 7517", "4.2")
@pytest.mark.compliance("RFC 7517", "4.3")
@pytest.mark.parametrize(
    "members",
    [
        {"use": "sig"},
        {"key_ops": ["verify"]},
        {"key_ops": [7, {}, "sign", "verify"]},
        {"use": "sig", "alg": "ES256", "key_ops": ["verify"]},
        {"x5c": [7], "x5t": {}, "jku": "https://evil.test", "n": "unknown"},
    ],
    ids=repr,
)
def test_a_key_for_signatures_is_used(members: dict[str, Any]) -> None:
    assert select(parse(public_jwk("P-256", **members)), "P-256", "ES256")


def test_other_mappings_than_dicts_are_read() -> None:
    jwk = MappingProxyType(public_jwk("P-256"))
    keys = parse_key_set(MappingProxyType({"keys": [jwk]}))
    assert select(keys, "P-256", "ES256") == private_key("P-256").public_key()


@pytest.mark.compliance("RFC 7515", "4.1.4")
def test_a_kid_names_a_key_exactly() -> None:
    keys = parse(public_jwk("P-256", kid="a"), public_jwk("other P-256", kid="A"))
    assert select(keys, "a", "ES256") == private_key("P-256").public_key()
    assert select(keys, "A", "ES256") == private_key("other P-256").public_key()
    for kid in ("", "b", "a ", "aA", "../a", "' OR 1=1", "x" * 256):
        assert refusal(keys, kid) is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("kid", ["", "x" * 256, "é", "\ud800"])
def test_any_short_text_is_a_kid(kid: str) -> None:
    assert select(parse(public_jwk("P-256", kid=kid)), kid, "ES256")


@pytest.mark.compliance("RFC 8725", "3.1")
def test_a_kid_of_a_key_for_something_else_is_unfit() -> None:
    keys = parse(public_jwk("P-256"), public_jwk("RSA"), public_jwk("P-384"))
    assert refusal(keys, "P-384", "ES256") is Reason.KEY_UNFIT
    assert refusal(keys, "RSA", "ES256") is Reason.KEY_UNFIT
    assert refusal(keys, "P-256", "RS256") is Reason.KEY_UNFIT


def test_without_a_kid_the_choice_must_be_clear() -> None:
    keys = parse(public_jwk("P-256"), public_jwk("RSA"))
    assert select(keys, None, "ES256") == private_key("P-256").public_key()
    assert select(keys, None, "PS256") == private_key("RSA").public_key()
    assert refusal(keys, None, "EdDSA") is Reason.KEY_UNFIT
    two = parse(public_jwk("P-256"), public_jwk("other P-256"))
    assert refusal(two, None) is Reason.KEY_UNFIT


def test_a_key_without_a_kid_serves_tokens_without_one() -> None:
    keys = parse(public_jwk("P-256", kid=None))
    assert select(keys, None, "ES256") == private_key("P-256").public_key()
    assert refusal(keys, "P-256") is Reason.KEY_UNKNOWN


@pytest.mark.compliance("RFC 7517", "4.5")
def test_a_kid_that_names_two_keys_for_one_algorithm_names_none() -> None:
    keys = parse(public_jwk("P-256", kid="a"), public_jwk("other P-256", kid="a"))
    assert refusal(keys, "a") is Reason.KEY_UNFIT


@pytest.mark.compliance("RFC 7517", "4.5")
@pytest.mark.parametrize("kid", ["a", None])
def test_a_kid_may_name_keys_of_several_kinds(kid: str | None) -> None:
    keys = parse(public_jwk("P-256", kid="a"), public_jwk("RSA", kid="a"))
    assert keys.select(kid, "ES256") is keys.keys[0]
    assert keys.select(kid, "PS256") is keys.keys[1]


@pytest.mark.parametrize("kid", ["a", None])
def test_one_key_may_be_published_twice(kid: str | None) -> None:
    jwk = public_jwk("RSA", kid="a")
    keys = parse({**jwk, "alg": "RS256"}, {**jwk, "alg": "PS256"}, jwk)
    assert keys.select(kid, "RS256") is keys.keys[0]
    assert keys.select(kid, "PS256") is keys.keys[1]
    assert keys.select(kid, "PS512") is keys.keys[2]


@pytest.mark.compliance("RFC 7638", "3.1")
def test_a_thumbprint_names_a_key() -> None:
    """The example of that section."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR"
        "1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0"
        "h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44"
        "-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    (key,) = parse(jwk).keys
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_a_thumbprint_is_that_of_joserfc(kind: str) -> None:
    jwk = public_jwk(kind)
    (key,) = parse({**jwk, "kid": "another", "use": "sig"}).keys
    assert key.thumbprint == JWKRegistry.import_key(jwk).thumbprint()


def test_no_more_than_a_hundred_keys_are_looked_at() -> None:
    jwks = [public_jwk("P-256", kid=str(n)) for n in range(MAX_KEYS + 2)]
    keys = parse(*jwks)
    assert [key.kid for key in keys.keys] == [str(n) for n in range(100)]
    assert keys.dropped == ("keys[100:]: more than 100 keys",)
    assert parse(*jwks[:MAX_KEYS]).dropped == ()


def test_looking_stops_at_the_limit_even_for_junk() -> None:
    keys = parse(*[7] * 10_000, public_jwk("P-256"))
    assert keys.keys == ()
    assert len(keys.dropped) == MAX_KEYS + 1


def test_a_key_is_not_shown() -> None:
    (key,) = parse(public_jwk("P-256")).keys
    assert "public_key" not in repr(key)


MEMBERS = ("kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "d")
changes = st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES, max_size=3)
mutated = st.builds(
    lambda kind, changed: {**public_jwk(kind), **changed},
    st.sampled_from(sorted(set(KEY_OF.values()))),
    changes,
)


@given(JSON_VALUES | st.builds(lambda keys: {"keys": keys}, JSON_VALUES))
def test_any_document_is_a_key_set_or_refused(document: object) -> None:
    try:
        keys = parse_key_set(document)
    except KeySetError:
        return
    assert keys.keys == ()


@given(st.lists(mutated, max_size=4))
def test_any_keys_are_usable_or_left_out(jwks: list[dict[str, Any]]) -> None:
    keys = parse(*jwks)
    assert len(keys.keys) + len(keys.dropped) == len(jwks)
    assert all(key.algorithms for key in keys.keys)
