"""Tokens of the same issuer, well signed, that are no access tokens."""

from collections.abc import Mapping
from typing import Any, Final

from drf_apikit.jose import PROFILES, Reason
from tests.authentication.attacks.cases import ROBOT, Case, Outcome, World
from tests.jose.minting import AUDIENCE, ISSUER, NOW
from tests.jose.samples import SAMPLES, Sample

__all__ = ["GOOD_SAMPLES", "KIND_CASES"]

_CONFUSION: Final = ("RFC 8725", "3.12")
_EVIDENCE: Final = frozenset({Reason.TYPE, Reason.CLAIM_MISSING})
#: What a sample may lack by chance, so that it is refused for its kind alone.
_DRESS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": ROBOT,
    "user_id": "17",
    "jti": "id-1",
    "iat": NOW - 2,
    "exp": NOW + 300,
}


def _moved(claims: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    """Move a sample's dates to now."""
    return {
        name: value + seconds if name in {"iat", "exp", "nbf", "auth_time"} else value
        for name, value in claims.items()
    }


def _sample(
    sample: Sample,
    profile: str,
    expected: Outcome | frozenset[Reason],
    claims: Mapping[str, Any],
) -> Case:
    """Send a sample to an API that is all that it names."""
    audience = claims.get("aud")
    options: dict[str, Any] = {"TOKEN_PROFILE": profile}
    if audience is None:
        options["CLIENTS"] = [claims["client_id"]]
    else:
        options["AUDIENCE"] = audience

    def make(world: World) -> str:
        dated = _moved(claims, world.now - NOW)
        # As it is: the issuer is the sample's own.
        header = {"typ": None, **sample.header}
        return world.token(header, {**_absent(dated), **dated}, algorithm="RS256")

    name = f"{sample}-under-{profile}".replace(" ", "-").replace(",", "")
    issuer = claims["iss"]
    return Case(name, make, expected, *_CONFUSION, options, issuer=issuer)


def _absent(claims: Mapping[str, Any]) -> dict[str, None]:
    """Leave out what a good token of the matrix would have."""
    ours = ("aud", "sub", "client_id", "iat", "exp", "jti", "scope")
    return {name: None for name in ours if name not in claims}


_OTHERS: Final = [sample for sample in SAMPLES if sample.kind != "access"]


def _own_profile(sample: Sample) -> str:
    return sample.provider if sample.provider in PROFILES else "rfc9068"


KIND_CASES: Final = (
    *[
        _sample(sample, profile, _EVIDENCE, {**_DRESS, **sample.claims})
        for sample in _OTHERS
        for profile in sorted({"rfc9068", _own_profile(sample)})
    ],
)

#: Whose subject is nobody's here is refused after all else: only machines pass.
GOOD_SAMPLES: Final = (
    *[
        _sample(sample, sample.provider, Outcome.ACCEPTED, sample.claims)
        for sample in SAMPLES
        if sample.kind == "access" and sample.is_of_client
    ],
)
