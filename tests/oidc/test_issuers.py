import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings

from drf_apikit.conf import IssuerSettings
from drf_apikit.jose import Policy, Reason, TokenError, parse_compact
from drf_apikit.jose.algorithms import verify_signature
from drf_apikit.jose.claims import ClaimRules
from drf_apikit.oidc import (
    Issuer,
    KeysUnavailableError,
    find_issuer,
    issuers,
    trusted_issuers,
)
from drf_apikit.testing import InMemoryIssuer
from tests.databases import in_threads
from tests.jose.minting import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    NOW,
    POLICY,
    mint,
    public_jwk,
)
from tests.oidc.provider import Provider

STATIC = {"AUDIENCE": AUDIENCE, "JWKS": {"keys": [public_jwk("P-256")]}}


@pytest.fixture
def issuer(provider: Provider, settings: Any) -> Issuer:
    settings.DRF_APIKIT = trusting(**{provider.url: provider.settings})
    return find_issuer(provider.url)


def trusting(**issuers: Any) -> dict[str, Any]:
    return {"AUTHENTICATION": {"ISSUERS": issuers, "FETCH_TIMEOUT": 1}}


def judge(issuer: Issuer, token: str) -> Any:
    claims, _ = issuer.verify(parse_compact(token), NOW)
    return claims


def refusal(issuer: Issuer, token: str) -> Reason:
    with pytest.raises(TokenError) as refused:
        judge(issuer, token)
    return refused.value.reason


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize(
    "name",
    [None, True, 7, [], [ISSUER], {}, "", f"{ISSUER}/", ISSUER.upper(), f"{ISSUER} "],
    ids=repr,
)
def test_only_an_issuer_in_the_settings_is_trusted(name: object) -> None:
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        assert find_issuer(ISSUER).name == ISSUER
        with pytest.raises(TokenError) as refused:
            find_issuer(name)
    assert refused.value.reason is Reason.ISSUER


def test_an_issuer_is_built_once_and_anew_after_a_change() -> None:
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        issuer = find_issuer(ISSUER)
        assert find_issuer(ISSUER) is issuer
        with override_settings(DRF_APIKIT={}), pytest.raises(TokenError):
            find_issuer(ISSUER)
        changed = {**STATIC, "LEEWAY": 0, "AUDIENCE": "another"}
        with override_settings(DRF_APIKIT=trusting(**{ISSUER: changed})):
            assert find_issuer(ISSUER).policy.claims.leeway == 0
            assert find_issuer(ISSUER).policy.claims.audiences == frozenset({"another"})
        assert find_issuer(ISSUER).policy.claims.leeway == 30


def test_the_settings_make_the_policy() -> None:
    entry = {
        **STATIC,
        "ALGORITHMS": ["ES256", "EdDSA"],
        "CLIENTS": ["shop"],
        "LEEWAY": 7,
        "MAX_LIFETIME": 600,
    }
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: entry})):
        issuer = find_issuer(ISSUER)
    rules = ClaimRules(
        issuer=ISSUER,
        audiences=frozenset({AUDIENCE}),
        clients=frozenset({"shop"}),
        leeway=7,
        max_lifetime=600,
    )
    assert issuer.policy == Policy(rules, frozenset({"ES256", "EdDSA"}))


def test_given_keys_are_used_and_nothing_is_fetched() -> None:
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        issuer = find_issuer(ISSUER)
    assert issuer.source.keys() is issuer.settings.jwks
    assert issuer.policy == POLICY
    assert judge(issuer, mint())["sub"] == "alice"
    unknown = mint({"alg": "ES256", "typ": "at+jwt", "kid": "other"})
    assert refusal(issuer, unknown) is Reason.KEY_UNKNOWN


def test_fetched_keys_are_used(provider: Provider, issuer: Issuer) -> None:
    for _ in range(100):
        assert judge(issuer, provider.token())["iss"] == provider.url
    assert provider.fetches == 1


