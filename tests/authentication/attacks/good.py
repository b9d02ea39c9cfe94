"""Tokens that must pass, however near they are to one that must not."""

import json
from typing import Any, Final

from drf_apikit.jose.algorithms import ALGORITHMS
from tests.authentication.attacks.cases import ME, Case, Outcome, World, changed, good
from tests.authentication.attacks.keys import Arrange, publishing
from tests.authentication.attacks.kinds import GOOD_SAMPLES
from tests.jose.minting import AUDIENCE, public_jwk, sign
from tests.oidc.provider import JWKS, Provider, as_text

__all__ = ["GOOD_CASES"]

_OK: Final = Outcome.ACCEPTED
_SCHEME: Final = ("RFC 9110", "11.1")
_TYPE: Final = ("RFC 9068", "2.1")
_CLAIMS: Final = ("RFC 7519", "4")
_HEADER: Final = ("RFC 7515", "4")
_KEYS: Final = ("RFC 7517", "5")
_DATES: Final = ("RFC 7519", "4.1.4")
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256: Final = public_jwk("P-256")


def _algorithm(algorithm: str) -> Case:
    return Case(
        f"good-{algorithm}",
        lambda world: world.token(algorithm=algorithm),
        _OK,
        *("RFC 7518", "3.1"),
    )


def _without_kid(algorithm: str) -> Case:
    return Case(
        f"good-{algorithm}-without-kid",
        lambda world: world.token({"kid": None}, algorithm=algorithm),
        _OK,
        *("RFC 7515", "4.1.4"),
    )


def _sent(name: str, form: str) -> Case:
    return Case(
        f"good-header-{name}",
        good,
        _OK,
        *_SCHEME,
        send=lambda token: (form.replace("TOKEN", token), ME),
    )


def _claims(name: str, /, **claims: Any) -> Case:
    return changed(f"good-{name}", _OK, _CLAIMS, claims=claims)


def _header(name: str, /, **header: Any) -> Case:
    return changed(f"good-{name}", _OK, _HEADER, header=header)


def _from_now(name: str, **offsets: float) -> Case:
    def make(world: World) -> str:
        return world.token(
            {}, {claim: world.now + offset for claim, offset in offsets.items()}
        )

    return Case(f"good-{name}", make, _OK, *_DATES)


def _published(name: str, *jwks: Any, header: Any = None) -> Case:
    def make(world: World) -> str:
        return world.token(header)

    return Case(f"good-keys-{name}", make, _OK, *_KEYS, arrange=publishing(*jwks))


def _high_s(world: World) -> str:
    """Sign with the other of the two signatures that ECDSA has of each message."""

    def signature(text: bytes) -> bytes:
        raw = sign("ES256", "P-256", text)
        other = _N - int.from_bytes(raw[32:], "big")
        return raw[:32] + other.to_bytes(32, "big")

    return world.forged(world.header(), signature)


def _as_text_plain(provider: Provider, _: World) -> None:
    """Serve good keys without their media type, as static hosts do."""
    keys = json.dumps({"keys": [_P256]})
    provider.answers[JWKS] = as_text(200, keys, {"Content-Type": "text/plain"})


_LARGE: Final[Arrange] = publishing(
    _P256, *[{"kty": "x", "n": n} for n in range(9_999)]
)

