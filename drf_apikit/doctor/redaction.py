"""Texts that can be shown: no secrets, no control characters, not too long."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from django.conf import settings

__all__ = ["error_text", "redactor"]

_SHOWN: Final = "***"
_LONGEST: Final = 500
#: A shorter one is part of too many words.
_LEAST: Final = 4
_NAMES: Final = re.compile(
    r"SECRET|PASSW|PRIVATE_KEY|API_?KEY|SIGNING_KEY|ENCRYPTION_KEY|(?:^|_)TOKEN$",
    re.IGNORECASE,
)
#: The name and password of a URL; a password may have an `@` in it.
_USERINFO: Final = re.compile(r"://([^\s/?#]*)@")
_DEPTH: Final = 8


def redactor() -> Callable[[str], str]:
    """Give a function that makes a text fit to be shown."""
    with warnings.catch_warnings():
        # To read a deprecated setting is to be warned of it.
        warnings.simplefilter("ignore")
        secrets = sorted(set(_secrets()), key=len, reverse=True)
    # Words that have one inside are other words, as tables named like a password.
    words = "|".join(map(re.escape, secrets)) or r"(?!)"
    known = re.compile(rf"(?<!\w)(?:{words})(?!\w)")

    def redact(text: str) -> str:
        shown = "".join(one if one.isprintable() else " " for one in text)
        shown = known.sub(_SHOWN, _USERINFO.sub(f"://{_SHOWN}@", shown))
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."

    return redact


def error_text(error: BaseException) -> str:
    """Say what was raised, in one line."""
    lines = str(error).split("\n")
    name, text = type(error).__name__, lines[0].strip()
    return f"{name}: {text}" if text else name


def _secrets() -> Iterator[str]:
    for name in dir(settings):
        if name.isupper():
            for value in _within(name, getattr(settings, name), depth=_DEPTH):
                yield from _forms(value)


def _within(name: str, value: Any, *, depth: int) -> Iterator[str]:
    """Find the secrets of a setting: by its name, and in URLs."""
    is_secret = bool(_NAMES.search(name))
    if isinstance(value, bytes | str):
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        yield from (one.partition(":")[2] for one in _USERINFO.findall(text))
        yield from [text] if is_secret else []
    elif depth:
        for key, item in _items(value):
            inner = str(key) if key is not None and not is_secret else name
            yield from _within(inner, item, depth=depth - 1)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, list | tuple | set | frozenset):
        return ((None, item) for item in value)
    return ()


def _forms(value: str) -> Iterator[str]:
    """Give a secret as it is, as URLs have it, and line by line."""
    for form in (value, quote(value, safe=""), quote_plus(value), unquote(value)):
        for line in form.splitlines():
            if len(line.strip()) >= _LEAST:
                yield line.strip()
