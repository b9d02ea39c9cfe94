"""Mutants that no test can kill, since nothing that anybody sees is different.

The key is the function and the lines that the mutant has in the place of ours.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["EQUIVALENTS"]

_UNSEEN: Final = "the text of an error that is caught in the same module"
_SORTED: Final = "the members are written in their order already"
_CODEC: Final = "the name of a codec is read in any case"
_BOUND: Final = "a cheap bound before the count that decides"
_NEVER_X: Final = "base64url of 32 octets never ends with an X"

_FALSE: Final = "nothing is asked but whether it is false"
_NAMED: Final = "named = self.keys if kid is None else self._named.get(kid,"
_OBJECT: Final = "jose.compact.x__json_object"
_IF_DEEP: Final = (
    'if raw.count(b"{") + raw.count(b"[") >= MAX_DEPTH and _depth(value) > MAX_DEPTH:'
)
_MEMBERS: Final = "jose.compact.x__unique_members"
_FINITE: Final = "jose.compact.x__finite"
_THUMBPRINT: Final = "jose.keys.x__thumbprint"
_DUMPS: Final = 'text = json.dumps(members, separators=(",", ":"),'
_ENCODE: Final = "return base64.urlsafe_b64encode(raw)"

EQUIVALENTS: Final[Mapping[tuple[str, str], str]] = {
    ("http.fields.x_parse_string_or_token", "text = None"): _FALSE,
    ("jose.keys.xǁKeySetǁselect", f"{_NAMED} None)"): _FALSE,
    ("jose.keys.xǁKeySetǁselect", f"{_NAMED} )"): _FALSE,
    ("jose.compact.x__refuse_constant", "raise ValueError(None)"): _UNSEEN,
    ("jose.compact.x_parse_compact", 'segments = token.encode("ASCII").split(b".")'): (
        _CODEC
    ),
    (_OBJECT, 'value = _DECODER.decode(raw.decode("UTF-8"))'): _CODEC,
    (_OBJECT, 'json.dumps(value, ensure_ascii=False).encode("UTF-8")'): _CODEC,
    (_OBJECT, 'json.dumps(value, ensure_ascii=None).encode("utf-8")'): _FALSE,
    (
        _OBJECT,
        _IF_DEEP,
    ): _BOUND,
    (_MEMBERS, "raise ValueError(None)"): _UNSEEN,
    (_MEMBERS, 'raise ValueError("XXduplicate memberXX")'): _UNSEEN,
    (_MEMBERS, 'raise ValueError("DUPLICATE MEMBER")'): _UNSEEN,
    (_FINITE, "raise ValueError(None)"): _UNSEEN,
    (_FINITE, 'raise ValueError("XXnumber out of rangeXX")'): _UNSEEN,
    (_FINITE, 'raise ValueError("NUMBER OUT OF RANGE")'): _UNSEEN,
    (_THUMBPRINT, f"{_DUMPS} )"): _SORTED,
    (_THUMBPRINT, f"{_DUMPS} sort_keys=None)"): _SORTED,
    (_THUMBPRINT, f"{_DUMPS} sort_keys=False)"): _SORTED,
    (_THUMBPRINT, 'raw = hashlib.sha256(text.encode("ASCII")).digest()'): _CODEC,
    (_THUMBPRINT, f'{_ENCODE}.rstrip(b"=").decode("ASCII")'): _CODEC,
    (_THUMBPRINT, f'{_ENCODE}.rstrip(b"XX=XX").decode("ascii")'): _NEVER_X,
}