GOOD_CASES: Final = (
    *map(_algorithm, sorted(ALGORITHMS)),
    *map(_without_kid, ("ES256", "RS256", "Ed25519")),
    Case("good-ES256-other-s", _high_s, _OK, "RFC 7518", "3.4"),
    _sent("lower-case", "bearer TOKEN"),
    _sent("upper-case", "BEARER TOKEN"),
    _sent("mixed-case", "bEaReR TOKEN"),
    _sent("spaces", "Bearer    TOKEN"),
    _sent("spaces-after", "Bearer TOKEN  "),
    changed("good-typ-upper-case", _OK, _TYPE, header={"typ": "AT+JWT"}),
    changed("good-typ-whole", _OK, _TYPE, header={"typ": "application/at+jwt"}),
    changed("good-typ-whole-upper", _OK, _TYPE, header={"typ": "Application/At+JWT"}),
    _header("unknown-members", cty="x", x=[1, {"y": None}], x5t="AAAA"),
    _header("jwk-of-the-attacker-unused", jwk=public_jwk("other P-256")),
    _header("jku-unused", jku="https://evil.test/keys"),
    _claims("unknown-claims", email="a@b.test", roles=["x"], address={"a": {"b": [1]}}),
    _claims("30-levels", deep=json.loads("[" * 30 + "]" * 30)),
    _claims("unicode", name="\u0430\U0001f600\u202e", sub="r\xf6b", client_id="r\xf6b"),
    _claims("longest-subject", sub="x" * 255, client_id="x" * 255),
    _claims("sql-subject", sub="' OR 1=1 --", client_id="' OR 1=1 --"),
    _claims("several-audiences", aud=["https://other.test", AUDIENCE]),
    _claims("audience-twice", aud=[AUDIENCE, AUDIENCE]),
    _claims("audience-list-of-one", aud=[AUDIENCE]),
    _claims("no-scope", scope=None),
    _claims("scope-list", scope=["a", 7, None]),
    _claims("nonce-and-azp", nonce="n", azp="robot"),
    _claims("iat-long-ago", iat=0),
    _claims("exp-in-9999", exp=253_402_300_799),
    _claims("exp-exponent", exp=4e9),
    _from_now("iat-a-week-old", iat=-7 * 86_400),
    _from_now("exp-fraction", exp=0.5),
    _from_now("exp-within-the-leeway", exp=-15),
    _from_now("iat-within-the-leeway", iat=15),
    _from_now("nbf-within-the-leeway", nbf=15),
    _from_now("nbf-passed", nbf=-1),
    changed("good-of-a-client-that-is-allowed", _OK, _CLAIMS, CLIENTS=["x", "robot"]),
    changed("good-for-one-of-two-apis", _OK, _CLAIMS, AUDIENCE=["x", AUDIENCE]),
    changed("good-within-the-lifetime", _OK, _CLAIMS, MAX_LIFETIME=310),
    changed(
        "good-confirmation-ignored-on-demand",
        _OK,
        ("RFC 7800", "3.1"),
        claims={"cnf": {"jkt": "x"}},
        INSECURE_IGNORE_CONFIRMATION=True,
    ),
    *GOOD_SAMPLES,
    _published("one", _P256),
    _published("one-without-kid", public_jwk("P-256", kid=None), header={"kid": None}),
    _published("unknown-curve-beside", public_jwk("P-384", crv="P-999"), _P256),
    _published("unknown-kind-beside", {"kty": "AKP", "alg": "ML-DSA-44"}, _P256),
    _published("junk-beside", 7, None, "x", [], {}, {"kty": []}, _P256),
    _published("broken-beside", {**public_jwk("other P-256"), "y": "AAAA"}, _P256),
    _published("encryption-key-beside", public_jwk("RSA", use="enc"), _P256),
    _published("encryption-key-of-that-kid", {**_P256, "use": "enc"}, _P256),
    _published("secret-beside", {"kty": "oct", "k": "AAAA", "kid": "P-256"}, _P256),
    _published("weak-of-that-kid", public_jwk("RSA-1024", kid="P-256"), _P256),
    _published("twice", _P256, _P256),
    _published("kid-of-two-kinds", public_jwk("RSA", kid="P-256"), _P256),
    _published("certificate", {**_P256, "x5c": ["!"], "x5t": 7, "x5u": "http://x"}),
    _published("with-alg-use-and-ops", {**_P256, "alg": "ES256", "use": "sig"}),
    _published("longest-kid", {**_P256, "kid": "x" * 256}, header={"kid": "x" * 256}),
    Case("good-keys-10000-and-ours-first", good, _OK, *_KEYS, arrange=_LARGE),
    Case("good-keys-as-text", good, _OK, *_KEYS, arrange=_as_text_plain),
)
