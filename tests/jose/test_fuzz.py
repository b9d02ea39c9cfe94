"""Whatever the input: nothing but a token error, and no token that PyJWT refuses."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import jwt
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.jose import (
    KeySet,
    KeySetError,
    TokenError,
    parse_compact,
    parse_key_set,
    verify,
)
from tests.jose.minting import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    KEY_OF,
    KEYS,
    NOW,
    POLICY,
    mint,
    public_jwk,
)
from tests.jose.strategies import JSON_VALUES

GOOD: Final = mint()
LETTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/\0\n é"
)
REGISTERED: Final = ("iss", "sub", "aud", "exp", "iat", "nbf", "client_id", "jti")
PARAMETERS: Final = ("alg", "typ", "kid", "crit", "b64", "zip", "jwk", "cty")

#: Near the truth, so that every rule is reached.
plausible_parameters = st.sampled_from(
    [*KEY_OF, *KEY_OF.values(), "none", "HS256", "JWT", "at+jwt", "AT+JWT", ""]
)
plausible_claims = st.sampled_from(
    [ISSUER, AUDIENCE, [AUDIENCE], [AUDIENCE, "b"], "shop", "", "\0", "x" * 255, [], 0]
)
#: Never so near to a limit that the two clocks could disagree.
offsets = st.sampled_from([-90_000, -40, -20, 0, 20, 40, 90_000, 0.5, 1e12])
algorithms = st.sampled_from(sorted(KEY_OF))


def judge(token: str, keys: KeySet = KEYS, now: float = NOW) -> Any:
    """Give the claims, or None for a refusal; anything else is raised."""
    try:
        return verify(parse_compact(token), keys, POLICY, now)
    except TokenError:
        return None


def mint_with(
    algorithm: str, header: Mapping[str, Any], claims: Mapping[str, Any]
) -> str:
    kind = KEY_OF[algorithm]
    members = {**HEADER, "alg": algorithm, "kid": kind, **header}
    texts = (json.dumps(part).encode() for part in (members, {**CLAIMS, **claims}))
    return mint(*texts, algorithm=algorithm, kind=kind)


@given(st.integers(0, len(GOOD)), st.integers(0, 8), st.text(LETTERS, max_size=8))
def test_a_token_that_differs_in_any_character_is_refused(
    start: int, length: int, new: str
) -> None:
    changed = GOOD[:start] + new + GOOD[start + length :]
    assert (judge(changed) is not None) is (changed == GOOD)


@given(
    algorithms,
    st.dictionaries(
        st.sampled_from(PARAMETERS) | st.text(), JSON_VALUES | plausible_parameters
    ),
    st.dictionaries(
        st.sampled_from(REGISTERED) | st.text(), JSON_VALUES | plausible_claims
    ),
)
def test_any_signed_token_is_accepted_or_refused(
    algorithm: str, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    accepted = judge(mint_with(algorithm, header, claims))
    if accepted is not None:
        assert accepted["iss"] == ISSUER
        assert AUDIENCE in accepted["aud"]
        assert not {"crit", "b64", "zip"} & header.keys()


@given(st.lists(JSON_VALUES, max_size=3) | JSON_VALUES)
def test_any_key_set_judges_a_token(keys: Any) -> None:
    try:
        key_set = parse_key_set({"keys": keys})
    except KeySetError:
        return
    assert judge(GOOD, key_set) is None


def accepted_by_pyjwt(token: str, leeway: int) -> bool:
    try:
        header = jwt.get_unverified_header(token)
        jwt.decode(
            token,
            jwt.PyJWK(public_jwk(header["kid"]), header["alg"]),
            algorithms=sorted(KEY_OF),
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=leeway,
            options={"require": list(REGISTERED[:5])},
        )
    except jwt.PyJWTError:
        return False
    return True


@given(
    # PyJWT does not know this name.
    algorithms.filter(lambda name: name != "Ed25519"),
    st.dictionaries(st.sampled_from(PARAMETERS), plausible_parameters, max_size=1),
    st.dictionaries(st.sampled_from(REGISTERED), plausible_claims, max_size=1),
    st.dictionaries(st.sampled_from(["exp", "iat", "nbf"]), offsets, max_size=2),
)
def test_what_is_accepted_is_accepted_by_pyjwt(
    algorithm: str,
    header: dict[str, Any],
    claims: dict[str, Any],
    dates: dict[str, float],
) -> None:
    now = time.time()
    moved = {name: now + offset for name, offset in dates.items()}
    fresh = {"iat": int(now) - 10, "exp": int(now) + 300}
    token = mint_with(algorithm, header, {**fresh, **moved, **claims})
    if judge(token, now=now) is not None:
        assert accepted_by_pyjwt(token, POLICY.claims.leeway)


@given(st.lists(algorithms, min_size=1, max_size=3))
def test_where_pyjwt_refuses_for_the_algorithm_so_do_we(allowed: list[str]) -> None:
    policy = replace(POLICY, algorithms=frozenset(allowed))
    for algorithm in KEY_OF:
        token = parse_compact(mint_with(algorithm, {}, {}))
        try:
            verify(token, KEYS, policy, NOW)
        except TokenError:
            assert algorithm not in allowed
        else:
            assert algorithm in allowed
