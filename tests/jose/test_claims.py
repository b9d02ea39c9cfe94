from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.jose.claims import ClaimRules, check_claims, claim_at
from drf_apikit.jose.errors import Reason, TokenError
from drf_apikit.jose.profiles import PROFILES, RFC9068
from tests.jose.minting import AUDIENCE, CLAIMS, ISSUER, NOW, RULES
from tests.jose.strategies import JSON_VALUES

END_OF_9999 = 253_402_300_799
REQUIRED = ("iss", "sub", "aud", "exp", "iat", "client_id", "jti")
NO_LEEWAY = replace(RULES, leeway=0)
#: What the claim must not be, whatever the claim.
WRONG_TYPES = [None, True, False, [], {}, ["x"], {"a": 1}]


def refusal(
    rules: ClaimRules = RULES, /, now: float = NOW, **claims: Any
) -> TokenError:
    with pytest.raises(TokenError) as refused:
        check_claims({**CLAIMS, **claims}, rules, now)
    return refused.value


def accepted(rules: ClaimRules = RULES, /, now: float = NOW, **claims: Any) -> bool:
    try:
        check_claims({**CLAIMS, **claims}, rules, now)
    except TokenError:
        return False
    return True


@pytest.mark.compliance("RFC 9068", "4")
def test_good_claims_pass() -> None:
    assert accepted()


@pytest.mark.compliance("RFC 9068", "2.2")
@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_claim_must_be_there(name: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    with pytest.raises(TokenError) as refused:
        check_claims(claims, RULES, NOW)
    assert (refused.value.reason, refused.value.detail) == (Reason.CLAIM_MISSING, name)


@pytest.mark.compliance("RFC 7519", "4.1.1")
@pytest.mark.compliance("RFC 7519", "4.1.2")
@pytest.mark.parametrize("name", ["iss", "sub", "client_id", "jti"])
@pytest.mark.parametrize(
    "value", [*WRONG_TYPES, 7, 1.5, "", "x" * 256, "a\0b", "\0"], ids=ascii
)
def test_a_name_is_a_short_text(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert (error.reason, error.detail) == (Reason.CLAIM_INVALID, name)


@pytest.mark.parametrize("value", ["x", "x" * 255, "a b", "' OR 1=1 --", "é\U0001f600"])
@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
def test_any_short_text_is_a_name(name: str, value: Any) -> None:
    assert accepted(**{name: value})


@pytest.mark.compliance("RFC 8725", "3.8")
@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(
    "value",
    [
        f"{ISSUER}/",
        ISSUER.upper(),
        f" {ISSUER}",
        ISSUER.removesuffix("t"),
        "http://issuer.test",
        "other",
    ],
)
def test_the_issuer_must_be_exactly_ours(value: str) -> None:
    assert refusal(iss=value).reason is Reason.ISSUER


@pytest.mark.compliance("RFC 7519", "4.1.3")
@pytest.mark.compliance("RFC 8725", "3.9")
@pytest.mark.parametrize(
    "value",
    [
        "https://other.test",
        "",
        f"{AUDIENCE}/",
        AUDIENCE.upper(),
        f"{AUDIENCE} https://other.test",
        AUDIENCE[:-1],
        [],
        ["https://other.test"],
        [""],
    ],
    ids=repr,
)
def test_a_token_for_another_audience_is_refused(value: Any) -> None:
    assert refusal(aud=value).reason is Reason.AUDIENCE


@pytest.mark.compliance("RFC 7519", "4.1.3")
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        {},
        {AUDIENCE: 1},
        [AUDIENCE, 7],
        [AUDIENCE, None],
        [[AUDIENCE]],
        [{"aud": AUDIENCE}],
    ],
    ids=repr,
)
def test_an_audience_is_a_string_or_a_list_of_strings(value: Any) -> None:
    error = refusal(aud=value)
    assert (error.reason, error.detail) == (Reason.CLAIM_INVALID, "aud")


@pytest.mark.compliance("RFC 7519", "4.1.3")
def test_one_audience_of_several_is_enough() -> None:
    assert accepted(aud=[AUDIENCE])
    assert accepted(aud=["https://other.test", AUDIENCE, AUDIENCE])
    rules = replace(RULES, audiences=frozenset({"a", "b"}))
    assert accepted(rules, aud="b")
    assert accepted(rules, aud=["c", "a"])
    assert not accepted(rules, aud=["c"])


