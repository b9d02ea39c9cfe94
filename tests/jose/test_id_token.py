import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.jose.errors import Reason, TokenError
from drf_apikit.jose.id_token import (
    IdTokenRules,
    UserinfoRules,
    at_hash,
    check_at_hash,
    check_id_token,
    check_nonce,
    check_refreshed_id_token,
)
from tests.jose.minting import ISSUER, NOW, base64url
from tests.jose.strategies import JSON_VALUES

CLIENT: Final = "web"
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": CLIENT,
    "iat": NOW - 10,
    "exp": NOW + 300,
    "nonce": "n-1",
}
RULES: Final = IdTokenRules(ISSUER, CLIENT)
USERINFO: Final = {"iss": ISSUER, "aud": CLIENT, "sub": "alice"}
CORE: Final = "OIDC Core 1.0"
ENDED: Final = 253_402_300_800


def with_(claims: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """Change claims; one of `...` is left out."""
    every = {**claims, **changed}
    return {name: value for name, value in every.items() if value is not ...}


def refusal(rules: IdTokenRules = RULES, now: float = NOW, **claims: Any) -> Reason:
    with pytest.raises(TokenError) as refused:
        check_id_token(with_(CLAIMS, **claims), rules, now)
    return refused.value.reason


@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="plain"),
        pytest.param({"aud": [CLIENT]}, id="a list of one"),
        pytest.param({"azp": CLIENT}, id="azp"),
        pytest.param({"aud": [CLIENT, "api"], "azp": CLIENT}, id="several, for us"),
        pytest.param({"aud": [CLIENT, CLIENT]}, id="twice"),
        pytest.param({"typ": "ID"}, id="of Keycloak"),
        pytest.param({"token_use": "id"}, id="of Cognito"),
        pytest.param({"token_type": "id_token"}, id="that says what it is"),
        pytest.param({"scope": "openid"}, id="with a scope and a nonce"),
        pytest.param({"auth_time": NOW - 10**6}, id="of a long session"),
        pytest.param({"exp": NOW - 29, "iat": NOW - 400}, id="within leeway"),
        pytest.param({"iat": NOW + 30, "nbf": NOW + 30}, id="a clock ahead"),
        pytest.param({"nonce": ..., "groups": ["a"]}, id="without a nonce"),
    ],
)
def test_a_good_token_passes(claims: dict[str, Any]) -> None:
    check_id_token(with_(CLAIMS, **claims), RULES, NOW)
    RULES.check(with_(CLAIMS, **claims), NOW)


@pytest.mark.compliance(CORE, "2")
@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"iss": ...}, Reason.CLAIM_MISSING, id="no iss"),
        pytest.param({"iss": f"{ISSUER}/"}, Reason.ISSUER, id="another iss"),
        pytest.param({"iss": [ISSUER]}, Reason.CLAIM_INVALID, id="a list of iss"),
        pytest.param({"sub": ...}, Reason.CLAIM_MISSING, id="no sub"),
        pytest.param({"sub": ""}, Reason.CLAIM_INVALID, id="empty sub"),
        pytest.param({"sub": 7}, Reason.CLAIM_INVALID, id="a number as sub"),
        pytest.param({"sub": "a\0"}, Reason.CLAIM_INVALID, id="NUL in sub"),
        pytest.param({"sub": "a" * 256}, Reason.CLAIM_INVALID, id="long sub"),
        pytest.param({"aud": ...}, Reason.CLAIM_MISSING, id="no aud"),
        pytest.param({"aud": []}, Reason.AUDIENCE, id="empty aud"),
        pytest.param({"aud": "other"}, Reason.AUDIENCE, id="another aud"),
        pytest.param({"aud": CLIENT + "x"}, Reason.AUDIENCE, id="a longer aud"),
        pytest.param({"aud": {CLIENT: 1}}, Reason.CLAIM_INVALID, id="a dict of aud"),
        pytest.param({"aud": [CLIENT, 7]}, Reason.CLAIM_INVALID, id="a number in aud"),
        pytest.param({"aud": [CLIENT, "x"]}, Reason.AUDIENCE, id="several aud, no azp"),
        pytest.param({"azp": "other"}, Reason.CLIENT, id="azp of another"),
        pytest.param({"azp": [CLIENT]}, Reason.CLAIM_INVALID, id="a list of azp"),
        pytest.param({"azp": None}, Reason.CLAIM_INVALID, id="azp of null"),
        pytest.param(
            {"aud": "other", "azp": CLIENT}, Reason.AUDIENCE, id="azp does not replace"
        ),
        pytest.param({"exp": ...}, Reason.CLAIM_MISSING, id="no exp"),
        pytest.param({"exp": NOW - 30}, Reason.EXPIRED, id="expired"),
        pytest.param({"exp": str(NOW + 1)}, Reason.CLAIM_INVALID, id="a text as exp"),
        pytest.param({"exp": ENDED}, Reason.CLAIM_INVALID, id="exp after all time"),
        pytest.param({"iat": ...}, Reason.CLAIM_MISSING, id="no iat"),
        pytest.param({"iat": NOW + 31}, Reason.NOT_YET_VALID, id="iat ahead"),
        pytest.param({"iat": True}, Reason.CLAIM_INVALID, id="a bool as iat"),
        pytest.param({"nbf": NOW + 31}, Reason.NOT_YET_VALID, id="nbf ahead"),
        pytest.param({"auth_time": "x"}, Reason.CLAIM_INVALID, id="auth_time a text"),
        pytest.param(
            {"auth_time": NOW + 31}, Reason.NOT_YET_VALID, id="auth_time ahead"
        ),
    ],
)
def test_a_broken_rule_is_a_refusal(claims: dict[str, Any], reason: Reason) -> None:
    assert refusal(**claims) is reason


