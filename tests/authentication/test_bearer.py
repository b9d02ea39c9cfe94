import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from drf_apikit.authentication import (
    AccessToken,
    ClientPrincipal,
    JWTBearerAuthentication,
)
from drf_apikit.jose import Reason
from drf_apikit.models import ExternalIdentity
from drf_apikit.signals import token_rejected
from drf_apikit.testing import InMemoryIssuer, assert_problem
from tests.authentication.conftest import SignIn
from tests.oidc.provider import Provider, serving

pytestmark = pytest.mark.urls("tests.authentication.urls")

BARE = 'Bearer realm="api"'
INVALID = 'Bearer realm="api", error="invalid_token"'
DETAIL = "The access token is malformed, expired, revoked or not for this API."


def get(authorization: str | None, url: str = "/me/") -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return APIClient().get(url, headers=headers)


def refused(response: Any) -> None:
    assert_problem(response, 401, "invalid-token", detail=DETAIL)
    assert response.headers["WWW-Authenticate"] == INVALID


# Who is calling.


@pytest.mark.django_db
def test_a_user_is_found_by_issuer_and_subject(alice: User, sign_in: SignIn) -> None:
    response = sign_in("alice-at-issuer", client_id="shop").get("/me/")
    assert response.json() == {
        "user": "alice",
        "pk": alice.pk,
        "kind": "User",
        "client": "shop",
    }


@pytest.mark.django_db
def test_a_subject_of_another_issuer_is_somebody_else(
    alice: User, sign_in: SignIn
) -> None:
    ExternalIdentity.objects.update(issuer="https://other.test")
    refused(sign_in("alice-at-issuer").get("/me/"))
    assert User.objects.get() == alice


@pytest.mark.django_db
def test_a_user_who_is_not_active_is_refused(alice: User, sign_in: SignIn) -> None:
    alice.is_active = False
    alice.save()
    refused(sign_in("alice-at-issuer").get("/me/"))
    # Nor does such a one come in as a machine.
    refused(sign_in("alice-at-issuer", client_id="alice-at-issuer").get("/me/"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sub", ["bob", "alice", "ALICE-AT-ISSUER", "alice-at-issuer ", " alice-at-issuer"]
)
def test_a_subject_that_nobody_has_is_refused(
    alice: User, sign_in: SignIn, sub: str
) -> None:
    refused(sign_in(sub).get("/me/"))
    assert User.objects.get() == alice


@pytest.mark.django_db
@pytest.mark.compliance("RFC 9068", "2.2")
def test_a_machine_client_needs_no_user(
    oidc_issuer: InMemoryIssuer, sign_in: SignIn
) -> None:
    response = sign_in("robot", client_id="robot").get("/me/")
    assert response.json() == {
        "user": "robot",
        "pk": ClientPrincipal(oidc_issuer.issuer, "robot").pk,
        "kind": "ClientPrincipal",
        "client": "robot",
    }


@pytest.mark.django_db
def test_a_machine_client_may_have_a_user(alice: User, sign_in: SignIn) -> None:
    client = sign_in("alice-at-issuer", client_id="alice-at-issuer")
    assert client.get("/me/").json()["pk"] == alice.pk


def authenticate(authorization: str) -> Any:
    request = APIRequestFactory().get("/me/", headers={"Authorization": authorization})
    return JWTBearerAuthentication().authenticate(Request(request))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_authentication_is_one_query(
    alice: User,
    oidc_issuer: InMemoryIssuer,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    user = oidc_issuer.authorization("alice-at-issuer", scope="a b")
    robot = oidc_issuer.authorization("robot", client_id="robot")
    nobody = oidc_issuer.authorization("nobody")
    with django_assert_num_queries(1):
        principal, token = authenticate(user)
        assert principal == alice
        assert principal.is_active
    assert isinstance(token, AccessToken)
    assert token.scopes == {"a", "b"}
    with django_assert_num_queries(1):
        principal, _ = authenticate(robot)
    assert principal == ClientPrincipal(oidc_issuer.issuer, "robot")
    with django_assert_num_queries(1):
        refused(get(nobody))


@pytest.mark.parametrize("header", [None, "Basic YTpi"])
def test_without_a_bearer_token_nothing_is_asked_of_the_database(
    header: str | None,
) -> None:
    assert get(header, "/open/").json()["kind"] == "AnonymousUser"


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("subject", ["x" * 255, "\U0001f600" * 255, "%_'\"\\;--", "ß"])
def test_any_subject_is_found_on_any_database(
    oidc_issuer: InMemoryIssuer, subject: str
) -> None:
    user = User.objects.create_user("user")
    ExternalIdentity.objects.create(
        issuer=oidc_issuer.issuer, subject=subject, user=user
    )
    principal, token = authenticate(oidc_issuer.authorization(subject))
    assert principal == user
    assert token.subject == subject


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("sub", ["alice", "Alice ", "ALICE", "Alicé", "Alice\t"])
def test_a_collation_does_not_make_two_subjects_one(
    oidc_issuer: InMemoryIssuer, sub: str
) -> None:
    ExternalIdentity.objects.create(
        issuer=oidc_issuer.issuer,
        subject="Alice",
        user=User.objects.create_user("user"),
    )
    refused(get(oidc_issuer.authorization(sub)))


# The header.


@pytest.mark.django_db
@pytest.mark.compliance("RFC 9110", "11.1")
@pytest.mark.compliance("RFC 6750", "2.1")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize(("space", "end"), [(" ", ""), ("   ", ""), (" ", "  ")])
def test_the_scheme_is_read_in_any_case(
    oidc_issuer: InMemoryIssuer, scheme: str, space: str, end: str
) -> None:
    token = oidc_issuer.signed_token("robot", client_id="robot")
    assert get(f"{scheme}{space}{token}{end}").status_code == 200


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Basic YTpi",
        "Token abc",
        "Bearertoken",
        "Bearer\ttoken",
        "Bearer,token",
        "DPoP token",
        "\xe9\xff",
        "Basic YTpi, Bearer token",
    ],
    ids=ascii,
)
def test_without_a_bearer_token_the_challenge_has_no_error(header: str | None) -> None:
    response = get(header)
    assert_problem(response, 401, "not-authenticated")
    assert response.headers["WWW-Authenticate"] == BARE


