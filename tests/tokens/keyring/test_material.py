import pytest

from drf_apikit.jose.signing import SigningKey
from drf_apikit.tokens.keyring.material import new_private_key, read_signing_key


@pytest.mark.compliance("RFC 7518", "3.1")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_is_made_for_each_algorithm(algorithm: str) -> None:
    pem = new_private_key(algorithm)
    made = read_signing_key(pem, "k1")
    assert isinstance(made, SigningKey)
    assert (made.algorithm, made.kid) == (algorithm, "k1")
    assert pem != new_private_key(algorithm)
    # RFC 7518 section 3.3.
    assert getattr(made.private_key, "key_size", 2048) in {256, 2048}


def test_what_is_no_key_is_told_and_not_shown() -> None:
    told = read_signing_key("a secret that is no key")
    assert isinstance(told, str)
    assert "secret" not in told