@pytest.mark.compliance("RFC 8725", "3.12")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"events": {}}, id="a logout token"),
        pytest.param({"htm": "GET"}, id="a DPoP proof"),
        pytest.param({"htu": "x"}, id="where a proof is for"),
        pytest.param({"ath": "x"}, id="what a proof is for"),
        pytest.param({"typ": "Bearer"}, id="an access token of Keycloak"),
        pytest.param({"typ": "Refresh"}, id="a refresh token of Keycloak"),
        pytest.param({"typ": "Logout"}, id="a logout token of Keycloak"),
        pytest.param({"typ": None}, id="a kind of null"),
        pytest.param({"typ": ["ID"]}, id="a list of kinds"),
        pytest.param({"token_use": "access"}, id="an access token of Cognito"),
        pytest.param({"token_type": "refresh"}, id="of simplejwt"),
        pytest.param({"nonce": ..., "scope": "openid"}, id="scope"),
        pytest.param({"nonce": ..., "scp": ["a"]}, id="scp"),
    ],
)
def test_a_token_of_another_kind_is_refused(claims: dict[str, Any]) -> None:
    assert refusal(**claims) is Reason.TYPE


@pytest.mark.compliance(CORE, "12.2")
def test_what_the_token_endpoint_has_given_anew_may_have_scopes() -> None:
    rules = replace(RULES, may_have_scopes=True)
    for claims in ({"scope": "openid"}, {"scp": ["a"]}, {}):
        check_id_token(with_(CLAIMS, nonce=..., **claims), rules, NOW)
    assert refusal(rules, scope="openid", typ="Bearer") is Reason.TYPE
    assert refusal(rules, scope="openid", events={}) is Reason.TYPE
    assert refusal(rules, scope="openid", token_use="access") is Reason.TYPE


def test_clocks_are_let_differ_by_the_leeway_alone() -> None:
    exact = IdTokenRules(ISSUER, CLIENT, leeway=0)
    assert refusal(exact, exp=NOW) is Reason.EXPIRED
    assert refusal(exact, iat=NOW + 1) is Reason.NOT_YET_VALID
    assert refusal(exact, nbf=NOW + 1) is Reason.NOT_YET_VALID
    check_id_token(with_(CLAIMS, exp=NOW + 1, iat=NOW, nbf=NOW), exact, NOW)


@pytest.mark.compliance(CORE, "3.1.2.1")
def test_with_max_age_the_provider_says_when_somebody_logged_in() -> None:
    rules = IdTokenRules(ISSUER, CLIENT, leeway=30, max_age=60)
    assert refusal(rules) is Reason.CLAIM_MISSING
    assert refusal(rules, auth_time=NOW - 91) is Reason.EXPIRED
    check_id_token(with_(CLAIMS, auth_time=NOW - 90), rules, NOW)
    at_once = IdTokenRules(ISSUER, CLIENT, leeway=0, max_age=0)
    assert refusal(at_once, auth_time=NOW - 1) is Reason.EXPIRED
    check_id_token(with_(CLAIMS, auth_time=NOW), at_once, NOW)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "azp", "auth_time"]), JSON_VALUES))
def test_whatever_it_says_it_passes_or_is_refused(claims: dict[str, Any]) -> None:
    same = {**CLAIMS, **claims}
    try:
        check_id_token(same, RULES, NOW)
    except TokenError:
        return
    assert (same["iss"], type(same["sub"])) == (ISSUER, str)
    assert CLIENT in same["aud"]
    assert same.get("azp", CLIENT) == CLIENT


@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize(
    ("nonce", "reason"),
    [
        (..., Reason.CLAIM_MISSING),
        *[(given, Reason.BINDING) for given in ("n-2", "", "N-1", None, 1, ["n-1"])],
        ("\ud800", Reason.BINDING),
    ],
    ids=ascii,
)
def test_a_nonce_is_exactly_ours(nonce: Any, reason: Reason) -> None:
    check_nonce(CLAIMS, "n-1")
    with pytest.raises(TokenError) as refused:
        check_nonce(with_(CLAIMS, nonce=nonce), "n-1")
    assert refused.value.reason is reason


