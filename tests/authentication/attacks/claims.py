"""The claims of a token that is well signed."""

from typing import Any, Final

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import Case, World, changed
from tests.jose.minting import AUDIENCE, ISSUER

__all__ = ["CLAIM_CASES"]

_AUD: Final = ("RFC 7519", "4.1.3")
_ISS: Final = ("RFC 9068", "4")
_REQUIRED: Final = ("RFC 9068", "2.2")
_SUB: Final = ("RFC 7519", "4.1.2")
_DATE: Final = ("RFC 7519", "2")
_EXP: Final = ("RFC 7519", "4.1.4")
_NBF: Final = ("RFC 7519", "4.1.5")
_IAT: Final = ("RFC 7519", "4.1.6")
_CNF: Final = ("RFC 7800", "3.1")
_CLIENT: Final = ("RFC 9068", "2.2")
_BAD: Final = Reason.CLAIM_INVALID
_DAY: Final = 86_400


def _aud(name: str, aud: Any, expected: Reason = Reason.AUDIENCE) -> Case:
    return changed(f"aud-{name}", expected, _AUD, claims={"aud": aud})


def _iss(name: str, iss: Any) -> Case:
    return changed(f"iss-{name}", Reason.ISSUER, _ISS, claims={"iss": iss})


def _text(claim: str, name: str, value: Any) -> Case:
    return changed(f"{claim}-{name}", _BAD, _SUB, claims={claim: value})


def _date(claim: str, name: str, value: Any) -> Case:
    return changed(f"{claim}-{name}", _BAD, _DATE, claims={claim: value})


def _from_now(
    name: str, expected: Reason, spec: tuple[str, str], /, **offsets: float
) -> Case:
    """Give a case with dates so many seconds from now."""

    def make(world: World) -> str:
        dates = {claim: world.now + seconds for claim, seconds in offsets.items()}
        return world.token({}, dates)

    return Case(name, make, expected, *spec)


def _lifetime(name: str, limit: int, lifetime: int) -> Case:
    def make(world: World) -> str:
        dates = {"iat": world.now - 10, "exp": world.now - 10 + lifetime}
        return world.token({}, dates)

    options = {"MAX_LIFETIME": limit}
    return Case(f"lifetime-{name}", make, Reason.LIFETIME, "RFC 9700", "2.2", options)


def _cnf(name: str, value: Any) -> Case:
    def make(world: World) -> str:
        # None is a value here, and not for being left out.
        return world.token({}, {"cnf": value} if value is not None else {"cnf": []})

    return Case(f"cnf-{name}", make, Reason.CONFIRMATION, *_CNF)


def _client(name: str, client: str, *allowed: str) -> Case:
    claims = {"client_id": client}
    return changed(
        f"client-{name}", Reason.CLIENT, _CLIENT, claims=claims, CLIENTS=list(allowed)
    )


