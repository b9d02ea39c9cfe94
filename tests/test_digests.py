import hashlib
from typing import Any

import pytest

from drf_apikit.digests import feed


def hashed(*parts: Any) -> str:
    sha256 = hashlib.sha256()
    feed(sha256, parts)
    return sha256.hexdigest()


def test_no_two_lists_of_parts_are_the_same_octets() -> None:
    lists: list[tuple[Any, ...]] = [
        (),
        ("",),
        ("", ""),
        ("ab",),
        ("a", "b"),
        ("b", "a"),
    ]
    assert len({hashed(*parts) for parts in lists}) == len(lists)


@pytest.mark.parametrize(("part", "same"), [(7, "7"), (b"ab", "ab"), ("\ud800", "?")])
def test_what_is_no_bytes_is_hashed_as_its_text(part: Any, same: str) -> None:
    assert hashed(part) == hashed(same)
