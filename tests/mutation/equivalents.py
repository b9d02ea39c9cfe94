"""Mutants that no test can kill, since nothing that anybody sees is different.

The key is the function and the lines that the mutant has in the place of ours.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["EQUIVALENTS"]

_UNSEEN: Final = "the text of an error that is caught in the same module"
_SORTED: Final = "the members are written in their order already"
_CODEC: Final = "the name of a codec is read in any case"
_NEVER_X: Final = "base64url of 32 octets never ends with an X"

EQUIVALENTS: Final[Mapping[tuple[str, str], str]] = {}
