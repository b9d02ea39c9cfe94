import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from drf_apikit.jose.algorithms import (
    ALGORITHMS,
    MIN_RSA_BITS,
    algorithms_for,
    verify_signature,
)
from tests.jose.minting import KEY_OF, private_key, sign

RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
MESSAGE = b"message"


@pytest.mark.compliance("RFC 8725", "3.1")
def test_the_algorithms_by_all_their_names() -> None:
    assert frozenset(KEY_OF) == ALGORITHMS
    assert len(ALGORITHMS) == 11


@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.compliance("RFC 7518", "3.4")
@pytest.mark.compliance("RFC 7518", "3.3")
@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RSA", RSA),
        ("P-256", {"ES256"}),
        ("P-384", {"ES384"}),
        ("P-521", {"ES512"}),
        ("Ed25519", {"EdDSA", "Ed25519"}),
        ("RSA-1024", set()),
        ("RSA-e3", set()),
        ("secp256k1", set()),
        ("Ed448", set()),
    ],
)
def test_a_key_decides_about_its_algorithms(kind: str, algorithms: set[str]) -> None:
    assert algorithms_for(private_key(kind).public_key()) == algorithms


@pytest.mark.parametrize("kind", ["RSA", "P-256", "Ed25519"])
def test_a_private_key_verifies_nothing(kind: str) -> None:
    assert algorithms_for(private_key(kind)) == frozenset()


def test_a_key_that_is_dear_to_verify_fits_nothing() -> None:
    # Nobody has such a key; making one would take the test minutes.
    for bits, fits in ((8192, RSA), (8193, frozenset())):
        numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
        assert algorithms_for(numbers.public_key()) == fits


PRIME = 2**255 - 19
OF_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


@pytest.mark.compliance("RFC 8725", "3.5")
@pytest.mark.parametrize("sign_of_x", [0, 1])
@pytest.mark.parametrize(
    "y",
    [0, 1, PRIME - 1, PRIME, PRIME + 1, OF_ORDER_8, PRIME - OF_ORDER_8],
    ids=["order-4", "neutral", "order-2", "order-4'", "neutral'", "order-8", "other-8"],
)
def test_a_key_of_small_order_fits_nothing(y: int, sign_of_x: int) -> None:
    """With the neutral element as R, and nothing as S, one of a few messages fits."""
    raw = (y | sign_of_x << 255).to_bytes(32, "little")
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    assert algorithms_for(key) == frozenset()
    forged = (1).to_bytes(64, "little")
    if y < PRIME and (y not in {1, PRIME - 1} or not sign_of_x):
        assert any(fits(key, forged, bytes([n])) for n in range(200))


def fits(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_nothing_but_a_key_fits() -> None:
    assert algorithms_for(b"secret") == frozenset()
    assert MIN_RSA_BITS == 2048


@pytest.mark.compliance("RFC 7518", "3.1")
@pytest.mark.compliance("RFC 8037", "3.1")
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_signature_is_checked(algorithm: str) -> None:
    kind = KEY_OF[algorithm]
    key = private_key(kind).public_key()
    good = sign(algorithm, kind, MESSAGE)
    assert verify_signature(algorithm, key, MESSAGE, good)
    assert not verify_signature(algorithm, key, b"massage", good)


@pytest.mark.compliance("RFC 7515", "5.2")
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda s: s[:-1], id="short"),
        pytest.param(lambda s: s + b"\0", id="long"),
        pytest.param(lambda s: bytes(len(s)), id="zeros"),
        pytest.param(lambda s: b"\xff" * len(s), id="ones"),
        pytest.param(lambda s: bytes([s[0] ^ 1]) + s[1:], id="first-bit"),
        pytest.param(lambda s: s[:-1] + bytes([s[-1] ^ 1]), id="last-bit"),
        pytest.param(lambda s: s * 100, id="huge"),
    ],
)
def test_a_bad_signature_is_false_and_no_error(algorithm: str, change: object) -> None:
    kind = KEY_OF[algorithm]
    assert callable(change)
    bad = change(sign(algorithm, kind, MESSAGE))
    key = private_key(kind).public_key()
    assert verify_signature(algorithm, key, MESSAGE, bad) is False


@pytest.mark.parametrize(
    ("signed", "checked"),
    [
        ("RS256", "RS384"),
        ("RS256", "PS256"),
        ("PS256", "RS256"),
        ("PS256", "PS512"),
    ],
)
def test_a_signature_is_of_one_algorithm(signed: str, checked: str) -> None:
    signature = sign(signed, "RSA", MESSAGE)
    key = private_key("RSA").public_key()
    assert not verify_signature(checked, key, MESSAGE, signature)
