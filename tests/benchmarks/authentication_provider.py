"""A provider in a process of its own: its threads hold up nobody who is timed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final

from drf_apikit.jose import parse_compact
from tests.jose.minting import private_key, public_jwk
from tests.oidc.provider import JWKS, as_json, as_text, serving

__all__ = ["EMAIL", "JWKS", "KEY", "USERINFO", "provider_apart"]

EMAIL: Final = "user@example.com"
#: The kind of key that signs all tokens, and its `kid`.
KEY: Final = "RSA"
USERINFO: Final = "/userinfo"

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer error_description="no"'}


@contextmanager
def provider_apart() -> Iterator[str]:
    """Serve until the end of the block, and give the issuer."""
    # It has to be the same on both sides.
    private_key(KEY)
    context: Any = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def _serve(end: Connection) -> None:
    with serving() as provider:
        provider.publish(public_jwk(KEY, alg="RS256", use="sig"))
        provider.answers[USERINFO] = _userinfo
        end.send(provider.url)
        with suppress(EOFError):
            end.recv()


def _userinfo(handler: BaseHTTPRequestHandler) -> None:
    """Tell of the user, or refuse a token; its signature is not looked at."""
    token = parse_compact(handler.headers["Authorization"].removeprefix("Bearer "))
    is_known = token.header["kid"] == KEY and token.payload["exp"] > time.time()
    told = as_json({"sub": token.payload["sub"], "email": EMAIL})
    (told if is_known else as_text(401, "", _CHALLENGE))(handler)
