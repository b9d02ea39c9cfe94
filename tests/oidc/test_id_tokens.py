"""ID tokens as a client gets them: which are good, and all that is none."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drf_apikit.jose import Reason, TokenError
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.id_token import at_hash
from drf_apikit.oidc import KeysUnavailableError, find_issuer
from drf_apikit.oidc.id_tokens import (
    IdTokenVerifier,
    verify_id_token,
    verify_userinfo,
)
from drf_apikit.oidc.transport import Reply
from tests.databases import in_threads
from tests.jose.minting import (
    ISSUER,
    KEY_OF,
    NOW,
    base64url,
    mint,
    private_key,
    public_jwk,
)
from tests.oidc.provider import Provider

CLIENT: Final = "web"
SECRET: Final = "the-secret-of-this-client-is-long-enough"
ACCESS_TOKEN: Final = "2YotnFZFEjr1zCsicMWpAA"
NONCE: Final = "n-0S6_WzA2Mj"
HEADER: Final[Mapping[str, Any]] = {"alg": "ES256", "typ": "JWT", "kid": "P-256"}
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": CLIENT,
    "iat": NOW - 10,
    "exp": NOW + 300,
    "nonce": NONCE,
    "at_hash": at_hash(ACCESS_TOKEN, "ES256"),
}
VERIFIER: Final = IdTokenVerifier(
    issuer=ISSUER, client_id=CLIENT, algorithms=ALGORITHMS
)
CORE: Final = "OIDC Core 1.0"


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    keys = [public_jwk(kind) for kind in sorted(set(KEY_OF.values()))]
    trusted = {ISSUER: {"AUDIENCE": "api", "JWKS": {"keys": keys}}}
    settings.DRF_APIKIT = {"AUTHENTICATION": {"ISSUERS": trusted, "FETCH_TIMEOUT": 1}}


def verified(text: str, verifier: IdTokenVerifier = VERIFIER, **changed: Any) -> Any:
    given = {"nonce": NONCE, "access_token": ACCESS_TOKEN, "now": NOW, **changed}
    return verify_id_token(text, verifier, **given)


def refusal(text: str, verifier: IdTokenVerifier = VERIFIER, **changed: Any) -> Reason:
    with pytest.raises(TokenError) as refused:
        verified(text, verifier, **changed)
    assert not text or text not in str(refused.value)
    return refused.value.reason


def signed(
    header: Mapping[str, Any] | None = None, kind: str = "P-256", **claims: Any
) -> str:
    """Sign an ID token; a member of None is left out."""
    changed = {**HEADER, **(header or {})}
    algorithm = str(changed["alg"])
    return mint(changed, {**CLAIMS, **claims}, algorithm=algorithm, kind=kind)


def unsigned(header: Mapping[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(part).encode() for part in (header, dict(CLAIMS))]
    return ".".join(base64url(part) for part in (*parts, signature))


def with_hmac(secret: bytes, algorithm: str = "HS256") -> str:
    text = unsigned({**HEADER, "alg": algorithm}).rpartition(".")[0]
    name = f"sha{algorithm[-3:]}"
    return f"{text}.{base64url(hmac.new(secret, text.encode(), name).digest())}"


def public_pem() -> bytes:
    key = private_key("P-256").public_key()
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def with_raw(claims: str) -> str:
    """Sign a payload that is written by hand."""
    return mint(HEADER, claims.encode())


DOUBLED: Final = json.dumps(dict(CLAIMS))[:-1] + ', "aud": "web"}'

GOOD: Final[Mapping[str, Callable[[], str]]] = {
    "as it should be": signed,
    "typ absent": lambda: signed({"typ": None}),
    "typ in another case": lambda: signed({"typ": "jwt"}),
    "typ as a media type": lambda: signed({"typ": "application/jwt"}),
    "aud as a list of one": lambda: signed(aud=[CLIENT]),
    "azp": lambda: signed(azp=CLIENT),
    "several aud, issued to this client": lambda: signed(
        aud=["api", CLIENT], azp=CLIENT
    ),
    "without at_hash": lambda: signed(at_hash=None),
    "of Keycloak": lambda: signed(typ="ID", azp=CLIENT, sid="s", acr="1"),
    "of Cognito": lambda: signed(token_use="id", auth_time=NOW - 10),
}


@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize("token", GOOD.values(), ids=GOOD)
def test_a_good_id_token_tells_who_has_logged_in(token: Callable[[], str]) -> None:
    assert verified(token())["sub"] == "alice"


@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.compliance(CORE, "3.1.3.8")
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_algorithm_has_its_at_hash(algorithm: str) -> None:
    kind = KEY_OF[algorithm]
    header = {"alg": algorithm, "kid": kind}
    good = signed(header, kind, at_hash=at_hash(ACCESS_TOKEN, algorithm))
    assert verified(good)["sub"] == "alice"
    wrong = signed(header, kind, at_hash=at_hash("another", algorithm))
    assert refusal(wrong) is Reason.BINDING


BAD: Final[Mapping[str, tuple[Reason, Callable[[], str]]]] = {
    "of another issuer": (Reason.ISSUER, lambda: signed(iss="https://evil.test")),
    "of the issuer with a slash": (Reason.ISSUER, lambda: signed(iss=f"{ISSUER}/")),
    "without iss": (Reason.CLAIM_MISSING, lambda: signed(iss=None)),
    "for another client": (Reason.AUDIENCE, lambda: signed(aud="other")),
    "for other clients": (Reason.AUDIENCE, lambda: signed(aud=["other", "WEB"])),
    "for another, issued to this": (
        Reason.AUDIENCE,
        lambda: signed(aud="other", azp=CLIENT),
    ),
    "without aud": (Reason.CLAIM_MISSING, lambda: signed(aud=None)),
    "for several without azp": (
        Reason.AUDIENCE,
        lambda: signed(aud=[CLIENT, "other"]),
    ),
    "issued to another client": (
        Reason.CLIENT,
        lambda: signed(aud=[CLIENT, "other"], azp="other"),
    ),
    "without exp": (Reason.CLAIM_MISSING, lambda: signed(exp=None)),
    "expired": (Reason.EXPIRED, lambda: signed(exp=NOW - 30)),
    "expired long ago": (Reason.EXPIRED, lambda: signed(exp=0, iat=0)),
    "without iat": (Reason.CLAIM_MISSING, lambda: signed(iat=None)),
    "issued in the future": (Reason.NOT_YET_VALID, lambda: signed(iat=NOW + 31)),
    "good from the future on": (Reason.NOT_YET_VALID, lambda: signed(nbf=NOW + 31)),
    "without sub": (Reason.CLAIM_MISSING, lambda: signed(sub=None)),
    "of nobody": (Reason.CLAIM_INVALID, lambda: signed(sub="")),
    "of another login": (Reason.BINDING, lambda: signed(nonce="n-other")),
    "of no login": (Reason.CLAIM_MISSING, lambda: signed(nonce=None)),
    "beside another access token": (
        Reason.BINDING,
        lambda: signed(at_hash=at_hash("another", "ES256")),
    ),
    "an access token (RFC 9068)": (Reason.TYPE, lambda: signed({"typ": "at+jwt"})),
    "an access token of Keycloak": (Reason.TYPE, lambda: signed(typ="Bearer")),
    "an access token of Cognito": (Reason.TYPE, lambda: signed(token_use="access")),
    "a refresh token": (Reason.TYPE, lambda: signed(typ="Refresh")),
    "a refresh token of simplejwt": (
        Reason.TYPE,
        lambda: signed(token_type="refresh"),
    ),
    "a logout token": (Reason.TYPE, lambda: signed({"typ": "logout+jwt"})),
    "a logout token, typ as here": (
        Reason.TYPE,
        lambda: signed(
            events={"http://schemas.openid.net/event/backchannel-logout": {}}
        ),
    ),
    "a security event": (Reason.TYPE, lambda: signed({"typ": "secevent+jwt"})),
    "a DPoP proof": (Reason.TYPE, lambda: signed(htm="POST", htu="https://x")),
    "a signed authorization response": (
        Reason.CLAIM_MISSING,
        lambda: signed(sub=None, iat=None, code="c", state="s"),
    ),
    "alg none": (Reason.ALGORITHM, lambda: unsigned({**HEADER, "alg": "none"})),
    "alg None": (Reason.ALGORITHM, lambda: unsigned({**HEADER, "alg": "None"})),
    "alg none with a signature": (
        Reason.ALGORITHM,
        lambda: unsigned({**HEADER, "alg": "none"}, b"x" * 64),
    ),
    "without alg": (Reason.ALGORITHM, lambda: unsigned({"kid": "P-256"}, b"x")),
    "not signed": (Reason.SIGNATURE, lambda: unsigned(HEADER)),
    "HS256 with the client's secret": (
        Reason.ALGORITHM,
        lambda: with_hmac(SECRET.encode()),
    ),
    "HS512 with the client's secret": (
        Reason.ALGORITHM,
        lambda: with_hmac(SECRET.encode(), "HS512"),
    ),
    "HS256 with the public key": (Reason.ALGORITHM, lambda: with_hmac(public_pem())),
    "HS256 with nothing": (Reason.ALGORITHM, lambda: with_hmac(b"")),
    "with another key": (Reason.SIGNATURE, lambda: signed(kind="other P-256")),
    "with a key that is unknown": (
        Reason.KEY_UNKNOWN,
        lambda: signed({"kid": "x"}, "other P-256"),
    ),
    "with a key out of its header": (
        Reason.SIGNATURE,
        lambda: signed({"jwk": public_jwk("other P-256")}, "other P-256"),
    ),
    "with an extension": (Reason.HEADER, lambda: signed({"crit": ["b64"]})),
    "with a member twice": (Reason.MALFORMED, lambda: with_raw(DOUBLED)),
    "with exp 1e400": (Reason.MALFORMED, lambda: with_raw('{"exp": 1e400}')),
    "a list": (Reason.MALFORMED, lambda: with_raw("[]")),
    "no text at all": (Reason.MALFORMED, lambda: ""),
    "two segments": (Reason.MALFORMED, lambda: signed().rpartition(".")[0]),
    "padded": (Reason.MALFORMED, lambda: signed() + "=="),
    "an opaque text": (Reason.MALFORMED, lambda: ACCESS_TOKEN),
    "encrypted": (Reason.MALFORMED, lambda: "e30.e30.e30.e30.e30"),
    "a megabyte": (Reason.TOO_LARGE, lambda: signed(groups="x" * 10**6)),
}


@pytest.mark.compliance(CORE, "2")
@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize(("reason", "token"), BAD.values(), ids=BAD)
def test_an_id_token_that_is_not_good_is_refused(
    reason: Reason, token: Callable[[], str]
) -> None:
    assert refusal(token()) is reason


def test_a_character_more_or_less_is_no_signature() -> None:
    head, body, signature = signed().split(".")
    other = base64url(json.dumps({**CLAIMS, "sub": "mallory"}).encode())
    assert refusal(f"{head}.{other}.{signature}") is Reason.SIGNATURE
    assert verified(f"{head}.{body}.{signature}")["sub"] == "alice"


@pytest.mark.compliance(CORE, "3.1.3.7")
def test_only_algorithms_of_the_registration_are_taken() -> None:
    only = replace(VERIFIER, algorithms=frozenset({"RS256"}))
    assert refusal(signed(), only) is Reason.ALGORITHM
    header = {"alg": "RS256", "kid": "RSA"}
    good = signed(header, "RSA", at_hash=None)
    assert verified(good, only)["sub"] == "alice"


def test_without_a_nonce_in_the_request_none_is_wanted() -> None:
    assert verified(signed(nonce=None), nonce=None)["sub"] == "alice"
    assert verified(signed(nonce="whatever"), nonce=None)["sub"] == "alice"
    access = signed(nonce=None, scope="openid")
    assert refusal(access, nonce=None) is Reason.TYPE


@pytest.mark.compliance(CORE, "12.2")
def test_one_that_came_with_a_refresh_may_have_scopes() -> None:
    given = signed(nonce=None, scope="openid email")
    assert verified(given, nonce=None, refreshed=True)["sub"] == "alice"
    access = signed({"typ": "at+jwt"}, nonce=None, scope="openid email")
    assert refusal(access, nonce=None, refreshed=True) is Reason.TYPE
    # Where a nonce was asked for, it was no refresh.
    assert refusal(given, refreshed=True) is Reason.TYPE


def test_without_an_access_token_at_hash_says_nothing() -> None:
    other = signed(at_hash=at_hash("another", "ES256"))
    assert verified(other, access_token=None)["sub"] == "alice"


def test_max_age_and_leeway_are_those_of_the_login() -> None:
    strict = replace(VERIFIER, max_age=60, leeway=0)
    assert refusal(signed(), strict) is Reason.CLAIM_MISSING
    assert refusal(signed(auth_time=NOW - 61), strict) is Reason.EXPIRED
    assert verified(signed(auth_time=NOW - 60), strict)["auth_time"] == NOW - 60
    assert refusal(signed(auth_time=NOW, exp=NOW), strict) is Reason.EXPIRED


# Signed userinfo.


@pytest.mark.compliance(CORE, "5.3.2")
def test_signed_userinfo_is_verified() -> None:
    content = {"iss": ISSUER, "aud": CLIENT, "sub": "alice", "email": "a@b.test"}
    claims = verify_userinfo(mint(HEADER, content), VERIFIER, NOW)
    assert claims["email"] == "a@b.test"
    for text, reason in (
        (mint(HEADER, {**content, "aud": "other"}), Reason.AUDIENCE),
        (mint(HEADER, {**content, "iss": "https://evil.test"}), Reason.ISSUER),
        (mint(HEADER, content, kind="other P-256"), Reason.SIGNATURE),
        (unsigned({**HEADER, "alg": "none"}), Reason.ALGORITHM),
        (mint({**HEADER, "typ": "at+jwt"}, content), Reason.TYPE),
        ("{}", Reason.MALFORMED),
    ):
        with pytest.raises(TokenError) as refused:
            verify_userinfo(text, VERIFIER, NOW)
        assert refused.value.reason is reason


# Where the keys come from.


def of(provider: Provider, **changed: Any) -> IdTokenVerifier:
    return replace(VERIFIER, issuer=provider.url, allow_loopback_http=True, **changed)


def test_keys_are_those_of_issuers_where_they_are_the_same() -> None:
    assert VERIFIER.source is find_issuer(ISSUER).source
    elsewhere = replace(VERIFIER, jwks_uri="https://elsewhere.test/keys")
    assert elsewhere.source is not VERIFIER.source
    assert elsewhere.source is replace(elsewhere).source


def test_keys_are_discovered_and_fetched_once(provider: Provider) -> None:
    provider.publish(public_jwk("P-256"))
    verifier = of(provider)
    text = signed(iss=provider.url)
    found = in_threads(*[lambda: verified(text, verifier)["sub"]] * 4)
    assert found == ["alice"] * 4
    assert provider.fetches == 1
    assert len({id(each) for each in in_threads(*[lambda: verifier.source] * 4)}) == 1


def test_a_rotation_is_seen_with_the_first_login(provider: Provider) -> None:
    provider.publish(public_jwk("P-256"))
    assert verified(signed(iss=provider.url), of(provider))["sub"] == "alice"
    provider.publish(public_jwk("P-384"))
    header = {"alg": "ES384", "kid": "P-384"}
    token = signed(header, "P-384", iss=provider.url, at_hash=None)
    assert verified(token, of(provider))["sub"] == "alice"


def test_keys_may_be_where_the_settings_say(provider: Provider) -> None:
    provider.publish(public_jwk("P-256"))
    named = of(provider, jwks_uri=f"{provider.url}/keys")
    assert verified(signed(iss=provider.url), named)["sub"] == "alice"
    assert provider.requests == ["/keys"]


def test_without_keys_nothing_is_judged(provider: Provider) -> None:
    provider.fail()
    with pytest.raises(KeysUnavailableError):
        verified(signed(iss=provider.url), of(provider))


def test_plain_http_is_for_loopback_by_the_flag_alone(provider: Provider) -> None:
    provider.publish(public_jwk("P-256"))
    with pytest.raises(KeysUnavailableError):
        verified(
            signed(iss=provider.url), replace(of(provider), allow_loopback_http=False)
        )
    assert not provider.requests


def test_at_hash_is_computed_as_it_is_specified() -> None:
    digest = hashlib.sha256(ACCESS_TOKEN.encode()).digest()
    assert CLAIMS["at_hash"] == base64url(digest[:16])


#: The proxies of each request that `recorded` was asked for.
ASKED: Final[list[Mapping[str, str] | None]] = []


def recorded(_method: str, url: str, **options: Any) -> Reply:
    ASKED.append(options["proxies"])
    known = {"issuer": PROXIED, "jwks_uri": f"{PROXIED}/keys"}
    content = {"keys": [public_jwk("RSA")]} if url.endswith("/keys") else known
    return Reply(200, {}, json.dumps(content).encode())


PROXIED: Final = "https://id.behind.a.proxy.example"


def test_keys_of_the_login_go_by_its_proxies(settings: Any) -> None:
    """Those of `AUTHENTICATION` hold where it has none."""
    own, general = {"https": "http://own.example"}, {"https": "http://all.example"}
    settings.DRF_APIKIT = {
        "AUTHENTICATION": {"TRANSPORT": f"{__name__}.recorded", "PROXIES": general}
    }
    verifier = IdTokenVerifier(
        issuer=PROXIED, client_id="a", algorithms=ALGORITHMS, proxies=own
    )
    assert len(verifier.source.keys().keys) == 1
    assert [own, own] == ASKED
    ASKED.clear()
    without = replace(verifier, proxies=None, jwks_uri=f"{PROXIED}/keys")
    assert len(without.source.keys().keys) == 1
    assert [general] == ASKED
    assert "own.example" not in repr(verifier)
