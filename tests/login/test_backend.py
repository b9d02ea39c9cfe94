"""From a code to a user: what is believed, who that is, and what hooks may do."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from unittest.mock import ANY
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import Group, User
from django.core.exceptions import (
    ImproperlyConfigured,
    PermissionDenied,
    SuspiciousOperation,
)
from django.db import connection
from django.test import RequestFactory
from mozilla_django_oidc.auth import OIDCAuthenticationBackend as MozillaBackend

from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.people import regrant
from drf_apikit.login.registration import registration
from drf_apikit.login.userinfo import joined
from drf_apikit.models import ExternalIdentity
from tests.databases import in_threads
from tests.jose.minting import base64url, mint
from tests.login.answers import Answer, as_json, as_refusal, as_text, hang_up
from tests.login.provider import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    JWKS,
    TOKEN,
    USERINFO,
    Provider,
)

CALLBACK: Final = "http://testserver/callback/"
NONCE: Final = "nonce-of-this-login"
VERIFIER: Final = "v" * 43
CORE: Final = "OIDC Core 1.0"
EMAIL: Final = "alice@example.com"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("login_settings")]


@pytest.fixture(autouse=True)
def _project(login_settings: Any) -> None:
    login_settings.ROOT_URLCONF = "drf_apikit.login.urls"


@pytest.fixture
def having(login_settings: Any) -> Callable[..., None]:
    """Change settings of the section LOGIN."""

    def change(**settings: Any) -> None:
        every = login_settings.DRF_APIKIT
        changed = {**every["LOGIN"], **settings}
        login_settings.DRF_APIKIT = {**every, "LOGIN": changed}

    return change


@pytest.fixture
def with_backend(login_settings: Any) -> Callable[[type], None]:
    def use(backend: type) -> None:
        path = f"{__name__}.{backend.__name__}"
        login_settings.AUTHENTICATION_BACKENDS = [path]

    return use


def coming_back(provider: Provider, nonce: str | None = NONCE) -> Any:
    """Go through the provider, and give the request that comes back from there."""
    challenge = base64url(hashlib.sha256(VERIFIER.encode()).digest())
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "s",
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    known = {name: value for name, value in asked.items() if value is not None}
    location = provider.visit(f"{provider.url}{AUTHORIZE}?{urlencode(known)}")
    answered = dict(parse_qsl(urlsplit(location).query))
    request: Any = RequestFactory().get("/callback/", answered)
    request.session = {}
    return request


def login(provider: Provider, request: Any = None, **credentials: Any) -> Any:
    """Log in, as a view does."""
    given = {"nonce": NONCE, "code_verifier": VERIFIER, **credentials}
    return authenticate(request or coming_back(provider), **given)


def refused(provider: Provider, **credentials: Any) -> LoginError:
    """Be refused, and leave nobody behind."""
    before = User.objects.count()
    with pytest.raises(LoginError) as caught:
        login(provider, **credentials)
    assert User.objects.count() == before
    error = caught.value
    for secret in (*provider.grants.secrets, CLIENT_SECRET):
        assert not secret or secret not in error.detail
    return error


def outcome(error: LoginError) -> tuple[Reason, int]:
    return error.reason, error.status


# What is asked, and what comes of it.


@pytest.mark.compliance(CORE, "3.1.3.1")
def test_the_first_login_makes_a_user_and_the_next_one_finds_it(
    provider: Provider,
) -> None:
    request = coming_back(provider)
    user = login(provider, request)
    assert (user.email, user.has_usable_password()) == (EMAIL, False)
    assert not user.is_staff
    identity = ExternalIdentity.objects.get()
    assert (identity.issuer, identity.subject) == (provider.url, "alice")
    assert identity.user == user
    result = request.drf_apikit_login
    assert result.claims["sub"] == "alice"
    assert {result.tokens.access_token, result.tokens.refresh_token} <= set(
        provider.grants.secrets
    )
    assert login(provider) == user
    assert User.objects.count() == 1
    assert (provider.count(JWKS), provider.count(DISCOVERY)) == (1, 2)


@pytest.mark.compliance("RFC 7636", "4.5")
def test_the_code_is_exchanged_with_verifier_and_credentials(
    provider: Provider,
) -> None:
    request = coming_back(provider)
    login(provider, request)
    sent = provider.last(TOKEN)
    assert sent.form == {
        "grant_type": "authorization_code",
        "code": request.GET["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    assert sent.headers["authorization"].startswith("Basic ")


def test_mozillas_setting_sends_the_secret_in_the_form(
    provider: Provider, login_settings: Any
) -> None:
    login_settings.OIDC_TOKEN_USE_BASIC_AUTH = False
    assert login(provider)
    sent = provider.last(TOKEN)
    assert sent.form["client_secret"] == CLIENT_SECRET
    assert "authorization" not in sent.headers


def test_making_a_backend_asks_nobody_anything(
    provider: Provider, login_settings: Any
) -> None:
    del login_settings.OIDC_RP_CLIENT_ID
    login_settings.DRF_APIKIT = {}
    backend = OIDCAuthenticationBackend()
    assert backend.OIDC_RP_CLIENT_ID is None
    assert backend.OIDC_RP_CLIENT_SECRET == CLIENT_SECRET
    assert not provider.seen
    with pytest.raises(ImproperlyConfigured):
        login(provider)


# What is for somebody else to judge.


def test_what_is_no_answer_of_a_provider_is_for_other_backends(
    provider: Provider,
) -> None:
    backend = OIDCAuthenticationBackend()
    given = {"nonce": NONCE, "code_verifier": VERIFIER}
    assert backend.authenticate(None, **given) is None
    for query in ({}, {"code": "c"}, {"state": "s"}, {"code": "", "state": "s"}):
        assert backend.authenticate(RequestFactory().get("/", query), **given) is None
    assert not provider.seen


def test_a_password_posted_to_a_url_with_a_code_spends_no_code(
    provider: Provider,
) -> None:
    User.objects.create_user("bob", password="secret")
    request = coming_back(provider)
    assert authenticate(request, username="bob", password="wrong") is None
    bob = authenticate(request, username="bob", password="secret")
    assert bob is not None
    assert provider.count(TOKEN) == 0


@pytest.mark.django_db(transaction=True)
def test_it_is_the_same_for_those_who_wait(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(Hooked)
    User.objects.create_user("bob", password="secret")
    request = coming_back(provider)
    ask = async_to_sync(aauthenticate)
    assert ask(request, username="bob", password="secret") is None
    alice: Any = ask(request, nonce=NONCE, code_verifier=VERIFIER)
    assert alice.username == "alice"
    get = async_to_sync(Hooked().aget_user)
    assert get(alice.pk) == alice
    User.objects.update(is_active=False)
    assert get(alice.pk) is None


def test_mozillas_class_for_access_tokens_lets_nobody_in(provider: Provider) -> None:
    backend = OIDCAuthenticationBackend()
    nothing: Any = None
    with pytest.raises(SuspiciousOperation):
        backend.get_or_create_user("token", nothing, nothing)
    assert not provider.seen


# ID tokens that are not good.


@pytest.mark.compliance(CORE, "3.1.3.7")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another-client"},
        {"sub": None},
        {"sub": ""},
        {"exp": None},
        {"exp": 1, "iat": 1},
        {"iat": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"nonce": None},
        {"nonce": "another"},
        {"at_hash": "another"},
        {"events": {}},
        {"typ": "Refresh"},
    ],
    ids=str,
)
def test_claims_that_are_not_good_are_no_login(
    provider: Provider, claims: dict[str, Any]
) -> None:
    provider.sign = lambda header, good: mint(
        header, {**good, **claims}, algorithm="RS256", kind="RSA"
    )
    assert outcome(refused(provider)) == (Reason.IDENTITY_INVALID, 400)
    assert not provider.count(USERINFO)


def _unsigned(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return (
        mint({**header, "alg": "none"}, claims, kind="P-256").rpartition(".")[0] + "."
    )


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(_unsigned, id="alg none"),
        pytest.param(
            lambda header, claims: mint(
                header, claims, algorithm="RS256", kind="other RSA"
            ),
            id="another key",
        ),
        pytest.param(
            lambda header, claims: mint(
                {**header, "typ": "at+jwt"}, claims, algorithm="RS256", kind="RSA"
            ),
            id="an access token",
        ),
        pytest.param(
            lambda header, claims: mint(
                {**header, "alg": "PS256"}, claims, algorithm="PS256", kind="RSA"
            ),
            id="not OIDC_RP_SIGN_ALGO",
        ),
        pytest.param(lambda *_: "a.b", id="half a token"),
        pytest.param(lambda *_: "opaque", id="opaque"),
        pytest.param(lambda *_: "", id="empty"),
    ],
)
def test_a_text_that_is_no_id_token_is_no_login(provider: Provider, sign: Any) -> None:
    provider.sign = sign
    assert outcome(refused(provider)) == (Reason.IDENTITY_INVALID, 400)


def test_without_an_id_token_there_is_no_login(provider: Provider) -> None:
    provider.tokens["id_token"] = None
    assert outcome(refused(provider)) == (Reason.IDENTITY_INVALID, 400)


@pytest.mark.parametrize(
    "credentials", [{"nonce": None}, {"nonce": ""}, {"code_verifier": None}], ids=str
)
def test_a_request_without_its_proofs_is_no_login(
    provider: Provider, credentials: dict[str, Any]
) -> None:
    assert outcome(refused(provider, **credentials)) == (Reason.STATE_UNKNOWN, 400)
    assert not provider.count(TOKEN)


def test_either_proof_may_be_switched_off(
    provider: Provider, login_settings: Any
) -> None:
    login_settings.OIDC_USE_NONCE = False
    assert login(provider, coming_back(provider, nonce=None), nonce=None)
    # A request that had one is judged by it all the same.
    request = coming_back(provider, nonce="another")
    assert outcome(refused(provider, request=request))[0] is Reason.IDENTITY_INVALID
    login_settings.OIDC_USE_NONCE = True
    login_settings.OIDC_USE_PKCE = False
    with pytest.raises(LoginError) as caught:
        login(provider, code_verifier=None)
    # This provider was asked with a challenge.
    assert caught.value.reason is Reason.CODE_REFUSED


def test_max_age_is_what_the_settings_say(
    provider: Provider, having: Callable[..., None]
) -> None:
    having(MAX_AGE=60)
    assert login(provider)
    provider.claims["auth_time"] = int(time.time()) - 120
    assert outcome(refused(provider)) == (Reason.IDENTITY_INVALID, 400)


@pytest.mark.compliance("RFC 9068", "5")
def test_a_machine_client_is_nobody_who_logs_in(provider: Provider) -> None:
    provider.subject = CLIENT_ID
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)


# A provider that refuses, or is not well.


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (as_refusal(400, "invalid_grant"), (Reason.CODE_REFUSED, 400)),
        (as_refusal(401, "invalid_client"), (Reason.PROVIDER_REFUSED, 400)),
        (as_refusal(500, "server_error"), (Reason.PROVIDER_UNAVAILABLE, 503)),
        (as_text(502, "<html>"), (Reason.PROVIDER_UNAVAILABLE, 503)),
        (as_text(200, "[]"), (Reason.PROVIDER_UNAVAILABLE, 503)),
        (as_json({"id_token": "x"}), (Reason.PROVIDER_UNAVAILABLE, 503)),
        (hang_up, (Reason.PROVIDER_UNAVAILABLE, 503)),
    ],
    ids=[
        *("a code of nobody", "a client of nobody", "an error of its own"),
        *("a page", "no object", "no access token", "nothing"),
    ],
)
def test_without_tokens_there_is_no_login(
    provider: Provider, answer: Answer, wanted: Any
) -> None:
    provider.answers[TOKEN] = answer
    assert outcome(refused(provider)) == wanted


@pytest.mark.parametrize("path", [DISCOVERY, JWKS])
def test_what_cannot_be_asked_is_503(provider: Provider, path: str) -> None:
    provider.answers[path] = as_text(500, "no")
    assert outcome(refused(provider)) == (Reason.PROVIDER_UNAVAILABLE, 503)


# Userinfo.


@pytest.mark.compliance(CORE, "5.3.2")
@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (as_json({"sub": "mallory", "email": "a@b.test"}), Reason.USERINFO_INVALID),
        (as_json({"email": "a@b.test"}), Reason.USERINFO_INVALID),
        (as_json(["alice"]), Reason.USERINFO_INVALID),
        (as_text(200, "<html>"), Reason.USERINFO_INVALID),
        (as_text(200, '{"sub": "alice", "sub": "alice"}'), Reason.USERINFO_INVALID),
        (as_text(401, ""), Reason.USERINFO_INVALID),
        (as_text(403, "{}"), Reason.USERINFO_INVALID),
        (as_text(302, "", {"Location": "/"}), Reason.USERINFO_INVALID),
        (as_text(429, ""), Reason.PROVIDER_UNAVAILABLE),
        (as_text(500, ""), Reason.PROVIDER_UNAVAILABLE),
        (hang_up, Reason.PROVIDER_UNAVAILABLE),
    ],
    ids=[
        *("another subject", "no subject", "a list", "a page", "a member twice"),
        *("401", "403", "a redirect", "429", "500", "nothing"),
    ],
)
def test_userinfo_that_is_not_good_is_no_login(
    provider: Provider, answer: Answer, wanted: Reason
) -> None:
    provider.answers[USERINFO] = answer
    status = 503 if wanted is Reason.PROVIDER_UNAVAILABLE else 400
    assert outcome(refused(provider)) == (wanted, status)


def signed_userinfo(provider: Provider, **claims: Any) -> Answer:
    content = {"iss": provider.url, "aud": CLIENT_ID, "sub": "alice", "email": EMAIL}
    text = provider.signed({"alg": "RS256", "kid": "RSA"}, {**content, **claims})
    return as_text(200, text, {"Content-Type": "Application/JWT; charset=utf-8"})


@pytest.mark.compliance(CORE, "5.3.2")
def test_signed_userinfo_is_verified(provider: Provider) -> None:
    provider.answers[USERINFO] = signed_userinfo(provider, email_verified=True)
    assert login(provider).email == EMAIL
    for wrong in ({"aud": "another"}, {"iss": "https://evil.test"}, {"sub": "mallory"}):
        provider.answers[USERINFO] = signed_userinfo(provider, **wrong)
        assert outcome(refused(provider)) == (Reason.USERINFO_INVALID, 400)
    kind = {"Content-Type": "application/jwt"}
    provider.answers[USERINFO] = as_text(200, "é", kind)
    assert outcome(refused(provider)) == (Reason.USERINFO_INVALID, 400)


def test_keys_that_are_gone_before_userinfo_are_an_outage(provider: Provider) -> None:
    provider.answers[USERINFO] = signed_userinfo(provider)
    provider.answers[JWKS] = as_text(500, "no")
    request = coming_back(provider)
    backend = OIDCAuthenticationBackend()
    backend.request = request
    login_with = {"sub": "alice", "iss": provider.url, "iat": 1.0}
    with pytest.raises(LoginError) as caught:
        backend.get_userinfo("token", "", login_with)
    assert outcome(caught.value) == (Reason.PROVIDER_UNAVAILABLE, 503)


def test_without_a_userinfo_endpoint_the_id_token_says_it_all(
    provider: Provider,
) -> None:
    provider.metadata["userinfo_endpoint"] = None
    assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)
    provider.claims = {"email": EMAIL, "email_verified": True}
    assert login(provider).email == EMAIL
    assert not provider.count(USERINFO)


def test_the_endpoint_of_the_settings_comes_first(
    provider: Provider, login_settings: Any
) -> None:
    login_settings.OIDC_OP_USER_ENDPOINT = f"{provider.url}/elsewhere"
    known = {"sub": "alice", "email": EMAIL, "email_verified": True}
    provider.answers["/elsewhere"] = as_json(known)
    assert login(provider).email == EMAIL
    assert not provider.count(USERINFO)
    sent = provider.last("/elsewhere").headers["authorization"]
    assert sent.removeprefix("Bearer ") in provider.grants.access


@pytest.mark.parametrize(
    ("claims", "userinfo", "email"),
    [
        ({}, {}, EMAIL),
        ({"email_verified": True}, {"email_verified": None}, ""),
        ({"email": "x@y.test"}, {"email": None, "email_verified": True}, ""),
        (
            {"email": "x@y.test", "email_verified": True},
            {"email": None, "email_verified": None},
            "x@y.test",
        ),
        (
            {"email": "x@y.test", "email_verified": True},
            {"email": None, "email_verified": False},
            "x@y.test",
        ),
        ({}, {"email_verified": "true"}, ""),
        ({}, {"email_verified": False}, ""),
    ],
)
def test_an_address_is_verified_by_whom_it_is_from(
    provider: Provider, claims: Any, userinfo: Any, email: str
) -> None:
    provider.claims, provider.userinfo = claims, userinfo
    assert login(provider).email == email


def test_userinfo_cannot_say_who_has_logged_in(provider: Provider) -> None:
    provider.userinfo = {"iss": "https://evil.test", "iat": 1, "amr": ["otp"]}
    provider.claims["amr"] = ["pwd"]
    login(provider)
    assert ExternalIdentity.objects.get().issuer == provider.url
    backend = OIDCAuthenticationBackend()
    tokens = {"sub": "alice", "iss": provider.url, "iat": 2, "amr": ["pwd"]}
    whole = joined(tokens, provider.userinfo)
    assert whole == {**tokens, "iat": 2}
    assert backend.verify_claims(whole) is False


# Whose a login is.


def identity(provider: Provider, user: User, subject: str = "alice") -> None:
    ExternalIdentity.objects.create(issuer=provider.url, subject=subject, user=user)


def test_a_user_is_found_by_issuer_and_subject_alone(provider: Provider) -> None:
    User.objects.create_user("victim", EMAIL)
    other = User.objects.create_user("other")
    ExternalIdentity.objects.create(
        issuer="https://other.test", subject="alice", user=other
    )
    made = login(provider)
    assert made.username not in {"victim", "other"}
    identity(provider, other, "bob")
    provider.subject = "bob"
    assert login(provider) == other


def test_an_address_links_where_the_settings_say_so(
    provider: Provider, having: Callable[..., None]
) -> None:
    user = User.objects.create_user("old", EMAIL.upper())
    having(MATCH_VERIFIED_EMAIL=True)
    assert login(provider) == user
    # It is by the subject from now on.
    provider.userinfo = {"email": "new@example.com"}
    assert login(provider) == user
    assert User.objects.count() == 1


@pytest.mark.parametrize("role", ["is_staff", "is_superuser"])
def test_an_address_never_links_staff(
    provider: Provider, having: Callable[..., None], role: str
) -> None:
    user = User.objects.create_user("old", EMAIL)
    User.objects.filter(pk=user.pk).update(**{role: True})
    having(MATCH_VERIFIED_EMAIL=True)
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)


@pytest.mark.parametrize(
    ("changed", "section"),
    [({"OIDC_CREATE_USER": False}, {}), ({}, {"USERS": "lookup"})],
    ids=["mozilla's", "ours"],
)
def test_nobody_is_made_where_the_settings_say_so(
    provider: Provider,
    login_settings: Any,
    having: Callable[..., None],
    changed: Any,
    section: Any,
) -> None:
    having(**section)
    for name, value in changed.items():
        setattr(login_settings, name, value)
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)
    user = User.objects.create_user("known")
    identity(provider, user)
    assert login(provider) == user


def test_who_is_not_active_is_refused_at_the_login_and_after_it(
    provider: Provider,
) -> None:
    user = login(provider)
    backend = OIDCAuthenticationBackend()
    assert backend.get_user(user.pk) == user
    User.objects.update(is_active=False)
    assert outcome(refused(provider)) == (Reason.USER_INACTIVE, 403)
    assert backend.get_user(user.pk) is None
    assert backend.get_user(0) is None


def test_groups_come_out_of_either_source(
    provider: Provider, having: Callable[..., None]
) -> None:
    Group.objects.create(name="Editors")
    having(GROUPS_CLAIM="roles", GROUPS={"editor": "Editors"}, STAFF=["boss"])
    provider.claims["roles"] = ["editor"]
    user = login(provider)
    assert [group.name for group in user.groups.all()] == ["Editors"]
    provider.userinfo["roles"] = ["boss"]
    provider.clock = lambda: time.time() + 2
    assert login(provider).is_staff
    assert not user.groups.exists()


def test_a_later_id_token_gives_and_takes_groups(
    provider: Provider, having: Callable[..., None]
) -> None:
    Group.objects.create(name="Editors")
    having(GROUPS_CLAIM="realm.roles", GROUPS={"editor": "Editors"})
    user = login(provider)
    claims = {"iss": provider.url, "sub": "alice", "iat": time.time() + 1}

    def groups_by(**told: Any) -> int:
        regrant({**claims, **told}, registration())
        return len(user.groups.all())

    assert groups_by() == 0
    assert groups_by(realm={"roles": ["editor"]}) == 1
    assert groups_by() == 1
    assert groups_by(sub="nobody", realm={"roles": []}) == 1
    assert groups_by(realm={"roles": []}) == 0
    having(GROUPS_CLAIM=None, GROUPS={})
    assert groups_by(realm={"roles": ["editor"]}) == 0


def test_mozillas_algorithm_names_users(
    provider: Provider, login_settings: Any
) -> None:
    login_settings.OIDC_USERNAME_ALGO = f"{__name__}.name_of"
    assert login(provider).username == "user alice@example.com alice"
    # One whom another user has is nobody's who comes later.
    provider.subject = "mallory"
    provider.userinfo = {"email": EMAIL}
    login_settings.OIDC_USERNAME_ALGO = lambda email: f"user {email} alice"
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)


def name_of(email: str, claims: Mapping[str, Any]) -> str:
    return f"user {email} {claims['sub']}"


# Hooks.


class Hooked(OIDCAuthenticationBackend):
    """As projects have it that are on mozilla-django-oidc."""

    def create_user(self, claims: Mapping[str, Any]) -> Any:
        user = super().create_user(claims)
        user.first_name = claims["name"]
        user.save()
        return user

    def update_user(self, user: Any, claims: Mapping[str, Any]) -> Any:
        user.last_name = f"{user.last_name}+{claims['preferred_username']}"
        user.save()
        return user

    def verify_claims(self, claims: Mapping[str, Any]) -> bool:
        allowed = super().verify_claims(claims)
        return bool(allowed and not claims.get("is_banned"))

    def get_username(self, claims: Mapping[str, Any]) -> str:
        return str(claims["preferred_username"])

    def store_tokens(self, access_token: str, id_token: str) -> None:
        super().store_tokens(access_token, id_token)
        self.request.session["stored"] = (access_token, id_token)


def test_hooks_are_called_as_ever(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(Hooked)
    request = coming_back(provider)
    user = login(provider, request)
    assert (user.username, user.first_name, user.last_name) == ("alice", "Alice", "")
    tokens = request.drf_apikit_login.tokens
    assert request.session["stored"] == (tokens.access_token, tokens.id_token)
    assert login(provider).last_name == "+alice"
    provider.userinfo["is_banned"] = True
    assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)


def test_a_claim_that_a_hook_cannot_do_without_is_a_refusal(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(Hooked)
    provider.userinfo["name"] = None
    assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)
    provider.userinfo.clear()
    user = login(provider)
    provider.userinfo["preferred_username"] = None
    assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)
    user.refresh_from_db()
    assert user.last_name == ""


class Raising(OIDCAuthenticationBackend):
    """Raises what it is told to."""

    error: Exception | None = None
    updated: Any = None

    def update_user(self, user: Any, claims: Mapping[str, Any]) -> Any:
        User.objects.filter(pk=user.pk).update(last_name="changed")
        if self.error is not None:
            raise self.error
        return self.updated and super().update_user(self.updated, claims)


@pytest.mark.usefixtures("database")
def test_what_a_hook_did_before_it_raised_is_undone(
    provider: Provider,
    with_backend: Callable[[type], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = User.objects.create_user("known", EMAIL)
    identity(provider, user)
    with_backend(Raising)
    for error in (
        SuspiciousOperation("no"),
        PermissionDenied("no"),
        ValueError("no"),
        KeyError("no"),
    ):
        monkeypatch.setattr(Raising, "error", error)
        assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)
    user.refresh_from_db()
    assert user.last_name == ""
    # A fault of the hook's own is one.
    monkeypatch.setattr(Raising, "error", TypeError("a bug"))
    with pytest.raises(TypeError):
        login(provider)


def test_update_user_has_the_last_word(
    provider: Provider,
    with_backend: Callable[[type], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identity(provider, User.objects.create_user("known", EMAIL))
    with_backend(Raising)
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)
    gone = User.objects.create_user("gone", is_active=False)
    monkeypatch.setattr(Raising, "updated", gone)
    assert outcome(refused(provider)) == (Reason.USER_INACTIVE, 403)


class Naming(OIDCAuthenticationBackend):
    """Makes users with values that a database does not take."""

    def create_user(self, claims: Mapping[str, Any]) -> Any:
        return User.objects.create_user(claims["preferred_username"])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["x" * 500, "a\0b"], ids=["long", "NUL"])
def test_values_that_a_database_does_not_take_are_no_error_of_ours(
    provider: Provider, with_backend: Callable[[type], None], name: str
) -> None:
    with_backend(Naming)
    provider.userinfo["preferred_username"] = name
    if connection.vendor == "sqlite" or (connection.vendor == "mysql" and "\0" in name):
        assert login(provider).username == name
    else:
        assert outcome(refused(provider)) == (Reason.CLAIMS_REFUSED, 403)


class Finding(OIDCAuthenticationBackend):
    """Finds users by a name, as many projects do."""

    def filter_users_by_claims(self, claims: Mapping[str, Any]) -> Any:
        name = claims["preferred_username"]
        return self.UserModel.objects.filter(username__startswith=name)


def test_a_project_may_find_its_users_itself(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(Finding)
    staff = User.objects.create_user("alice", is_staff=True)
    assert login(provider) == staff
    # Once, and then by the subject: whoever has the name later is somebody else.
    provider.claims["sub"] = provider.userinfo["sub"] = "alice-2"
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)


def test_nobody_is_linked_who_is_one_of_several_or_inactive(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(Finding)
    User.objects.create_user("alice-1", is_active=False)
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)
    User.objects.create_user("alice-2")
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)
    provider.subject = "bob"
    assert login(provider).email == "bob@example.com"


class AlsoFinding(OIDCAuthenticationBackend):
    """Goes on from what the class above it finds."""

    def filter_users_by_claims(self, claims: Mapping[str, Any]) -> Any:
        return super().filter_users_by_claims(claims)


def test_an_address_that_nobody_has_verified_finds_nobody(
    provider: Provider, with_backend: Callable[[type], None]
) -> None:
    with_backend(AlsoFinding)
    user = User.objects.create_user("old", EMAIL)
    provider.userinfo["email_verified"] = False
    assert login(provider) != user
    provider.userinfo.clear()
    ExternalIdentity.objects.all().delete()
    User.objects.exclude(pk=user.pk).delete()
    assert login(provider) == user


class Asking(OIDCAuthenticationBackend):
    """Has an answer of its own to each question to the provider."""

    userinfo: Any = None
    members: Any = None
    verdict: Any = True

    def get_userinfo(self, access_token: str, id_token: str, payload: Any) -> Any:
        assert access_token.count(".") == 0
        assert id_token.count(".") == 2
        assert payload["sub"] == "alice"
        if isinstance(self.userinfo, Exception):
            raise self.userinfo
        return self.userinfo

    def get_token(self, payload: Any) -> Any:
        answer = super().get_token({**payload, "client_secret": "x", "audience": "api"})
        self.request.session["refresh_token"] = answer["refresh_token"]
        return answer if self.members is None else {**answer, **self.members}

    def verify_token(self, token: str, **options: Any) -> Any:
        assert super().verify_token(token, **options)["nonce"] == NONCE
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


@pytest.fixture
def asking(
    with_backend: Callable[[type], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    with_backend(Asking)

    def change(**attributes: Any) -> None:
        for name, value in attributes.items():
            monkeypatch.setattr(Asking, name, value)

    change(userinfo={"email": EMAIL, "email_verified": True})
    return change


@pytest.mark.usefixtures("asking")
def test_a_project_may_ask_in_its_own_way(provider: Provider) -> None:
    request = coming_back(provider)
    assert login(provider, request).email == EMAIL
    sent = provider.last(TOKEN)
    assert sent.form["audience"] == "api"
    assert "client_secret" not in sent.form
    assert request.session["refresh_token"] in provider.grants.refresh
    assert not provider.count(USERINFO)


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"userinfo": {"sub": "mallory"}}, (Reason.USERINFO_INVALID, 400)),
        ({"userinfo": None}, (Reason.USERINFO_INVALID, 400)),
        ({"userinfo": []}, (Reason.USERINFO_INVALID, 400)),
        (
            {"userinfo": requests.ConnectionError("x")},
            (Reason.PROVIDER_UNAVAILABLE, 503),
        ),
        (
            {"userinfo": requests.JSONDecodeError("x", "y", 1)},
            (Reason.PROVIDER_UNAVAILABLE, 503),
        ),
        ({"members": {"access_token": None}}, (Reason.PROVIDER_UNAVAILABLE, 503)),
        ({"members": {"id_token": 7}}, (Reason.IDENTITY_INVALID, 400)),
        ({"verdict": None}, (Reason.IDENTITY_INVALID, 400)),
        ({"verdict": SuspiciousOperation("no")}, (Reason.CLAIMS_REFUSED, 403)),
    ],
    ids=str,
)
def test_what_a_projects_own_answers_say_is_judged(
    provider: Provider, asking: Callable[..., None], attributes: Any, wanted: Any
) -> None:
    asking(**attributes)
    assert outcome(refused(provider)) == wanted


@pytest.mark.parametrize("life", [None, "60", 60, 60.5], ids=repr)
def test_the_life_of_a_token_is_a_number(
    provider: Provider, asking: Callable[..., None], life: Any
) -> None:
    asking(members={"expires_in": life})
    request = coming_back(provider)
    login(provider, request)
    wanted = life if isinstance(life, int | float) else None
    assert request.drf_apikit_login.tokens.expires_in == wanted


def test_a_verifier_of_the_projects_own_cannot_accept_more(
    provider: Provider, asking: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(verdict={"sub": "bob"})
    assert login(provider)
    assert ExternalIdentity.objects.get().subject == "alice"
    monkeypatch.setattr(Asking, "verify_token", lambda *_, **__: {"sub": "alice"})
    provider.claims["aud"] = "another-client"
    assert outcome(refused(provider)) == (Reason.IDENTITY_INVALID, 400)


class Nobody(OIDCAuthenticationBackend):
    """Decides for itself who is who."""

    found: Any = None

    def get_or_create_user(
        self, access_token: str, id_token: str, payload: Mapping[str, Any]
    ) -> Any:
        assert (access_token, id_token, payload["sub"]) == (ANY, ANY, "alice")
        return self.found


def test_a_project_may_decide_who_it_is(
    provider: Provider,
    with_backend: Callable[[type], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_backend(Nobody)
    assert outcome(refused(provider)) == (Reason.USER_UNKNOWN, 403)
    user = User.objects.create_user("chosen")
    monkeypatch.setattr(Nobody, "found", user)
    assert login(provider) == user
    monkeypatch.setattr(Nobody, "found", User(pk=7, is_active=False))
    assert outcome(refused(provider)) == (Reason.USER_INACTIVE, 403)


@pytest.mark.parametrize(
    "name",
    [
        *("_verify_jws", "get_payload_data", "get_settings"),
        *("raise_token_response_error", "retrieve_matching_jwk"),
    ],
)
def test_a_hook_that_nobody_calls_is_refused(name: str) -> None:
    assert callable(getattr(MozillaBackend, name))
    with pytest.raises(ImproperlyConfigured, match=rf"Old\.{name}: .*Remove it"):
        type("Old", (OIDCAuthenticationBackend,), {name: lambda *_: None})


# At the same time.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("link", [False, True], ids=["made", "linked"])
def test_two_first_logins_of_one_person_are_one_user(
    database: str, provider: Provider, having: Callable[..., None], *, link: bool
) -> None:
    assert database
    having(MATCH_VERIFIED_EMAIL=link)
    if link:
        User.objects.create_user("old", EMAIL)
    pending = [coming_back(provider) for _ in range(4)]
    calls = [lambda each=each: login(provider, each) for each in pending]
    users = in_threads(*calls)
    assert len({user.pk for user in users}) == 1
    assert (User.objects.count(), ExternalIdentity.objects.count()) == (1, 1)
