from typing import Any

import pytest

from drf_apikit.tokens.keyring.sealing import is_current, seal, unseal

A, B = bytes(range(32)), bytes(range(1, 33))
PEM = "a private key"


@pytest.mark.parametrize("keys", [(), (A,), (A, B)], ids=["derived", "one", "two"])
def test_only_its_own_record_reads_it(keys: tuple[bytes, ...]) -> None:
    sealed = seal(PEM, "k1", keys)
    assert PEM not in sealed
    assert unseal(sealed, "k1", keys) == PEM
    assert unseal(sealed, "k2", keys) is None
    assert seal(PEM, "k1", keys) != sealed


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    sealed = seal(PEM, "k1", (A,))
    assert unseal(sealed, "k1", (B, A)) == PEM
    assert unseal(sealed, "k1", (B,)) is unseal(sealed, "k1", ()) is None
    assert is_current(sealed, "k1", (A, B))
    assert not is_current(sealed, "k1", (B, A))
    assert not is_current(sealed, "k1", ())


def test_what_was_encrypted_before_there_were_keys_is_read_still(settings: Any) -> None:
    sealed = seal(PEM, "k1", ())
    assert is_current(sealed, "k1", ())
    assert not is_current(sealed, "k1", (A,))
    assert unseal(sealed, "k1", (A,)) == PEM
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert unseal(sealed, "k1", ()) == PEM
    # The fallback has still to be there: what it reads is to be encrypted anew.
    assert not is_current(sealed, "k1", ())
    assert is_current(seal(PEM, "k1", ()), "k1", ())
    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(sealed, "k1", ()) is None


@pytest.mark.parametrize("sealed", ["", "aes256gcm:", "aes256gcm:*", "derived:x", PEM])
def test_what_was_not_sealed_here_is_not_read(sealed: str) -> None:
    assert unseal(sealed, "k1", (A,)) is None


def test_a_change_of_a_letter_is_seen() -> None:
    sealed = seal(PEM, "k1", (A,))
    other = "A" if sealed[30] != "A" else "B"
    assert unseal(f"{sealed[:30]}{other}{sealed[31:]}", "k1", (A,)) is None