@pytest.mark.parametrize(
    ("clients", "passes"),
    [
        (None, True),
        (frozenset({"shop"}), True),
        (frozenset({"x", "shop"}), True),
        (frozenset({"Shop"}), False),
        (frozenset({"sho"}), False),
        (frozenset(), False),
    ],
    ids=["any", "ours", "ours-and-another", "case", "prefix", "none"],
)
def test_clients_may_be_limited(clients: frozenset[str] | None, passes: bool) -> None:
    rules = replace(RULES, clients=clients)
    if passes:
        assert accepted(rules)
    else:
        assert refusal(rules).reason is Reason.CLIENT


@pytest.mark.compliance("RFC 7519", "2")
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    [
        *WRONG_TYPES,
        "",
        str(NOW),
        "2030-01-01T00:00:00Z",
        -1,
        -0.5,
        END_OF_9999 + 1,
        1e30,
        10**4000,
        -(10**4000),
        float("inf"),
        float("-inf"),
        float("nan"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else None,
)
def test_a_date_is_a_number_of_this_age(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert (error.reason, error.detail) == (Reason.CLAIM_INVALID, name)


@pytest.mark.compliance("RFC 7519", "4.1.4")
@pytest.mark.parametrize(
    ("exp", "leeway", "passes"),
    [
        (NOW + 1, 0, True),
        (NOW + 0.5, 0, True),
        (NOW, 0, False),
        (NOW - 1, 0, False),
        (NOW - 29, 30, True),
        (NOW - 29.5, 30, True),
        (NOW - 30, 30, False),
        (0, 300, False),
        (END_OF_9999, 0, True),
    ],
)
def test_an_expired_token_is_refused(exp: float, leeway: int, passes: bool) -> None:
    rules = replace(RULES, leeway=leeway)
    if passes:
        assert accepted(rules, exp=exp)
    else:
        assert refusal(rules, exp=exp).reason is Reason.EXPIRED


@pytest.mark.compliance("RFC 7519", "4.1.5")
@pytest.mark.compliance("RFC 7519", "4.1.6")
@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize(
    ("value", "leeway", "passes"),
    [
        (0, 0, True),
        (NOW - 3600, 0, True),
        (NOW, 0, True),
        (NOW + 0.5, 0, False),
        (NOW + 1, 0, False),
        (NOW + 30, 30, True),
        (NOW + 31, 30, False),
        (END_OF_9999, 300, False),
    ],
)
def test_a_token_from_the_future_is_refused(
    name: str, value: float, leeway: int, passes: bool
) -> None:
    rules = replace(RULES, leeway=leeway)
    if passes:
        assert accepted(rules, **{name: value})
    else:
        assert refusal(rules, **{name: value}).reason is Reason.NOT_YET_VALID


@pytest.mark.parametrize(
    ("lifetime", "limit", "passes"),
    [(60, 60, True), (61, 60, False), (60.5, 60, False), (10**9, None, True)],
)
def test_the_lifetime_may_be_limited(
    lifetime: float, limit: int | None, passes: bool
) -> None:
    rules = replace(RULES, max_lifetime=limit)
    dates = {"iat": NOW, "exp": NOW + lifetime}
    if passes:
        assert accepted(rules, **dates)
    else:
        assert refusal(rules, **dates).reason is Reason.LIFETIME


def test_the_clock_is_what_the_caller_says() -> None:
    assert accepted(NO_LEEWAY, now=NOW + 299.9)
    assert refusal(NO_LEEWAY, now=NOW + 300.0).reason is Reason.EXPIRED
    assert refusal(NO_LEEWAY, now=NOW - 10.1).reason is Reason.NOT_YET_VALID


def test_the_default_leeway_is_half_a_minute_and_nothing_else_is_limited() -> None:
    rules = ClaimRules(ISSUER, frozenset({AUDIENCE}))
    assert (rules.leeway, rules.clients, rules.max_lifetime) == (30, None, None)


@given(st.dictionaries(st.sampled_from([*REQUIRED, "nbf"]), JSON_VALUES))
def test_any_claims_are_accepted_or_refused(claims: dict[str, Any]) -> None:
    if accepted(**claims):
        assert claims.get("iss", ISSUER) == ISSUER


@given(st.text() | st.lists(st.text()), st.text(min_size=1))
def test_an_audience_matches_as_a_whole(aud: str | list[str], ours: str) -> None:
    rules = replace(RULES, audiences=frozenset({ours}))
    assert accepted(rules, aud=aud) is (
        ours in ([aud] if isinstance(aud, str) else aud)
    )


@pytest.mark.compliance("RFC 7800", "3.1")
@pytest.mark.parametrize(
    "claims",
    [{"cnf": {"jkt": "x"}}, {"cnf": None}, {"cnf": {}}, {"typ": "DPoP"}],
    ids=repr,
)
def test_a_token_that_is_bound_needs_a_proof(claims: dict[str, Any]) -> None:
    assert refusal(**claims).reason is Reason.CONFIRMATION
    assert accepted(replace(RULES, ignore_confirmation=True), **claims)


@pytest.mark.parametrize("value", [-1, 2**63, True, 1.0, [], None])
def test_a_number_may_be_a_subject_for_simplejwt_alone(value: Any) -> None:
    rules = replace(RULES, profile=PROFILES["simplejwt"])
    claims = {"token_type": "access", "user_id": value}
    assert refusal(rules, **claims).reason is Reason.CLAIM_INVALID
    for number in (0, 1, 2**63 - 1, "7"):
        assert accepted(rules, **{**claims, "user_id": number})
    assert refusal(sub=7).reason is Reason.CLAIM_INVALID


def test_clients_alone_will_do_without_an_audience() -> None:
    rules = replace(RULES, audiences=None, clients=frozenset({"shop"}))
    assert refusal(rules).reason is Reason.AUDIENCE
    rules = replace(rules, profile=PROFILES["cognito"])
    assert accepted(rules, token_use="access")
    other = refusal(rules, token_use="access", client_id="other")
    assert other.reason is Reason.CLIENT


ID_TOKEN = {"aud": ["shop", AUDIENCE]}


@pytest.mark.parametrize(
    ("claims", "changes", "reason", "detail"),
    [
        ({"iss": "x"}, {}, Reason.ISSUER, "another issuer"),
        ({"aud": "x"}, {}, Reason.AUDIENCE, "for another audience"),
        (
            {},
            {"clients": frozenset()},
            Reason.CLIENT,
            "from a client that is not allowed",
        ),
        (
            {"cnf": {}},
            {},
            Reason.CONFIRMATION,
            "cnf asks for a proof of possession",
        ),
        ({"exp": 0}, {}, Reason.EXPIRED, "exp has passed"),
        ({"iat": NOW + 31}, {}, Reason.NOT_YET_VALID, "iat lies ahead"),
        ({"nbf": NOW + 31}, {}, Reason.NOT_YET_VALID, "nbf lies ahead"),
        ({}, {"max_lifetime": 1}, Reason.LIFETIME, "lives longer than allowed"),
        ({"events": {}}, {}, Reason.TYPE, "events is of another kind of token"),
        (
            ID_TOKEN,
            {"profile": replace(RFC9068, audience_is_never_client=True)},
            Reason.TYPE,
            "aud has the client, as of an ID token",
        ),
        (
            {"kind": "id"},
            {"profile": replace(RFC9068, values={"kind": frozenset({"access"})})},
            Reason.TYPE,
            "kind is of another kind of token",
        ),
        (
            {},
            {"profile": replace(RFC9068, values={"kind": frozenset({"access"})})},
            Reason.CLAIM_MISSING,
            "kind",
        ),
        (
            {},
            {"profile": replace(RFC9068, evidence=("scp", "roles"))},
            Reason.CLAIM_MISSING,
            "scp or roles",
        ),
        (
            {},
            {"profile": replace(RFC9068, clients=("azp", "appid"))},
            Reason.CLAIM_MISSING,
            "azp",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_refusal_says_what_is_wrong(
    claims: dict[str, Any], changes: dict[str, Any], reason: Reason, detail: str
) -> None:
    error = refusal(replace(RULES, **changes), **claims)
    assert (error.reason, error.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("claims", "path", "value"),
    [
        ({"a": 1}, "a", 1),
        ({"a": {"b": {"c": 2}}}, "a.b.c", 2),
        ({"a": {"b": 1}}, "a", {"b": 1}),
        ({"https://x.test/roles": ["r"]}, "https://x.test/roles", ["r"]),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": {"b": None}}, "a.b", None),
        ({"a": {"b": 1}}, "a.c", None),
        ({"a": {"b": 1}}, "c.b", None),
        ({"a": {"b": 1}}, "a.b.c", None),
        ({"a": "text"}, "a.text", None),
        ({"a": ["b"]}, "a.b", None),
        ({"a b": {"c": 1}}, "a b.c", 1),
        ({}, "", None),
        (MappingProxyType({"a": MappingProxyType({"b": 1})}), "a.b", 1),
    ],
    ids=repr,
)
def test_a_claim_is_found_by_its_name_or_else_its_path(
    claims: Mapping[str, Any], path: str, value: Any
) -> None:
    assert claim_at(claims, path) == value
