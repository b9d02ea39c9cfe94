"""One token of each algorithm: its signature alone, and libraries around it.

Each library has its key prepared, and checks the signature, `iss`, `aud` and `exp`.
Ours also reads strictly, chooses the key by `kid` out of a set, and checks all that
RFC 9068 asks for.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc import jwt as joserfc
from joserfc.errors import SecurityWarning
from joserfc.jwk import import_key
from jwt.algorithms import get_default_algorithms
from jwt.utils import raw_to_der_signature

from drf_apikit.jose import parse_compact, parse_key_set, verify
from tests.benchmarks.harness import time_cases
from tests.jose.minting import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    KEY_OF,
    POLICY,
    private_key,
)

__all__ = ["compare_algorithms"]

LIBRARIES: Final = ("cryptography", "PyJWT", "joserfc", "ours")
GOALS: Final = "goals: ours / cryptography at most 2 for RS256, ours / PyJWT below 1"
HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}

Call = Callable[[], object]


def compare_algorithms(rounds: int) -> None:
    """Time all algorithms with all libraries, and print a line for each of them."""
    # RFC 9864 has another name for EdDSA, which PyJWT does not know.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    keys = {
        algorithm: (algorithm, private_key(kind))
        for algorithm, kind in KEY_OF.items()
        if algorithm != "Ed25519"
    }
    large = ("RS256", rsa.generate_private_key(65537, 4096))
    keys = {**keys, "RS256, 4096 bits": large}
    cases = {
        (label, library): call
        for label, (algorithm, key) in keys.items()
        for library, call in _calls(algorithm, key).items()
    }
    named = {" ".join(name): call for name, call in cases.items()}
    least = {name: min(times) for name, times in time_cases(named, rounds, 10).items()}
    _print({name: least[" ".join(name)] for name in cases}, list(keys), rounds)


def _calls(algorithm: str, key: Any) -> dict[str, Call]:
    claims = _claims()
    headers = {**HEADER, "alg": algorithm, "kid": "k"}
    token = jwt.encode(claims, key, algorithm, headers=headers)
    public = key.public_key()
    kind = get_default_algorithms()[algorithm]
    jwk: Any = {**dict(kind.to_jwk(public, as_dict=True)), "kid": "k", "use": "sig"}
    keys = parse_key_set({"keys": [jwk]})
    wanted: dict[str, Any] = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }
    registry, imported = joserfc.JWTClaimsRegistry(**wanted), import_key(jwk)

    def by_joserfc() -> None:
        found = joserfc.decode(token, imported, algorithms=[algorithm])
        registry.validate(found.claims)

    return {
        "cryptography": _signature(algorithm, public, token),
        "PyJWT": lambda: jwt.decode(
            token, public, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER
        ),
        "joserfc": by_joserfc,
        "ours": lambda: verify(parse_compact(token), keys, POLICY, time.time()),
    }


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {**CLAIMS, "iat": now, "exp": now + 24 * 3600}


def _signature(algorithm: str, public: Any, token: str) -> Call:
    """Give the check that nobody can do without, of octets that are ready for it."""
    parsed = parse_compact(token)
    signature, message = parsed.signature, parsed.signing_input
    hashed = HASHES.get(algorithm[2:], hashes.SHA512())
    more: tuple[Any, ...] = ()
    match algorithm[:2]:
        case "RS":
            more = (padding.PKCS1v15(), hashed)
        case "PS":
            more = (padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)
        case "ES":
            signature = raw_to_der_signature(signature, public.curve)
            more = (ec.ECDSA(hashed),)
    return lambda: public.verify(signature, message, *more)


def _print(
    least: Mapping[tuple[str, str], float], labels: list[str], rounds: int
) -> None:
    width = max(map(len, labels))
    ratios = [f"ours / {library}" for library in LIBRARIES[:-1]]
    head = "  ".join(f"{text:>12}" for text in (*LIBRARIES, *ratios))
    print(f"\nOne verification, least µs of {rounds} rounds\n\n{'':{width}}  {head}")
    for label in labels:
        times = [least[label, library] for library in LIBRARIES]
        cells = [f"{time:12.1f}" for time in times]
        cells += [
            f"{times[-1] / time:{max(12, len(text))}.2f}"
            for time, text in zip(times, ratios, strict=False)
        ]
        print(f"{label:{width}}  {'  '.join(cells)}")
    print(f"\n{GOALS}", flush=True)
