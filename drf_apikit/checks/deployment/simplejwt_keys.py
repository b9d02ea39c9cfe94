"""The keys that simplejwt signs and verifies with."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.conf import settings
from django.core import checks
from jwt.algorithms import RSAAlgorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from drf_apikit.checks.deployment.pitfalls import goes_in_clear, shown, tell
from drf_apikit.checks.deployment.uses import simple_jwt

__all__ = ["keys"]

#: Octets of the hash, which a key must have too.
_HMAC: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}
_MIN_RSA: Final = 2048
_OWN_KEY: Final = (
    "Sign with RS256 or ES256 and a key of its own; or let drf_apikit.tokens do it"
)


def keys() -> Iterator[checks.CheckMessage]:
    """Look at the algorithm, at the key that it takes, and at where that is from."""
    algorithm = simple_jwt("ALGORITHM")
    if algorithm in _HMAC:
        yield from _of_hmac(algorithm)
    elif algorithm == "none" or algorithm not in get_default_algorithms():
        yield tell(
            "E023",
            f"SIMPLE_JWT['ALGORITHM'] is {algorithm!r}, with which simplejwt fails at"
            " every token",
            "Name RS256 or ES256",
        )
    elif simple_jwt("JWK_URL"):
        yield from _of_a_key_set(simple_jwt("JWK_URL"))
    elif algorithm.startswith(("RS", "PS")):
        yield from _of_rsa()


def _of_hmac(algorithm: str) -> Iterator[checks.CheckMessage]:
    key = _octets(simple_jwt("SIGNING_KEY"))
    if len(key) < _HMAC[algorithm]:
        yield tell(
            "E022",
            f"SIMPLE_JWT['SIGNING_KEY'] is a key of {len(key)} octets for {algorithm}:"
            " who has one token can guess it, and sign any other",
            f"Take {_HMAC[algorithm]} random octets or more; or better RS256 or ES256",
        )
    if key in map(_octets, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        yield tell(
            "W027",
            f"SIMPLE_JWT['SIGNING_KEY'] is SECRET_KEY, with {algorithm}: who gets hold"
            " of one has tokens, sessions and password resets of everybody",
            _OWN_KEY,
        )
    for name in ("JWK_URL", "VERIFYING_KEY"):
        if simple_jwt(name):
            yield tell(
                "W028",
                f"SIMPLE_JWT['{name}'] is set, and with ALGORITHM {algorithm!r}"
                " nobody looks at it: SIGNING_KEY verifies, and whoever verifies can"
                " sign",
                "Set ALGORITHM to that of the key, such as RS256; or remove it",
            )


def _of_a_key_set(url: str) -> Iterator[checks.CheckMessage]:
    setting = f"SIMPLE_JWT['JWK_URL'] is {shown(url)}"
    if goes_in_clear(url):
        yield tell(
            "E028",
            f"{setting}: who is on the way there puts in keys of their own",
            "Use https",
        )
    if simple_jwt("AUDIENCE") is None:
        yield tell(
            "E027",
            f"{setting}, and SIMPLE_JWT['AUDIENCE'] is None: a token that the issuer"
            " gave to anybody for any other API opens this one",
            "Set it to the name of this API; or use JWTBearerAuthentication",
        )
    if simple_jwt("ISSUER") is None:
        yield tell(
            "W033",
            f"{setting}, and SIMPLE_JWT['ISSUER'] is None: whoever else signs with"
            " these keys, as other tenants do, is believed",
            "Set it to the exact `iss` of the tokens; or use JWTBearerAuthentication",
        )


def _of_rsa() -> Iterator[checks.CheckMessage]:
    for name in ("SIGNING_KEY", "VERIFYING_KEY"):
        bits = _bits(simple_jwt(name))
        if bits is not None and bits < _MIN_RSA:
            yield tell(
                "E024",
                f"SIMPLE_JWT['{name}'] is an RSA key of {bits} bits",
                f"Make one of {_MIN_RSA} bits or more",
            )


def _octets(key: Any) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()


def _bits(key: Any) -> int | None:
    """Measure a key as simplejwt would read it; None for what it cannot read."""
    try:
        return int(RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(key).key_size)
    except (PyJWTError, TypeError, ValueError):
        return None