@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    "credentials",
    [
        "x",
        "a.b.c",
        "e30.e30.",
        "null",
        "x" * 100_000,
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_rubbish_is_refused(credentials: str) -> None:
    refused(get(f"Bearer {credentials}"))


def malformed(response: Any) -> None:
    assert_problem(response, 400, "invalid-authorization")
    assert response.headers["WWW-Authenticate"] == f'{BARE}, error="invalid_request"'


@pytest.mark.compliance("RFC 6750", "2.1")
@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    "credentials",
    ["", " ", "\xe9\xff", "\xe9.\xe9.\xe9", "a\0b", "," * 1000, "=", "a=b", '"a"'],
    ids=lambda value: ascii(value)[:12],
)
def test_what_is_no_token_is_no_request(credentials: str) -> None:
    malformed(get(f"Bearer {credentials}"))


def test_bearer_alone_is_no_request() -> None:
    malformed(get("Bearer"))
    malformed(get("bearer"))


@pytest.mark.compliance("RFC 6750", "2")
def test_a_token_is_taken_from_the_header_once_and_from_nowhere_else(
    oidc_issuer: InMemoryIssuer,
) -> None:
    token = oidc_issuer.signed_token("robot", client_id="robot")
    malformed(get(f"Bearer {token}, Bearer {token}"))
    malformed(get(f"Bearer {token},Bearer {token}"))
    malformed(get(f"Bearer {token},{token}"))
    malformed(get(f"Bearer {token} {token}"))
    malformed(get(f"Bearer {token}", f"/me/?access_token={token}"))
    malformed(get(f"Bearer {token}", "/me/?access_token="))
    assert_problem(get(None, f"/me/?access_token={token}"), 401, "not-authenticated")


@pytest.mark.django_db
def test_a_refused_token_is_refused_where_none_is_needed() -> None:
    refused(get("Bearer x", "/open/"))


@pytest.mark.django_db
def test_other_credentials_are_left_to_other_classes(
    oidc_issuer: InMemoryIssuer,
) -> None:
    User.objects.create_user("alice", password="b")
    assert get("Basic YWxpY2U6Yg==", "/either/").json()["user"] == "alice"
    wrong = get("Basic YWxpY2U6eA==", "/either/")
    assert_problem(wrong, 401, "invalid-credentials")
    # Every scheme that the view takes, whichever was tried (RFC 9110 11.6.1).
    assert wrong.headers["WWW-Authenticate"] == f'{BARE}, Basic realm="api"'
    offered = get("Bearer x", "/either/").headers["WWW-Authenticate"]
    assert offered == f'{INVALID}, Basic realm="api"'
    robot = oidc_issuer.authorization("robot", client_id="robot")
    assert get(robot, "/either/").json()["user"] == "robot"


# What a refusal tells, and to whom.


def tampered(token: str) -> str:
    return token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")


