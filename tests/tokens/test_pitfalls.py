"""What `docs/explanation/jwt-pitfalls.md` says, by attacks on a whole project."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from io import StringIO
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings as django_settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt import tokens as simplejwt

from drf_apikit.signals import refresh_token_reused
from drf_apikit.testing import assert_problem
from drf_apikit.tokens.keyring import current_ring
from drf_apikit.tokens.models import SigningKeyRecord, TokenSession
from drf_apikit.tokens.sessions import Ending
from tests.jose.minting import base64url
from tests.tokens.pitfall_site import (
    AUDIENCE,
    ISSUER,
    PASSWORD,
    PROVIDER,
    SETTINGS,
    Site,
    payload_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.pitfall_site")]

STRANGE: Final = ec.generate_private_key(ec.SECP256R1())
#: What an access token says when nobody has added anything.
SAID: Final = {
    *("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti"),
    *("sid", "auth_time"),
}


@pytest.fixture
def site(settings: Any) -> Site:
    settings.DRF_APIKIT = SETTINGS
    return Site()


def changed(settings: Any, **tokens: Any) -> None:
    """Change the section TOKENS."""
    section = {**SETTINGS["TOKENS"], **tokens}
    settings.DRF_APIKIT = {**SETTINGS, "TOKENS": section}


# Forging without a key of the project.


def written(
    header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes
) -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(map(base64url, parts))


def unsigned(algorithm: str | None, signature: bytes = b"") -> Callable[[str], str]:
    def forge(token: str) -> str:
        header = {**jwt.get_unverified_header(token), "alg": algorithm}
        kept = {name: value for name, value in header.items() if value is not None}
        return written(kept, payload_of(token), signature)

    return forge


def mac(secret: Callable[[], bytes], **members: Any) -> Callable[[str], str]:
    """Sign with HMAC: PyJWT would refuse such secrets."""
    primitive = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)

    def forge(token: str) -> str:
        header = {**jwt.get_unverified_header(token), "alg": "HS256", **members}
        text = written(header, payload_of(token), b"").rstrip(".")
        return f"{text}.{base64url(primitive.sign(text.encode(), secret()))}"

    return forge


def strange(**members: Any) -> Callable[[str], str]:
    """Sign with a key of the attacker's own."""

    def forge(token: str) -> str:
        header = {**jwt.get_unverified_header(token), **members}
        return jwt.encode(payload_of(token), STRANGE, "ES256", header)

    return forge


def as_somebody_else(token: str) -> str:
    header, _, signature = token.split(".")
    payload = {**payload_of(token), "sub": "1"}
    return f"{header}.{base64url(json.dumps(payload).encode())}.{signature}"


def public_pem() -> bytes:
    key = current_ring().signing_key().private_key.public_key()
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def strange_jwk() -> dict[str, Any]:
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(STRANGE.public_key(), as_dict=True)
    return {**jwk, "kid": "mine"}


FORGED: Final[Mapping[str, Callable[[str], str]]] = {
    **{f"{alg} as alg": unsigned(alg) for alg in ("none", "None", "NONE", "nOnE", "")},
    "no alg": unsigned(None),
    "none with a signature": unsigned("none", b"x" * 64),
    "r and s of 0": unsigned("ES256", bytes(64)),
    "public key as secret": mac(public_pem),
    "key set as secret": mac(
        lambda: json.dumps(current_ring().signing_key().public_jwk()).encode()
    ),
    "SECRET_KEY as secret": mac(lambda: str(django_settings.SECRET_KEY).encode()),
    "no secret, in a file": mac(lambda: b"", kid="../../../../dev/null"),
    "secret by SQL": mac(lambda: b"x" * 32, kid="' UNION SELECT 'x'; --"),
    "another key": strange(),
    "another key, brought along": strange(jwk=strange_jwk(), kid="mine"),
    "another key, to be fetched": strange(jku="https://thief.test/keys", kid="mine"),
    "another key, without a name": strange(kid=""),
    "crit": strange(crit=["b64"], b64=False),
    "somebody else": as_somebody_else,
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "half a signature": lambda token: token[:-20],
    "padding": lambda token: f"{token}=",
    "twice": lambda token: f"{token}.{token}",
}