@pytest.mark.parametrize("kind", ["RSA", "P-384", "Ed25519"])
def test_a_rotation_is_seen_with_the_first_token(
    provider: Provider, issuer: Issuer, kind: str
) -> None:
    judge(issuer, provider.token())
    provider.publish(public_jwk(kind))
    assert judge(issuer, provider.token(kind))["sub"] == "alice"
    # What is no longer published is no longer trusted.
    assert refusal(issuer, provider.token()) is Reason.KEY_UNKNOWN


def test_unknown_keys_cost_three_more_fetches_a_minute(
    provider: Provider, issuer: Issuer
) -> None:
    for kind in ("RSA", "P-384", "Ed25519") * 30:
        assert refusal(issuer, provider.token(kind)) is Reason.KEY_UNKNOWN
    assert provider.fetches == 1 + 3
    assert judge(issuer, provider.token())["sub"] == "alice"


def test_no_other_refusal_costs_a_fetch(provider: Provider, issuer: Issuer) -> None:
    judge(issuer, provider.token())
    assert refusal(issuer, provider.token(exp=0)) is Reason.EXPIRED
    assert refusal(issuer, provider.token(aud="other")) is Reason.AUDIENCE
    forged = provider.token().rpartition(".")[0] + "." + "A" * 86
    assert refusal(issuer, forged) is Reason.SIGNATURE
    assert provider.fetches == 1


def test_without_keys_a_token_is_not_judged(provider: Provider, issuer: Issuer) -> None:
    provider.fail()
    with pytest.raises(KeysUnavailableError) as refused:
        judge(issuer, provider.token(exp=0))
    assert refused.value.issuer == provider.url


def test_an_issuer_cannot_speak_for_another(provider: Provider, issuer: Issuer) -> None:
    other = InMemoryIssuer(issuer="https://other.test")
    assert refusal(issuer, provider.token(iss=other.issuer)) is Reason.ISSUER


@pytest.fixture
def unsuggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "_SUGGESTED", set())


KEYCLOAK = {
    "client_id": None,
    "azp": "shop",
    "typ": "Bearer",
}


@pytest.mark.usefixtures("unsuggested")
def test_a_refusal_says_once_which_profile_would_fit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = mint({**HEADER, "typ": "JWT"}, {**CLAIMS, **KEYCLOAK})
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        for _ in range(3):
            assert refusal(find_issuer(ISSUER), token) is Reason.TYPE
    (told,) = caplog.messages
    assert told.startswith(f"Tokens of {ISSUER} are refused, since they are not as in")
    assert told.endswith(" RFC 9068: TOKEN_PROFILE 'keycloak' would fit")
    assert token not in caplog.text


@pytest.mark.usefixtures("unsuggested")
@pytest.mark.parametrize(
    ("header", "claims"),
    [
        pytest.param({}, {"aud": "another"}, id="for another API"),
        pytest.param({"typ": "JWT"}, {"exp": 0}, id="expired"),
        pytest.param({"typ": "JWT"}, {"nonce": "n"}, id="an ID token"),
        pytest.param({"typ": "JWT", "kid": "P-384"}, {}, id="not signed by it"),
    ],
)
def test_nothing_is_suggested_for_a_token_that_is_not_good(
    caplog: pytest.LogCaptureFixture, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    token = mint({**HEADER, **header}, {**CLAIMS, "client_id": None, **claims})
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        refusal(find_issuer(ISSUER), token)
    assert caplog.messages == []


@pytest.mark.usefixtures("unsuggested")
@pytest.mark.parametrize(
    ("claims", "is_forged", "looks"),
    [
        pytest.param(KEYCLOAK, True, 1, id="forged"),
        pytest.param({"nonce": "n", "azp": "shop"}, False, 0, id="an ID token"),
    ],
)
def test_to_look_for_a_suggestion_costs_one_signature_at_most(
    monkeypatch: pytest.MonkeyPatch,
    claims: dict[str, Any],
    is_forged: bool,
    looks: int,
) -> None:
    seen = []

    def counting(*arguments: Any) -> bool:
        seen.append(arguments)
        return verify_signature(*arguments)

    monkeypatch.setattr("drf_apikit.jose.verifier.verify_signature", counting)
    token = mint({**HEADER, "typ": "JWT"}, {**CLAIMS, **claims})
    if is_forged:
        token = f"{token.rpartition('.')[0]}.{'A' * 86}"
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        assert refusal(find_issuer(ISSUER), token) is Reason.TYPE
    assert len(seen) == looks


@pytest.mark.usefixtures("unsuggested")
def test_nothing_is_suggested_where_a_profile_was_chosen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = mint({**HEADER, "typ": "JWT"}, {**CLAIMS, **KEYCLOAK})
    entry = {**STATIC, "TOKEN_PROFILE": "okta"}
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: entry})):
        assert refusal(find_issuer(ISSUER), token) is Reason.TYPE
    assert caplog.messages == []


