"""Every preset against what providers send: its own access tokens, and all others."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from drf_apikit.authentication.token import AccessToken
from drf_apikit.conf import IssuerSettings
from drf_apikit.jose import (
    PROFILES,
    Policy,
    Reason,
    TokenError,
    TokenProfile,
    parse_compact,
    verify,
)
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.claims import ClaimRules
from tests.jose.minting import KEYS, NOW, mint
from tests.jose.samples import SAMPLES, Sample

API: Final = "https://api.test"
ACCESS: Final = [sample for sample in SAMPLES if sample.kind == "access"]
OTHERS: Final = [sample for sample in SAMPLES if sample.kind != "access"]
#: What a token of another kind may lack by chance, so that it must not be the reason.
DRESS: Final[Mapping[str, Any]] = {
    "iss": "https://as.shop.example",
    "aud": API,
    "sub": "u-17",
    "user_id": "17",
    "jti": "id-1",
    "iat": NOW - 2,
    "exp": NOW + 300,
}


def verified(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    profile: TokenProfile,
    *,
    ignore_confirmation: bool = False,
) -> Mapping[str, Any]:
    """Verify under rules that fit in everything but the kind of token."""
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    rules = ClaimRules(
        issuer=claims["iss"],
        audiences=None if listed is None else frozenset(listed),
        ignore_confirmation=ignore_confirmation,
        profile=profile,
    )
    token = parse_compact(mint(header, claims, algorithm="RS256", kind="RSA"))
    return verify(token, KEYS, Policy(rules, ALGORITHMS), NOW)


def refusal(
    header: Mapping[str, Any], claims: Mapping[str, Any], profile: TokenProfile
) -> TokenError:
    with pytest.raises(TokenError) as refused:
        verified(header, claims, profile)
    return refused.value


def read(sample: Sample, profile: str) -> AccessToken:
    claims = verified(sample.header, sample.claims, PROFILES[profile])
    return AccessToken(claims, IssuerSettings(token_profile=profile))


@pytest.mark.parametrize("sample", ACCESS, ids=str)
def test_a_preset_reads_the_access_tokens_of_its_provider(sample: Sample) -> None:
    token = read(sample, sample.provider)
    assert token.client_id == sample.client
    assert token.scopes == sample.scopes
    assert token.subject == sample.subject
    assert token.is_of_client is sample.is_of_client


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize("sample", ACCESS, ids=str)
def test_the_default_takes_what_rfc_9068_says_and_nothing_else(sample: Sample) -> None:
    if sample.is_standard:
        token = read(sample, "rfc9068")
        assert (token.client_id, token.scopes) == (sample.client, sample.scopes)
        assert token.subject == sample.subject
    else:
        error = refusal(sample.header, sample.claims, PROFILES["rfc9068"])
        assert error.reason in {Reason.TYPE, Reason.CLAIM_MISSING}


def test_every_preset_has_samples_of_its_own() -> None:
    assert {sample.provider for sample in ACCESS} == PROFILES.keys()


@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.compliance("RFC 8725", "3.12")
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
@pytest.mark.parametrize("sample", OTHERS, ids=str)
def test_what_is_no_access_token_is_refused_by_evidence(
    sample: Sample, profile: TokenProfile
) -> None:
    error = refusal(sample.header, {**DRESS, **sample.claims}, profile)
    assert error.reason in {Reason.TYPE, Reason.CLAIM_MISSING}
    assert error.detail not in DRESS


@pytest.mark.compliance("RFC 8725", "3.9")
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
@pytest.mark.parametrize("sample", OTHERS, ids=str)
def test_an_audience_more_makes_no_access_token_of_it(
    sample: Sample, profile: TokenProfile
) -> None:
    claims = {**DRESS, **sample.claims}
    claims["aud"] = [claims["aud"], API]
    error = refusal(sample.header, claims, profile)
    assert error.reason in {Reason.TYPE, Reason.CLAIM_MISSING}
    assert error.detail not in DRESS


@pytest.mark.parametrize("sample", ACCESS, ids=str)
def test_an_access_token_is_for_one_api(sample: Sample) -> None:
    """What the preset lets through is still judged by its audience or its client."""
    rules = ClaimRules(
        issuer=sample.claims["iss"],
        audiences=frozenset({"https://other.test"}),
        profile=PROFILES[sample.provider],
    )
    token = parse_compact(
        mint(sample.header, sample.claims, algorithm="RS256", kind="RSA")
    )
    with pytest.raises(TokenError) as refused:
        verify(token, KEYS, Policy(rules, ALGORITHMS), NOW)
    missing = (Reason.CLAIM_MISSING, "aud")
    expected = (Reason.AUDIENCE, "for another audience")
    assert (refused.value.reason, refused.value.detail) == (
        expected if "aud" in sample.claims else missing
    )


@pytest.mark.compliance("RFC 9449", "7.2")
@pytest.mark.compliance("RFC 8705", "3")
@pytest.mark.parametrize("member", ["jkt", "x5t#S256"])
@pytest.mark.parametrize("sample", ACCESS, ids=str)
def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(
    sample: Sample, member: str
) -> None:
    claims = {**sample.claims, "cnf": {member: "dGh1bWJwcmludA"}}
    error = refusal(sample.header, claims, PROFILES[sample.provider])
    assert error.reason is Reason.CONFIRMATION
    ignored = verified(
        sample.header, claims, PROFILES[sample.provider], ignore_confirmation=True
    )
    assert ignored == claims


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_a_token_for_the_servers_of_okta_itself_is_for_no_api(
    profile: TokenProfile,
) -> None:
    """Those of its org server have a type of their own, and keys of their own."""
    okta = next(sample for sample in ACCESS if sample.provider == "okta")
    header = {**okta.header, "typ": "application/okta-internal-at+jwt"}
    assert refusal(header, {**DRESS, **okta.claims}, profile).reason is Reason.TYPE


@pytest.mark.parametrize(
    "sample", [s for s in ACCESS if s.provider == "entra" and s.is_of_client], ids=str
)
def test_an_application_without_a_role_must_be_told_from_an_id_token(
    sample: Sample,
) -> None:
    """Entra signs a token for any application of the tenant that asks for one."""
    claims = {
        name: value
        for name, value in sample.claims.items()
        if name not in {"roles", "idtyp"}
    }
    error = refusal(sample.header, claims, PROFILES["entra"])
    assert error.reason is Reason.CLAIM_MISSING
    named = verified(sample.header, {**claims, "idtyp": "app"}, PROFILES["entra"])
    token = AccessToken(named, IssuerSettings(token_profile="entra"))
    assert token.is_of_client
    assert not token.scopes