@pytest.mark.compliance("RFC 8725", "3.1")
@pytest.mark.compliance("RFC 8725", "3.2")
@pytest.mark.parametrize("forge", FORGED.values(), ids=list(FORGED))
def test_no_forged_access_token_is_accepted(
    site: Site, forge: Callable[[str], str]
) -> None:
    good = site.tokens()["access"]
    assert site.call(good).json()["user"] == "ada"
    assert_problem(site.call(forge(good)), 401, "invalid-token")


# Signed by the project's own key, as a fault of it, or another use of the key, might.

HOUR: Final = 3600
WRONG: Final[Mapping[str, Mapping[str, Any]]] = {
    "another audience": {"aud": "https://stock.test"},
    "a part of the audience": {"aud": AUDIENCE[:-1]},
    "no audience": {"aud": None},
    "another issuer": {"iss": PROVIDER.issuer},
    "a slash more": {"iss": f"{ISSUER}/"},
    "no issuer": {"iss": None},
    "no end": {"exp": None},
    "an end long ago": {"iat": 1, "exp": 2},
    "an end that is a text": {"exp": "4000000000"},
    "an end beyond all years": {"exp": 10**30},
    "a beginning ahead": {"iat": int(time.time()) + HOUR},
    "not before": {"nbf": int(time.time()) + HOUR},
    "no subject": {"sub": None},
    "nobody": {"sub": "4711"},
    "no key": {"sub": "ada"},
    "a key with zeros": {"sub": "0001"},
    "a NUL": {"sub": "1\0"},
    "no client": {"client_id": None},
    "no name": {"jti": None},
    "a key of the client's": {"cnf": {"jkt": "x"}},
}
TYPES: Final = ("JWT", "id+jwt", "logout+jwt", "dpop+jwt", "refresh+jwt", "")


def resigned(token: str, typ: str | None = "at+jwt", **claims: Any) -> str:
    payload = {**payload_of(token), **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return current_ring().signing_key().sign(kept, typ)


@pytest.mark.compliance("RFC 9068", "4")
@pytest.mark.parametrize("claims", WRONG.values(), ids=list(WRONG))
def test_a_signed_token_with_one_wrong_claim_is_refused(
    site: Site, claims: Mapping[str, Any]
) -> None:
    good = site.tokens()["access"]
    assert site.call(resigned(good)).status_code == 200
    assert_problem(site.call(resigned(good, **claims)), 401, "invalid-token")


@pytest.mark.compliance("RFC 8725", "3.11")
@pytest.mark.parametrize("typ", TYPES)
def test_a_signed_token_of_another_kind_is_refused(site: Site, typ: str) -> None:
    good = site.tokens()["access"]
    assert_problem(site.call(resigned(good, typ)), 401, "invalid-token")


@pytest.mark.compliance("RFC 8725", "3.12")
def test_a_refresh_token_is_no_access_token(site: Site) -> None:
    given = site.tokens()
    assert_problem(site.call(given["refresh"]), 401, "invalid-token")
    assert "." not in given["refresh"]


@pytest.mark.compliance("RFC 8725", "3.12")
def test_an_access_token_is_no_refresh_token(site: Site) -> None:
    given = site.tokens()
    assert_problem(site.refresh(given["access"]), 401, "refresh-token-refused")
    assert site.refresh(given["refresh"]).status_code == 200


@pytest.mark.compliance("RFC 9068", "2.1")
@pytest.mark.compliance("RFC 9068", "2.2")
@pytest.mark.compliance("RFC 9068", "6")
def test_an_access_token_says_what_it_must_and_no_more(site: Site) -> None:
    token = site.tokens()["access"]
    header, said = jwt.get_unverified_header(token), payload_of(token)
    assert header["typ"] == "at+jwt"
    assert header.keys() == {"alg", "kid", "typ"}
    assert said.keys() == SAID
    assert said["sub"] == str(site.user.pk)
    assert said["exp"] - said["iat"] == 300
    assert len(token) < 600


@pytest.mark.compliance("RFC 6749", "6")
@pytest.mark.compliance("RFC 9068", "2.2.3")
def test_a_refresh_gives_no_more_than_the_login(site: Site) -> None:
    given = site.tokens(scope="read")
    answer = site.refresh(given["refresh"], scope="read write", client_id="kiosk")
    said = payload_of(answer.json()["access"])
    assert (said["scope"], said["client_id"]) == ("read", "phone")


@pytest.mark.compliance("RFC 6749", "3.3")
@pytest.mark.parametrize(
    "asked",
    [
        {"scope": "admin"},
        {"scope": "read admin"},
        {"client_id": "kiosk", "scope": "write"},
        {"client_id": "nobody"},
    ],
)
def test_a_client_gets_no_scope_that_it_may_not_have(
    site: Site, asked: dict[str, str]
) -> None:
    assert_problem(site.log_in(**asked), 400, "validation-error")
    assert not TokenSession.objects.exists()


def test_only_public_keys_are_published(site: Site) -> None:
    site.tokens()
    (key,) = site.ask("get", "/jwks.json").json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}