def test_two_threads_have_one_issuer() -> None:
    asked = threading.Semaphore(0)
    made: list[Any] = []

    class Lock:
        def __init__(self) -> None:
            self.real = threading.Lock()

        def __enter__(self) -> None:
            asked.release()
            self.real.acquire()

        def __exit__(self, *_: object) -> None:
            self.real.release()

    def build(name: str, settings: IssuerSettings) -> Any:
        # The other one is at the lock by now.
        assert asked.acquire(timeout=60)
        assert asked.acquire(timeout=60)
        made.append(SimpleNamespace(name=name, settings=settings))
        return made[-1]

    registry = issuers.Registry(build)
    vars(registry)["_lock"] = Lock()
    settings = IssuerSettings()
    assert in_threads(*[lambda: registry.find(ISSUER, settings)] * 2) == made * 2


def test_all_trusted_issuers_can_be_had() -> None:
    other = "https://other.test"
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC, other: STATIC})):
        assert set(trusted_issuers()) == {ISSUER, other}
        assert trusted_issuers()[ISSUER] is find_issuer(ISSUER)


def test_a_token_may_be_bound_where_that_is_ignored_by_choice() -> None:
    token = mint(claims={**CLAIMS, "cnf": {"jkt": "thumbprint"}})
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: STATIC})):
        assert refusal(find_issuer(ISSUER), token) is Reason.CONFIRMATION
    entry = {**STATIC, "INSECURE_IGNORE_CONFIRMATION": True}
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: entry})):
        assert judge(find_issuer(ISSUER), token)["sub"] == "alice"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, Reason.CLAIM_MISSING),
        ({"oid": ""}, Reason.CLAIM_INVALID),
        ({"oid": 7}, Reason.CLAIM_INVALID),
    ],
)
def test_a_subject_of_the_settings_must_be_there(
    claims: dict[str, Any], reason: Reason
) -> None:
    entry = {**STATIC, "SUBJECT_CLAIM": "oid"}
    with override_settings(DRF_APIKIT=trusting(**{ISSUER: entry})):
        issuer = find_issuer(ISSUER)
        assert judge(issuer, mint(claims={**CLAIMS, "oid": "a", "sub": None}))["oid"]
        assert refusal(issuer, mint(claims={**CLAIMS, **claims})) is reason


@pytest.mark.parametrize("kind", ["RSA", "other P-256"])
def test_a_rotation_is_seen_without_a_kid_too(
    provider: Provider, issuer: Issuer, kind: str
) -> None:
    def token(of: str) -> str:
        algorithm = "RS256" if of == "RSA" else "ES256"
        header = {**HEADER, "alg": algorithm, "kid": None}
        claims = {**CLAIMS, "iss": provider.url}
        return mint(header, claims, algorithm=algorithm, kind=of)

    provider.publish(public_jwk("P-256", kid=None))
    assert judge(issuer, token("P-256"))["sub"] == "alice"
    provider.publish(public_jwk(kind, kid=None))
    assert judge(issuer, token(kind))["sub"] == "alice"
    assert provider.fetches == 2
    # Whoever sends many of another key has them looked for once in a while.
    expected = Reason.KEY_UNFIT if kind == "RSA" else Reason.SIGNATURE
    for _ in range(20):
        assert refusal(issuer, token("P-256")) is expected
    assert provider.fetches == 2
