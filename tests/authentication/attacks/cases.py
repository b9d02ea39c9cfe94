"""What a case is, and the world in which its token is made."""

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drf_apikit.jose import Reason
from tests.jose.minting import AUDIENCE, KEY_OF, base64url, mint, sign
from tests.oidc.provider import Provider

__all__ = ["ME", "Case", "Outcome", "World", "bearer", "changed", "raw"]

#: The view that all tokens are sent to.
ME: Final = "/me/"
#: Who owns the good tokens: a machine client, so that no user is needed.
ROBOT: Final = "robot"

Members = Mapping[str, Any]


class Outcome(enum.Enum):
    """What may come of a case besides a refusal with a `Reason`."""

    ACCEPTED = 200
    #: 400 `invalid-authorization`: no bearer token by its grammar.
    NO_REQUEST = 400
    #: 401 `not-authenticated`: nobody has tried.
    NO_CREDENTIALS = 401
    #: 503 `authentication-unavailable`: the keys cannot be had.
    UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class World:
    """The issuer, the URL of the attacker's own server, and the time."""

    issuer: str
    evil: str
    now: int

    def header(self, algorithm: str = "ES256", **members: Any) -> dict[str, Any]:
        """Write the header of a good token; a member of None is left out."""
        good = {"alg": algorithm, "typ": "at+jwt", "kid": KEY_OF.get(algorithm)}
        return _without_none({**good, **members})

    def claims(self, **members: Any) -> dict[str, Any]:
        """Write the claims of a good token; a member of None is left out."""
        good = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": ROBOT,
            "client_id": ROBOT,
            "iat": self.now - 10,
            "exp": self.now + 300,
            "jti": "id-1",
            "scope": "read",
        }
        return _without_none({**good, **members})

    def token(
        self,
        header: Members | bytes | None = None,
        claims: Members | bytes | None = None,
        *,
        algorithm: str = "ES256",
        kind: str | None = None,
    ) -> str:
        """Sign a token; mappings change what a good one has, bytes replace it."""
        if not isinstance(header, bytes):
            header = self.header(algorithm, **(header or {}))
        if not isinstance(claims, bytes):
            claims = self.claims(**(claims or {}))
        signing_kind = kind or KEY_OF[algorithm]
        return mint(header, claims, algorithm=algorithm, kind=signing_kind)

    def forged(
        self, header: Members, signature: Callable[[bytes], bytes], **claims: Any
    ) -> str:
        """Put any signature over a header as it is and otherwise good claims."""
        unsigned = mint(header, self.claims(**claims)).rpartition(".")[0]
        return f"{unsigned}.{base64url(signature(unsigned.encode()))}"


def bearer(token: str) -> tuple[str | None, str]:
    """Send a token as it should be: the Authorization header, and the URL."""
    return f"Bearer {token}", ME


def good(world: World) -> str:
    """Sign a good token."""
    return world.token()


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the matrix.

    `options` are settings of the issuer. Where `arrange` is there, the issuer is a
    provider over HTTP that it prepares; otherwise the keys are given in the settings.
    """

    name: str
    make: Callable[[World], str]
    expected: Outcome | Reason | frozenset[Reason]
    spec: str
    section: str
    options: Members = field(default_factory=dict)
    arrange: Callable[[Provider, World], None] | None = None
    send: Callable[[str], tuple[str | None, str]] = bearer
    #: The issuer of a sample that has one of its own.
    issuer: str | None = None

    def __str__(self) -> str:
        return self.name


def changed(
    name: str,
    expected: Outcome | Reason,
    spec: tuple[str, str],
    *,
    header: Members | None = None,
    claims: Members | None = None,
    **options: Any,
) -> Case:
    """Give a case whose token is signed, with other members; none are left out."""
    return Case(
        name, lambda world: world.token(header, claims), expected, *spec, options
    )


def raw(
    name: str,
    expected: Outcome | Reason,
    spec: tuple[str, str],
    *,
    header: Callable[[bytes], bytes] | None = None,
    claims: Callable[[bytes], bytes] | None = None,
) -> Case:
    """Give a case that is signed over other octets than a good token has."""

    def make(world: World) -> str:
        # The segments of a good token, as JSON texts.
        texts = (_text(world.header()), _text(world.claims()))
        edits = (header or _same, claims or _same)
        both = [edit(text) for edit, text in zip(edits, texts, strict=True)]
        signing_input = ".".join(map(base64url, both))
        signature = sign("ES256", "P-256", signing_input.encode())
        return f"{signing_input}.{base64url(signature)}"

    return Case(name, make, expected, *spec)


def _same(text: bytes) -> bytes:
    return text


def _text(members: Members) -> bytes:
    return json.dumps(members).encode("ascii")


def _without_none(members: Members) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