#: Each way to be refused, its reason, and whether the issuer is known by then.
REFUSALS: list[tuple[str, Callable[[InMemoryIssuer], str], Reason, bool]] = [
    ("too large", lambda _: "x" * 20_000, Reason.TOO_LARGE, False),
    ("malformed", lambda _: "x", Reason.MALFORMED, False),
    (
        "issuer",
        lambda i: i.signed_token(iss="https://evil.test"),
        Reason.ISSUER,
        False,
    ),
    ("no issuer", lambda i: i.signed_token(iss=None), Reason.ISSUER, False),
    ("type", lambda i: i.signed_token(headers={"typ": "JWT"}), Reason.TYPE, True),
    ("crit", lambda i: i.signed_token(headers={"crit": ["x"]}), Reason.HEADER, True),
    (
        "kid",
        lambda i: i.signed_token(headers={"kid": "x"}),
        Reason.KEY_UNKNOWN,
        True,
    ),
    ("signature", lambda i: tampered(i.signed_token()), Reason.SIGNATURE, True),
    ("missing", lambda i: i.signed_token(jti=None), Reason.CLAIM_MISSING, True),
    ("invalid", lambda i: i.signed_token("a\0"), Reason.CLAIM_INVALID, True),
    ("audience", lambda i: i.signed_token(aud="other"), Reason.AUDIENCE, True),
    ("expired", lambda i: i.signed_token(lifetime=-60), Reason.EXPIRED, True),
    ("ahead", lambda i: i.signed_token(nbf=2**33), Reason.NOT_YET_VALID, True),
    ("subject", lambda i: i.signed_token("nobody"), Reason.SUBJECT, True),
]


@pytest.fixture
def rejected() -> Iterator[list[dict[str, Any]]]:
    """Collect what the signal tells."""
    told: list[dict[str, Any]] = []

    def listen(**arguments: Any) -> None:
        told.append(arguments)

    token_rejected.connect(listen)
    yield told
    token_rejected.disconnect(listen)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "reason", "known"),
    [pytest.param(*row[1:], id=row[0]) for row in REFUSALS],
)
def test_the_reason_goes_to_log_and_signal_and_the_token_nowhere(
    oidc_issuer: InMemoryIssuer,
    rejected: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    make: Callable[[InMemoryIssuer], str],
    reason: Reason,
    known: bool,
) -> None:
    token = make(oidc_issuer)
    with caplog.at_level(logging.DEBUG):
        refused(get(f"Bearer {token}"))
    (told,) = rejected
    issuer = oidc_issuer.issuer if known else None
    assert told["reason"] is reason
    assert told["issuer"] == issuer
    assert told["sender"] is JWTBearerAuthentication
    assert told["request"].path == "/me/"
    known_names = {"signal", "sender", "request", "reason", "issuer", "detail"}
    assert told.keys() == known_names
    line = f"Refused a token of {issuer}: {reason} ({told['detail']})"
    assert line in caplog.messages
    secrets = [part for part in token.split(".") if len(part) > 1]
    assert not any(secret in caplog.text for secret in secrets)


@pytest.mark.django_db
@pytest.mark.compliance("RFC 6750", "3.1")
def test_a_client_learns_nothing_from_a_refusal(oidc_issuer: InMemoryIssuer) -> None:
    answers = [get(f"Bearer {make(oidc_issuer)}") for _, make, _, _ in REFUSALS]
    seen = set()
    for answer in answers:
        refused(answer)
        document = answer.json()
        document.pop("instance")
        headers = dict(answer.headers)
        headers.pop("Content-Length", None)
        seen.add((str(sorted(document.items())), str(sorted(headers.items()))))
    assert len(seen) == 1


def test_a_listener_that_fails_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("listener")

    token_rejected.connect(fail)
    try:
        refused(get("Bearer secret-token"))
    finally:
        token_rejected.disconnect(fail)
    assert "secret-token" not in caplog.text