@pytest.mark.compliance("RFC 9700", "4.14.2")
@pytest.mark.parametrize("repeat", [False, True])
def test_the_database_has_nothing_that_a_thief_can_use(
    site: Site, settings: Any, repeat: bool
) -> None:
    """Each value of both tables, as a dump has it, is tried."""
    changed(settings, REPEAT_SUCCESSOR=repeat)
    first = site.tokens()
    given = site.refresh(first["refresh"]).json()
    rows = [*TokenSession.objects.values(), *SigningKeyRecord.objects.values()]
    values = [str(value) for row in rows for value in row.values()]
    private = current_ring().signing_key().private_key.private_numbers()
    number = base64url(private.private_value.to_bytes(32, "big"))
    for secret in (first["refresh"], given["refresh"], given["access"], number):
        assert not [value for value in values if secret in value]
    assert not [value for value in values if "PRIVATE KEY" in value]
    for value in values:
        assert site.refresh(value).status_code in {400, 401}
        assert site.call(value or "x").status_code in {400, 401}
    assert site.refresh(given["refresh"]).status_code == 200


# Refresh tokens that nobody gave out.


def other(character: str) -> str:
    return "B" if character == "A" else "A"


def spliced(text: str, second: str) -> str:
    return text[: len(text) // 2] + second[len(second) // 2 :]


MADE_UP: Final[Mapping[str, Callable[[str, str], str]]] = {
    "a character changed": lambda text, _: (
        f"{text[:40]}{'AB'[text[40] == 'A']}{text[41:]}"
    ),
    "another tag": lambda text, _: f"{text[:-22]}{'A' * 22}",
    "two halves": spliced,
    "the name of the session alone": lambda text, _: text[:26],
    "the name and any rest": lambda text, _: f"{text[:26]}{'A' * (len(text) - 26)}",
    "longer": lambda text, _: f"{text}AAAA",
    "padding": lambda text, _: f"{text}=",
    "another version": lambda text, _: f"akr2_{text[5:]}",
    "in capitals": lambda text, _: text.upper(),
    "nothing of it": lambda _, __: "akr1_",
    "another alphabet": lambda text, _: f"{text[:-4]}Ω€😀\u0660",
    "a NUL": lambda text, _: f"{text[:-1]}\0",
    "half a character": lambda text, _: f"{text[:-1]}\ud800",
    "a megabyte": lambda _, __: f"akr1_{'A' * 2**20}",
    "a JWT": lambda _, __: "e30.e30.e30",
}


@pytest.mark.compliance("RFC 6749", "10.4")
@pytest.mark.parametrize("make", MADE_UP.values(), ids=list(MADE_UP))
def test_a_forged_refresh_token_does_no_harm(
    site: Site, make: Callable[[str, str], str]
) -> None:
    first, second = site.tokens()["refresh"], site.tokens()["refresh"]
    made = make(first, second)
    assert site.refresh(made).status_code in {400, 401}
    assert site.log_out(made).status_code < 500
    assert site.refresh(first).status_code == 200
    assert site.refresh(second).status_code == 200


@pytest.mark.compliance("RFC 9700", "4.14.2")
@pytest.mark.parametrize("repeat", [False, True])
def test_a_refresh_token_works_once(site: Site, settings: Any, repeat: bool) -> None:
    """Whoever comes at once does no harm, and gets nothing that is new."""
    changed(settings, REPEAT_SUCCESSOR=repeat)
    used = site.tokens()["refresh"]
    successor = site.refresh(used).json()["refresh"]
    again = site.refresh(used)
    if repeat:
        assert again.json()["refresh"] == successor
    else:
        assert_problem(again, 409, "refresh-token-used")
    last = site.refresh(successor).json()["refresh"]
    # The one before the last one's is a copy, however soon it comes.
    for text in (used, last):
        assert_problem(site.refresh(text), 401, "refresh-token-refused")


@pytest.mark.compliance("RFC 9700", "4.14.2")
def test_a_thief_and_the_owner_are_both_out(site: Site, settings: Any) -> None:
    changed(settings, REUSE_GRACE=0)
    stolen = site.tokens()["refresh"]
    elsewhere = site.tokens()["refresh"]
    heard: list[Any] = []

    def listen(session: TokenSession, **_: Any) -> None:
        heard.append(session.pk)

    refresh_token_reused.connect(listen)
    owner = site.refresh(stolen).json()["refresh"]
    thief = site.refresh(stolen)
    refresh_token_reused.disconnect(listen)
    assert_problem(thief, 401, "refresh-token-refused")
    assert_problem(site.refresh(owner), 401, "refresh-token-refused")
    assert site.refresh(elsewhere).status_code == 200
    assert len(heard) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_an_end_is_not_undone_by_the_refusal_of_its_request(
    site: Site, settings: Any
) -> None:
    changed(settings, REUSE_GRACE=0)
    stolen = site.tokens()["refresh"]
    owner = site.refresh(stolen).json()["refresh"]
    assert site.refresh(stolen).status_code == 401
    assert site.refresh(owner).status_code == 401
    assert TokenSession.objects.get().end_reason == Ending.REUSE


@pytest.mark.compliance("RFC 9700", "4.14.2")
def test_a_session_ends_however_often_it_is_refreshed(
    site: Site, settings: Any
) -> None:
    changed(settings, REFRESH_LIFETIME=HOUR, SESSION_LIFETIME=2 * HOUR)
    text = site.tokens()["refresh"]
    sessions = TokenSession.objects.all()
    late = timedelta(seconds=1.5 * HOUR)
    sessions.update(ends_at=F("ends_at") - late)
    text = site.refresh(text).json()["refresh"]
    session = sessions.get()
    assert session.expires_at == session.ends_at
    sessions.update(expires_at=F("expires_at") - late, ends_at=F("ends_at") - late)
    assert_problem(site.refresh(text), 401, "refresh-token-refused")


def test_what_simplejwt_gave_out_is_refused_or_taken_once(
    site: Site, settings: Any
) -> None:
    old = simplejwt.RefreshToken.for_user(site.user)
    assert_problem(site.call(str(old.access_token)), 401, "invalid-token")
    assert_problem(site.refresh(str(old)), 401, "refresh-token-refused")
    changed(settings, LEGACY_REFRESH_TOKENS="exchange", REUSE_GRACE=0)
    successor = site.refresh(str(old)).json()["refresh"]
    assert successor.startswith("akr1_")
    assert_problem(site.refresh(str(old)), 401, "refresh-token-refused")
    assert_problem(site.refresh(successor), 401, "refresh-token-refused")


def test_no_clock_of_a_process_decides_about_reuse(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = site.tokens()["refresh"]
    successor = site.refresh(used).json()["refresh"]
    tomorrow = timezone.now() + timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    assert_problem(site.refresh(used), 409, "refresh-token-used")
    assert site.refresh(successor).status_code == 200


def test_after_a_logout_nothing_is_refreshed(site: Site) -> None:
    first = site.tokens()["refresh"]
    last = site.refresh(first).json()["refresh"]
    assert site.log_out(last).status_code == 200
    for text in (last, first):
        assert_problem(site.refresh(text), 401, "refresh-token-refused")


def change_password(user: User) -> None:
    user.set_password("another")
    user.save()


def test_an_access_token_outlives_its_session(site: Site) -> None:
    """The page says so: nobody is asked about each token."""
    given = site.tokens()
    site.log_out(given["refresh"])
    assert site.call(given["access"]).status_code == 200


CHANGES: Final[Mapping[str, Callable[[User], object]]] = {
    "by its method": change_password,
    "behind its back": lambda user: User.objects.filter(pk=user.pk).update(
        password=make_password("another")
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_new_password_ends_sessions_however_it_was_set(
    site: Site, change: Callable[[User], object]
) -> None:
    given = site.tokens()
    change(site.user)
    assert_problem(site.refresh(given["refresh"]), 401, "refresh-token-refused")


@pytest.mark.compliance("RFC 7009", "3")
def test_what_the_database_says_now_counts(site: Site) -> None:
    """Neither rights nor life are in the token: each request asks for them."""
    User.objects.filter(pk=site.user.pk).update(is_staff=True)
    given = site.tokens()
    assert site.call(given["access"]).json()["staff"] is True
    User.objects.filter(pk=site.user.pk).update(is_staff=False)
    assert site.call(given["access"]).json()["staff"] is False
    User.objects.filter(pk=site.user.pk).update(is_active=False)
    assert_problem(site.call(given["access"]), 401, "invalid-token")
    assert_problem(site.refresh(given["refresh"]), 401, "refresh-token-refused")


def test_who_is_deleted_is_out(site: Site) -> None:
    given = site.tokens()
    site.user.delete()
    assert_problem(site.call(given["access"]), 401, "invalid-token")
    assert_problem(site.refresh(given["refresh"]), 401, "refresh-token-refused")


def test_nobody_sees_or_ends_the_sessions_of_others(site: Site) -> None:
    User.objects.create_user("eve", password=PASSWORD)
    ada, eve = site.tokens(), site.tokens("eve")
    name = payload_of(ada["access"])["sid"]
    listed = site.call(eve["access"], "/sessions/")
    assert listed.status_code == 200
    assert name not in listed.content.decode()
    answer = site.call(eve["access"], f"/sessions/{name}/", "delete")
    assert_problem(answer, 404, "not-found")
    assert site.call(eve["access"], "/sessions/", "delete").status_code < 300
    assert site.refresh(ada["refresh"]).status_code == 200


def test_a_token_of_a_provider_ends_no_sessions(site: Site) -> None:
    given = site.tokens()
    name = payload_of(given["access"])["sid"]
    foreign = PROVIDER.signed_token(str(site.user.pk), sid=name)
    assert site.call(foreign).json()["user"] == "ada"
    for method, url in (
        ("get", "/sessions/"),
        ("delete", f"/sessions/{name}/"),
        ("delete", "/sessions/"),
    ):
        assert_problem(site.call(foreign, url, method), 403, "permission-denied")
    assert site.refresh(given["refresh"]).status_code == 200


@pytest.mark.compliance("RFC 6749", "5.1")
def test_no_cache_keeps_an_answer_with_tokens(site: Site) -> None:
    login = site.log_in()
    for answer in (login, site.refresh(login.json()["refresh"]), site.log_in("x")):
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.compliance("RFC 6750", "2.3")
def test_no_token_is_taken_from_an_address(site: Site) -> None:
    given = site.tokens()
    access, text = given["access"], given["refresh"]
    assert site.ask("get", f"/me/?access_token={access}").status_code in {400, 401}
    assert site.ask("get", f"/token/refresh/?refresh={text}").status_code == 405
    assert site.ask("post", f"/token/refresh/?refresh={text}").status_code == 400
    assert site.ask("post", "/me/", {"access_token": access}).status_code == 401


def test_a_refused_login_does_not_tell_why(site: Site) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    answers = [
        site.log_in("nobody"),
        site.log_in(password="wrong"),
        site.log_in("gone"),
        site.log_in("gone", password="wrong"),
    ]
    documents = []
    for answer in answers:
        document = assert_problem(answer, 401, "invalid-credentials")
        document.pop("instance")
        documents.append((document, sorted(answer.headers.items())))
    assert all(told == documents[0] for told in documents)


def test_no_log_has_a_token_or_a_password(
    site: Site, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    changed(settings, REUSE_GRACE=0)
    with caplog.at_level(logging.DEBUG):
        given = site.tokens()
        later = site.refresh(given["refresh"]).json()
        site.call(given["access"])
        site.call(as_somebody_else(given["access"]))
        site.refresh(f"{later['refresh'][:-22]}{'A' * 22}")
        site.refresh(given["refresh"])
        site.refresh(later["refresh"])
        site.log_in(password=f"wrong {PASSWORD}")
    assert caplog.records
    for secret in (given["refresh"], later["refresh"], PASSWORD):
        assert secret not in caplog.text
        assert secret[5:40] not in caplog.text
    for token in (given["access"], later["access"]):
        assert not [part for part in token.split(".") if part in caplog.text]


REGISTERED: Final = (
    *("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "nbf", "jti"),
    *("sid", "auth_time", "cnf"),
)
GREEDY: Final[dict[str, Any]] = {}


def greedy_claims(_user: User, _session: TokenSession) -> Mapping[str, Any]:
    return GREEDY


@pytest.mark.compliance("RFC 7519", "4.1")
@pytest.mark.parametrize("name", REGISTERED)
def test_no_claim_of_the_project_replaces_one_that_counts(
    site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is a fault of the project: there is no token until it is mended."""
    changed(settings, CLAIMS=f"{__name__}.greedy_claims")
    monkeypatch.setitem(GREEDY, "tenant", "shop")
    assert payload_of(site.tokens()["access"])["tenant"] == "shop"
    monkeypatch.setitem(GREEDY, name, "1")
    answer = site.log_in()
    assert answer.status_code == 500
    assert b"eyJ" not in answer.content


# Keys that change.


def published(site: Site) -> set[str]:
    return {key["kid"] for key in site.ask("get", "/jwks.json").json()["keys"]}


def test_a_change_of_keys_refuses_no_good_token(site: Site) -> None:
    """A key is published before it signs, and for as long as its tokens live."""
    old = site.tokens()
    first = current_ring().signing_key().kid
    call_command("apikit_keys", "rotate", stdout=StringIO())
    assert len(published(site)) == 2
    assert current_ring().signing_key().kid == first
    call_command("apikit_keys", "rotate", "--now", stdout=StringIO())
    later = site.tokens()
    assert jwt.get_unverified_header(later["access"])["kid"] != first
    assert first in published(site)
    for given in (old, later):
        assert site.call(given["access"]).status_code == 200
        assert site.refresh(given["refresh"]).status_code == 200


def test_a_key_that_was_stolen_can_be_withdrawn(site: Site) -> None:
    given = site.tokens()
    thief = current_ring().signing_key()
    forged = thief.sign({**payload_of(given["access"]), "jti": "x"}, "at+jwt")
    assert site.call(forged).status_code == 200
    call_command("apikit_keys", "retire", thief.kid, stdout=StringIO())
    assert thief.kid not in published(site)
    for token in (forged, given["access"]):
        assert_problem(site.call(token), 401, "invalid-token")
    later = site.refresh(given["refresh"])
    assert site.call(later.json()["access"]).status_code == 200
