"""What each check of a deployment goes by, and how it is told."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from django.core import checks

from drf_apikit._setting_kinds import plain_http

__all__ = ["SECTIONS", "goes_in_clear", "shown", "tell"]

_REFRESH: Final = "RFC 9700 section 4.14.2"
_SHORT: Final = "RFC 6750 section 5.3"
_GUESSING: Final = "RFC 6749 section 4.3.2"

#: Where it is written: `E` is an open door, or what lets nobody in.
SECTIONS: Final[Mapping[str, str]] = {
    # SIMPLE_JWT
    "E022": "RFC 7518 section 3.2",
    "E023": "RFC 8725 section 3.2",
    "E024": "RFC 7518 section 3.3",
    "E025": _REFRESH,
    "E026": "RFC 7009 section 2",
    "E027": "RFC 8725 section 3.9",
    "E028": "RFC 8414 section 2",
    "E029": "RFC 8725 section 3.12",
    "E030": "RFC 8725 section 3.12",
    "E043": "RFC 6749 section 4.3.2",
    "W027": "RFC 8725 section 3.5",
    "W028": "RFC 8725 section 3.1",
    "W029": _SHORT,
    "W030": _REFRESH,
    "W031": _REFRESH,
    "W032": _REFRESH,
    "W033": "RFC 8725 section 3.8",
    "W034": "RFC 9068 section 2.2",
    "W035": _REFRESH,
    "W036": "RFC 7519 section 4.1.4",
    "W037": "RFC 6749 section 1.5",
    "W038": "RFC 6750 section 2.1",
    # mozilla-django-oidc
    "E031": "RFC 6749 section 10.9",
    "E032": "RFC 8725 section 3.2",
    "E033": "OpenID Connect Core section 16.17",
    "E034": "RFC 9700 section 2.3",
    "W039": "OpenID Connect Core section 3.1.3.7",
    "W040": "OpenID Connect Core section 5.7",
    "W041": "OpenID Connect Core section 10.1",
    "W042": "RFC 9700 section 4.5.3",
    "W043": "RFC 9700 section 2.1.1, RFC 7636 section 1",
    "W044": "RFC 7636 section 4.2",
    "W045": "OpenID Connect Core section 16.19",
    "W046": "RFC 9112 section 9.5",
    "W047": "RFC 6749 section 10.3",
    "W048": "RFC 6749 section 10.10",
    # REST framework
    "W049": _GUESSING,
    "W050": _GUESSING,
    "W051": "RFC 7617 section 4",
    "W052": _SHORT,
    "W053": "RFC 6750 section 3",
    # DRF_APIKIT
    "E035": "RFC 8414 section 2",
    "E036": "RFC 9068 section 4",
    "E042": "RFC 9068 section 2.2",
    "W054": _SHORT,
    "W055": _REFRESH,
    "W056": "OpenID Connect Core section 10.1.1",
    "W057": "RFC 9068 section 4",
    "W058": "RFC 7519 section 4.1.2",
    "W059": _REFRESH,
    "W060": "RFC 9110 section 5.4",
    "W061": _REFRESH,
    "W062": "RFC 9068 section 4",
    "W063": _REFRESH,
    # packages
    "E037": "RFC 7515 section 4.1.11",
    "W064": "RFC 8725 section 3.4",
}


def tell(code: str, problem: str, remedy: str) -> checks.CheckMessage:
    """Make a message, with where it is written; both texts have no full stop."""
    kind = checks.Error if code.startswith("E") else checks.Warning
    hint = f"{remedy} ({SECTIONS[code]})."
    return kind(f"{problem}.", hint=hint, id=f"drf_apikit.{code}")


def goes_in_clear(url: object) -> bool:
    """Tell plain HTTP to another machine, or something that is no URL."""
    return any(plain_http(str(url).lower(), "", "", allowed=True))


def shown(url: object) -> str:
    """Write a URL without the name and password that some have in front of the host."""
    text = str(url)
    try:
        user, at, _ = urlsplit(text).netloc.rpartition("@")
    except ValueError:
        return "no URL"
    return repr(text.replace(f"{user}{at}", "***@", 1) if at else text)