CLAIM_CASES: Final = (
    *[
        changed(f"no-{name}", Reason.CLAIM_MISSING, _REQUIRED, claims={name: None})
        for name in ("sub", "aud", "exp", "iat", "client_id", "jti")
    ],
    changed("no-iss", Reason.ISSUER, _REQUIRED, claims={"iss": None}),
    _aud("another", "https://other.test"),
    _aud("empty", ""),
    _aud("empty-list", []),
    _aud("list-of-empty", [""]),
    _aud("list-of-others", ["https://a.test", "https://b.test"]),
    _aud("case", AUDIENCE.upper()),
    _aud("slash", f"{AUDIENCE}/"),
    _aud("prefix", AUDIENCE[:-1]),
    _aud("longer", f"{AUDIENCE}.evil.test"),
    _aud("substring", f"https://evil.test/?{AUDIENCE}"),
    _aud("spaces", f"https://a.test {AUDIENCE}"),
    _aud("commas", f"https://a.test,{AUDIENCE}"),
    _aud("padded", f" {AUDIENCE}"),
    _aud("wildcard", "*"),
    _aud("homograph", AUDIENCE.replace("a", "\u0430")),
    _aud("nested", [[AUDIENCE]], _BAD),
    _aud("object", {AUDIENCE: True}, _BAD),
    _aud("list-of-objects", [{"aud": AUDIENCE}], _BAD),
    _aud("number", 7, _BAD),
    _aud("bool", True, _BAD),
    _aud("mixed-list", [AUDIENCE, 7], _BAD),
    _iss("another", "https://evil.test"),
    _iss("slash", f"{ISSUER}/"),
    _iss("case", "https://ISSUER.test"),
    _iss("http", "http://issuer.test"),
    _iss("port", f"{ISSUER}:443"),
    _iss("userinfo", "https://issuer.test@evil.test"),
    _iss("path", f"{ISSUER}/../evil"),
    _iss("suffix", f"{ISSUER}.evil.test"),
    _iss("prefix", "https://issuer.tes"),
    _iss("nul", f"{ISSUER}\0"),
    _iss("homograph", ISSUER.replace("i", "\u0456")),
    _iss("full-width", ISSUER.replace("s", "\uff53")),
    _iss("padded", f" {ISSUER}"),
    _iss("empty", ""),
    _iss("list", [ISSUER]),
    _iss("object", {ISSUER: 1}),
    _iss("number", 0),
    _iss("bool", True),
    Case(
        "iss-of-the-attacker",
        lambda world: world.token({}, {"iss": world.evil}, kind="other P-256"),
        Reason.ISSUER,
        *("RFC 8725", "3.8"),
    ),
    _text("sub", "empty", ""),
    _text("sub", "nul", "robot\0"),
    _text("sub", "long", "x" * 256),
    _text("sub", "list", ["robot"]),
    _text("sub", "object", {"robot": 1}),
    _text("sub", "number", 1),
    _text("sub", "bool", True),
    _text("client_id", "list", ["robot"]),
    _text("client_id", "empty", ""),
    _text("client_id", "nul", "robot\0"),
    _text("jti", "number", 1),
    _text("jti", "empty", ""),
    _text("jti", "long", "x" * 10_000),
    changed("sub-of-nobody", Reason.SUBJECT, _SUB, claims={"sub": "mallory"}),
    changed("sub-of-the-client-in-case", Reason.SUBJECT, _SUB, claims={"sub": "Robot"}),
    *[
        _date(claim, name, value)
        for claim in ("exp", "iat", "nbf")
        for name, value in (
            ("text", "1800000000"),
            ("bool", True),
            ("list", [1_800_000_000]),
            ("object", {}),
        )
    ],
    _date("exp", "iso", "2099-01-01T00:00:00Z"),
    _date("exp", "milliseconds", 1_800_000_000_000),
    _date("exp", "year-10000", 253_402_300_800),
    _date("iat", "10-to-30", 10**30),
    _date("nbf", "10-to-30", 10**30),
    _date("iat", "negative", -1),
    _date("nbf", "negative", -1),
    changed("exp-0", Reason.EXPIRED, _EXP, claims={"exp": 0}),
    _from_now("exp-just-passed", Reason.EXPIRED, _EXP, exp=-31),
    _from_now("exp-5-minutes-ago", Reason.EXPIRED, _EXP, iat=-600, exp=-300),
    _from_now("exp-a-year-ago", Reason.EXPIRED, _EXP, iat=-400 * _DAY, exp=-365 * _DAY),
    _from_now("nbf-ahead", Reason.NOT_YET_VALID, _NBF, nbf=60),
    _from_now("nbf-next-year", Reason.NOT_YET_VALID, _NBF, nbf=365 * _DAY),
    _from_now("iat-ahead", Reason.NOT_YET_VALID, _IAT, iat=60),
    _from_now("iat-next-day", Reason.NOT_YET_VALID, _IAT, iat=_DAY, exp=2 * _DAY),
    _lifetime("a-second-more", 3600, 3601),
    _lifetime("years", 3600, 3650 * _DAY),
    _cnf("jkt", {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    _cnf("x5t", {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
    _cnf("jwk", {"jwk": {"kty": "EC"}}),
    _cnf("kid", {"kid": "P-256"}),
    _cnf("empty", {}),
    _cnf("list", None),
    _cnf("text", "none"),
    _client("another", "robot", "shop"),
    _client("case", "robot", "Robot", "ROBOT"),
    _client("prefix", "robot", "robo", "robot2"),
)
