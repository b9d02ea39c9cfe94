"""Judges of tokens that share no code with ours: PyJWT, joserfc, and plain rules.

What we accept, each of them has to accept under the same policy. None of them knows
what kind of token an access token is, so that is written down once more here.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt as pyjwt
from joserfc import jwk, jws
from joserfc import jwt as joserfc
from joserfc.errors import JoseError
from joserfc.registry import HeaderParameter

from drf_apikit.jose import Policy
from drf_apikit.jose.claims import ClaimRules
from tests.jose.minting import NOW, base64url

__all__ = ["WRONG", "Input", "faults"]

#: What an input that we accept may be.
WRONG: Final = ("refused by PyJWT", "refused by joserfc", "against a rule")

#: What they raise at a broken key under the same key id.
_BROKEN: Final = (AttributeError, LookupError, TypeError, ValueError)

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Input:
    """A token, the keys and the policy that it meets, and whether it is a good one."""

    token: str
    jwks: Sequence[Any]
    policy: Policy[ClaimRules]
    is_good: bool = False


def faults(given: Input) -> set[str]:
    """Give what speaks against an input that was accepted."""
    header = _header(given.token)
    keys = [key for key in given.jwks if _is_meant(key, header)]
    algorithm = header["alg"]
    # Its name of RFC 9864 is unknown to PyJWT.
    by_pyjwt = algorithm == "Ed25519" or any(_pyjwt(given, key) for key in keys)
    found = {
        "refused by PyJWT": not by_pyjwt,
        "refused by joserfc": not any(_joserfc(given, key) for key in keys),
        "against a rule": not _keeps_the_rules(given),
    }
    return {name for name, is_so in found.items() if is_so}


def _header(token: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(_decoded(token.partition(".")[0]))
    return header


def _is_meant(key: Any, header: Members) -> bool:
    if not isinstance(key, dict):
        return False
    return "kid" not in header or key.get("kid") == header["kid"]


class _PyJWT(pyjwt.PyJWT):
    """PyJWT whose clock stands still."""

    def _validate_exp(self, payload: Any, _now: float, leeway: float) -> None:
        super()._validate_exp(payload, NOW, leeway)

    def _validate_iat(self, payload: Any, _now: float, leeway: float) -> None:
        super()._validate_iat(payload, NOW, leeway)

    def _validate_nbf(self, payload: Any, _now: float, leeway: float) -> None:
        super()._validate_nbf(payload, NOW, leeway)


_PYJWT: Final = _PyJWT()


def _pyjwt(given: Input, key: Members) -> bool:
    rules = given.policy.claims
    subject = rules.profile.subject
    options: Any = {
        "require": ["iss", "exp", "iat", subject, *rules.profile.required],
        "verify_aud": rules.audiences is not None,
        # `sub` means nothing where the subject is elsewhere.
        "verify_sub": subject == "sub",
    }
    try:
        _PYJWT.decode(
            given.token,
            pyjwt.PyJWK(dict(key), _header(given.token)["alg"]),
            algorithms=sorted(given.policy.algorithms),
            audience=rules.audiences,
            issuer=rules.issuer,
            # It drops fractions of a second.
            leeway=rules.leeway + 1,
            options=options,
        )
    except (pyjwt.PyJWTError, *_BROKEN):
        return False
    return True


class _JwsRegistry(jws.JWSRegistry):
    max_header_length = 16 * 1024


def _anything(_value: Any) -> None:
    """Take what we never look at."""


_LAX: Final = {
    name: HeaderParameter("not looked at", _anything)
    for name in ("jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty")
}
_MEANT: Final = ("kty", "crv", "x", "y", "n", "e", "use", "alg", "key_ops")
_OPERATIONS: Final = ("sign", "verify", "encrypt", "decrypt", "wrapKey", "deriveKey")


def _joserfc(given: Input, key: Members) -> bool:
    policy = given.policy
    registry = _JwsRegistry(_LAX, sorted(policy.algorithms), strict_check_header=False)
    algorithm = _header(given.token)["alg"]
    try:
        imported = jwk.import_key(_bare(key))
        imported.check_alg(algorithm)
        token = joserfc.decode(given.token, imported, [algorithm], registry)
        _validate(token.claims, policy)
    except (JoseError, *_BROKEN):
        return False
    return True


def _bare(key: Members) -> dict[str, Any]:
    """Leave out of a key what says nothing about its use."""
    members = {name: key[name] for name in _MEANT if name in key}
    if "key_ops" in members:
        members["key_ops"] = [op for op in _OPERATIONS if op in members["key_ops"]]
    return members


def _validate(found: Members, policy: Policy[ClaimRules]) -> None:
    rules, claims = policy.claims, dict(found)
    names = ("exp", "iat", *rules.profile.required, rules.profile.subject)
    wanted: dict[str, Any] = {name: {"essential": True} for name in names}
    wanted["iss"] = {"essential": True, "value": rules.issuer}
    if rules.audiences is None:
        claims.pop("aud", None)
    else:
        wanted["aud"] = {"essential": True, "values": sorted(rules.audiences)}
    if rules.profile.subject != "sub":
        claims.pop("sub", None)
    joserfc.JWTClaimsRegistry(NOW, rules.leeway, **wanted).validate(claims)


#: What a header says of an access token, and what its claims must say.
_KINDS: Final[Mapping[str, tuple[set[str | None], Members]]] = {
    "rfc9068": ({"at+jwt"}, {}),
    "simplejwt": ({"jwt"}, {"token_type": "access"}),
    "keycloak": ({"jwt", "at+jwt"}, {"typ": "Bearer"}),
    "entra": ({"jwt"}, {}),
    "cognito": ({None, "jwt"}, {"token_use": "access"}),
    "auth0": ({"jwt", "at+jwt"}, {}),
    "okta": ({None, "jwt", "at+jwt"}, {}),
}
#: What tokens of other kinds have, whatever the provider.
_FOREIGN: Final = {"at_hash", "c_hash", "s_hash", "events", "htm", "htu", "ath"}
_EXTENSIONS: Final = {"crit", "b64", "zip"}
_END_OF_9999: Final = 253_402_300_799


def _keeps_the_rules(given: Input) -> bool:
    parts = given.token.split(".")
    if len(parts) != 3 or not all(map(_is_canonical, parts)):
        return False
    try:
        header, claims = (_strictly(part) for part in parts[:2])
    except ValueError:
        return False
    return (
        _is_access(header, claims, given.policy)
        and header["alg"] in given.policy.algorithms
        and not _EXTENSIONS & header.keys()
        and isinstance(header.get("kid", ""), str)
        and _fits(claims, given.policy)
    )


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _is_canonical(segment: str) -> bool:
    return base64url(_decoded(segment)) == segment


def _strictly(segment: str) -> dict[str, Any]:
    """Parse an object in which no member stands twice and every number is one."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    text = _decoded(segment).decode("utf-8")
    found: dict[str, Any] = json.loads(text, object_pairs_hook=once)
    # Raises for NaN and infinities, and for lone surrogates.
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode("utf-8")
    return found


def _is_access(header: Members, claims: Members, policy: Policy[ClaimRules]) -> bool:
    types, values = _KINDS[policy.claims.profile.name]
    typ = header.get("typ")
    named = None if typ is None else str(typ).lower().removeprefix("application/")
    if named not in types or _FOREIGN & claims.keys():
        return False
    return all(claims.get(name) == value for name, value in values.items())


def _fits(claims: Members, policy: Policy[ClaimRules]) -> bool:
    """Tell whether names, dates and limits are as the policy has them."""
    rules = policy.claims
    clients = [claims[name] for name in rules.profile.clients if name in claims]
    dates = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
    lifetime = claims["exp"] - claims["iat"]
    subject = claims[rules.profile.subject]
    return (
        "cnf" not in claims
        and (rules.clients is None or clients[0] in rules.clients)
        and all(type(date) in {int, float} for date in dates)
        and all(0 <= date <= _END_OF_9999 and math.isfinite(date) for date in dates)
        and (rules.max_lifetime is None or lifetime <= rules.max_lifetime)
        and 0 < len(str(subject)) <= 255
        and "\0" not in str(subject)
    )
