"""Releases of the packages that verify signatures."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from django.core import checks
from django.utils.version import get_version_tuple

from drf_apikit.checks.deployment.pitfalls import tell

__all__ = ["check_deployed_packages"]

_OLD_JWT: Final = (
    "and older ones accept unknown `crit` headers (CVE-2026-32597) and follow redirects"
    " to keys (CVE-2026-102267)"
)
_OLD_CRYPTOGRAPHY: Final = (
    "and older ones take points outside of a curve's group for keys (CVE-2026-26007)"
)
#: The first good release, and what those before it do.
_FLOORS: Final = {
    "PyJWT": ("E037", (2, 15, 1), _OLD_JWT),
    "cryptography": ("W064", (46, 0, 5), _OLD_CRYPTOGRAPHY),
}


def check_deployed_packages(**_: Any) -> list[checks.CheckMessage]:
    """Look at what is installed (`E037`, `W064`)."""
    found = []
    for name, (code, floor, told) in _FLOORS.items():
        installed = _installed(name)
        if installed is not None and get_version_tuple(installed) < floor:
            wanted = ".".join(map(str, floor))
            problem = f"{name} is {installed}, {told}"
            found.append(tell(code, problem, f"Install {wanted} or later"))
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        # Put there by other means than a package.
        return None
