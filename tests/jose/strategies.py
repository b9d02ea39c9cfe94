"""What hypothesis draws from."""

from typing import Final

from hypothesis import strategies as st

__all__ = ["JSON_VALUES"]

_SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
)
#: Anything that a JSON text can hold.
JSON_VALUES: Final = _SCALARS | st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