def test_a_good_token_is_not_in_the_log_either(
    oidc_issuer: InMemoryIssuer,
    rejected: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    settings.DRF_APIKIT = with_resolver(settings.DRF_APIKIT, "the_subject")
    token = oidc_issuer.signed_token()
    with caplog.at_level(logging.DEBUG):
        assert get(f"Bearer {token}").status_code == 200
    assert rejected == []
    assert token.split(".")[1] not in caplog.text


@override_settings(DRF_APIKIT={"AUTHENTICATION": {"REALM": "the ledger"}})
@pytest.mark.compliance("RFC 6750", "3")
def test_the_realm_is_a_setting() -> None:
    assert get(None).headers["WWW-Authenticate"] == 'Bearer realm="the ledger"'


# The settings.


class Stranger(ClientPrincipal):
    """What a project's own resolver may return."""


def the_subject(token: AccessToken) -> ClientPrincipal:
    return Stranger(token.issuer, f"{token.subject} by {token.client_id}")


def nobody(_token: AccessToken) -> None:
    return None


def broken(_token: AccessToken) -> None:
    raise RuntimeError("resolver")


def with_resolver(current: dict[str, Any], name: str) -> dict[str, Any]:
    own = {"PRINCIPAL_RESOLVER": f"{__name__}.{name}"}
    return {**current, "AUTHENTICATION": {**current["AUTHENTICATION"], **own}}


def test_a_project_decides_who_a_token_is(
    sign_in: SignIn, settings: Any, rejected: list[dict[str, Any]]
) -> None:
    settings.DRF_APIKIT = with_resolver(settings.DRF_APIKIT, "the_subject")
    answer = sign_in("alice", client_id="shop").get("/me/").json()
    assert (answer["user"], answer["kind"]) == ("alice by shop", "Stranger")
    settings.DRF_APIKIT = with_resolver(settings.DRF_APIKIT, "nobody")
    refused(sign_in("alice").get("/me/"))
    assert [told["reason"] for told in rejected] == [Reason.SUBJECT]


def test_a_report_of_an_error_of_the_project_does_not_show_the_token(
    oidc_issuer: InMemoryIssuer, settings: Any
) -> None:
    settings.DRF_APIKIT = with_resolver(settings.DRF_APIKIT, "broken")
    token = oidc_issuer.signed_token()
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(RuntimeError) as raised:
        JWTBearerAuthentication().authenticate(Request(request))
    ours = [
        entry for entry in raised.traceback if str(entry.path).endswith("/bearer.py")
    ]
    assert ours
    for entry in ours:
        assert token not in entry.frame.f_locals.values()


def test_without_issuers_every_token_is_refused(
    oidc_issuer: InMemoryIssuer, settings: Any
) -> None:
    settings.DRF_APIKIT = {}
    refused(get(oidc_issuer.authorization("robot", client_id="robot")))


# An issuer over HTTP.


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    memory = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": memory}
    with serving() as running:
        issuers = {running.url: running.settings}
        settings.DRF_APIKIT = {"AUTHENTICATION": {"ISSUERS": issuers}}
        yield running


@pytest.fixture
def robot(provider: Provider) -> str:
    """Give a good token that lives long enough for any clock."""
    return provider.token(sub="robot", client_id="robot", iat=0, exp=2**33)


@pytest.mark.django_db
def test_keys_come_from_the_provider(provider: Provider, robot: str) -> None:
    for _ in range(3):
        assert get(f"Bearer {robot}").json()["user"] == "robot"
    assert provider.fetches == 1


@pytest.mark.django_db
@pytest.mark.compliance("RFC 9110", "10.2.3")
def test_without_keys_a_token_is_not_judged(
    provider: Provider,
    robot: str,
    rejected: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.fail()
    for token in (robot, tampered(robot)):
        response = get(f"Bearer {token}")
        assert_problem(response, 503, "authentication-unavailable")
        assert 1 <= int(response.headers["Retry-After"]) <= 20
        assert "WWW-Authenticate" not in response.headers
        assert provider.url not in response.content.decode()
    assert rejected == []
    assert robot.split(".")[1] not in caplog.text
    assert provider.fetches == 0
    # Rubbish is still told from a token that cannot be judged.
    refused(get("Bearer x"))


# With DRF's own exception handler.


@pytest.fixture
def _plain_drf(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "rest_framework.views.exception_handler",
    }


@pytest.mark.usefixtures("_plain_drf")
def test_refusals_with_the_handler_of_drf() -> None:
    missing = get(None)
    assert missing.status_code == 401
    assert missing.headers["WWW-Authenticate"] == BARE
    bad = get("Bearer x")
    assert bad.status_code == 401
    assert bad.headers["WWW-Authenticate"] == INVALID
    assert bad.json() == {"detail": DETAIL}


@pytest.mark.usefixtures("_plain_drf")
def test_an_outage_with_the_handler_of_drf(provider: Provider, robot: str) -> None:
    provider.fail()
    response = get(f"Bearer {robot}")
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 20
    assert set(response.json()) == {"detail"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_plain_drf")
def test_a_missing_scope_with_the_handler_of_drf(sign_in: SignIn) -> None:
    response = sign_in().get("/scoped/")
    assert response.status_code == 403
    assert set(response.json()) == {"detail"}
    assert response.headers["WWW-Authenticate"] == (
        f'{BARE}, error="insufficient_scope", scope="notes:list notes:read"'
    )
