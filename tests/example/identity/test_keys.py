import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from identity.keys import derived_secret, signing_key_pem

STARTERS = 4


def test_starting_at_once_ends_up_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "key.pem"
    barrier = Barrier(STARTERS)

    def start(_: int) -> str:
        barrier.wait(timeout=20)
        return signing_key_pem(path)

    with ThreadPoolExecutor(STARTERS) as pool:
        pems = set(pool.map(start, range(STARTERS)))
    assert pems == {path.read_text()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_existing_key_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    assert signing_key_pem(path) == signing_key_pem(path)


@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN PRIVATE KEY-----\n"])
def test_file_without_a_key_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.pem"
    path.write_text(text)
    with pytest.raises(ImproperlyConfigured, match=r"key\.pem"):
        signing_key_pem(path)


def test_secret_depends_on_the_key_and_does_not_hold_it() -> None:
    assert derived_secret("one") != derived_secret("two")
    assert "one" not in derived_secret("one")
    assert len(derived_secret("one")) == 64
