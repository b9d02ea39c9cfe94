"""Work that can be counted: calls, which are the same on every machine."""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["count_calls"]


def count_calls(function: Callable[[], object]) -> int:
    """Count the calls, of Python and of C functions, that a call makes.

    The collector rests meanwhile: when it runs depends on what ran before, and
    it calls whoever has asked to be told (hypothesis does), and finalizers.
    """
    calls = 0

    def note(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return calls