@pytest.mark.compliance(CORE, "3.1.3.6")
def test_the_example_of_the_specification() -> None:
    """Of appendix A.3 of OpenID Connect Core, an ID token of RS256."""
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    assert at_hash(token, "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"


@pytest.mark.compliance(CORE, "3.1.3.8")
@pytest.mark.parametrize(
    ("algorithm", "hash_name"),
    [
        *[
            (f"{family}{bits}", f"sha{bits}")
            for family in ("RS", "PS", "ES")
            for bits in (256, 384, 512)
        ],
        ("EdDSA", "sha512"),
        ("Ed25519", "sha512"),
    ],
)
def test_at_hash_is_half_a_hash_of_the_algorithm(
    algorithm: str, hash_name: str
) -> None:
    digest = hashlib.new(hash_name, b"token").digest()
    half = base64url(digest[: len(digest) // 2])
    assert at_hash("token", algorithm) == half
    check_at_hash({"at_hash": half}, "token", algorithm)
    check_at_hash({}, "token", algorithm)
    for wrong in (base64url(digest), half[:-1], "", None, 7, [half]):
        with pytest.raises(TokenError) as refused:
            check_at_hash({"at_hash": wrong}, "token", algorithm)
        assert refused.value.reason is Reason.BINDING
    with pytest.raises(TokenError):
        check_at_hash({"at_hash": half}, "another", algorithm)


# After a refresh.

LOGIN: Final = {**CLAIMS, "azp": CLIENT, "auth_time": NOW - 20}


@pytest.mark.compliance(CORE, "12.2")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="the same"),
        pytest.param({"iat": NOW + 300, "exp": NOW + 600}, id="newer"),
        pytest.param({"nonce": ..., "auth_time": ...}, id="without what it need not"),
        pytest.param({"aud": [CLIENT]}, id="aud as a list"),
        pytest.param({"iat": NOW - 40}, id="of a machine whose clock is slow"),
        pytest.param({"auth_time": NOW}, id="after another login of the same person"),
    ],
)
def test_a_refreshed_token_of_the_same_login_passes(claims: dict[str, Any]) -> None:
    check_refreshed_id_token(with_(LOGIN, **claims), LOGIN)


@pytest.mark.compliance(CORE, "12.2")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": f"{ISSUER}/"},
        {"sub": "mallory"},
        {"aud": [CLIENT, "other"]},
        {"aud": "other"},
        {"azp": "other"},
        {"azp": ...},
        {"auth_time": NOW - 21},
        {"nonce": "n-2"},
        {"iat": NOW - 41},
    ],
    ids=str,
)
def test_a_refreshed_token_of_another_login_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenError) as refused:
        check_refreshed_id_token(with_(LOGIN, **claims), LOGIN)
    assert refused.value.reason is Reason.BINDING


@pytest.mark.parametrize("name", ["azp", "nonce"])
def test_nothing_is_added_by_a_refresh(name: str) -> None:
    login = with_(LOGIN, **{name: ...})
    check_refreshed_id_token(login, login)
    with pytest.raises(TokenError):
        check_refreshed_id_token(LOGIN, login)


# Userinfo.


@pytest.mark.compliance(CORE, "5.3.2")
@pytest.mark.parametrize(
    "claims",
    [{}, {"aud": ["x", CLIENT]}, {"exp": NOW - 29}, {"iat": NOW + 30}, {"nbf": NOW}],
    ids=str,
)
def test_signed_userinfo_for_this_client_passes(claims: dict[str, Any]) -> None:
    UserinfoRules(ISSUER, CLIENT).check(with_(USERINFO, **claims), NOW)


@pytest.mark.compliance(CORE, "5.3.2")
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": ...}, Reason.CLAIM_MISSING),
        ({"iss": "https://other.test"}, Reason.ISSUER),
        ({"sub": ...}, Reason.CLAIM_MISSING),
        ({"aud": ...}, Reason.CLAIM_MISSING),
        ({"aud": "other"}, Reason.AUDIENCE),
        ({"exp": NOW - 30}, Reason.EXPIRED),
        ({"iat": NOW + 31}, Reason.NOT_YET_VALID),
        ({"nbf": NOW + 31}, Reason.NOT_YET_VALID),
        ({"events": {}}, Reason.TYPE),
    ],
    ids=str,
)
def test_signed_userinfo_for_somebody_else_is_refused(
    claims: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(TokenError) as refused:
        UserinfoRules(ISSUER, CLIENT).check(with_(USERINFO, **claims), NOW)
    assert refused.value.reason is reason


def test_typ_is_that_of_a_jwt_or_nothing() -> None:
    wanted = frozenset({None, "jwt"})
    assert RULES.types == UserinfoRules(ISSUER, CLIENT).types == wanted
