"""The whole attack matrix, through the whole stack, with either exception handler."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import pytest
from django.core.handlers.asgi import ASGIRequest
from rest_framework.test import APIClient

from drf_apikit.jose import Reason
from drf_apikit.signals import token_rejected
from drf_apikit.testing import assert_problem
from tests.authentication.attacks import CASES
from tests.authentication.attacks.cases import ME, Case, Outcome, World
from tests.authentication.attacks.header import MARK
from tests.authentication.urls import WhoAmIView
from tests.jose.minting import AUDIENCE, ISSUER, KEY_OF, public_jwk
from tests.oidc.provider import Provider, serving

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.authentication.urls"),
]

BARE: Final = 'Bearer realm="api"'
DETAIL: Final = "The access token is malformed, expired, revoked or not for this API."
#: All that a client ever learns about a token that is refused.
REFUSED: Final = {
    "type": "/problems/invalid-token",
    "title": "Invalid access token",
    "status": 401,
    "detail": DETAIL,
}
JWKS: Final = {"keys": [public_jwk(kind) for kind in sorted(set(KEY_OF.values()))]}
PLAIN: Final = "rest_framework.views.exception_handler"
#: Parts of a token that are shorter are found anywhere.
SHORT: Final = 12


@pytest.fixture(scope="module")
def canary() -> Iterator[Provider]:
    """Serve what would make the attacker's tokens good, if anybody asked for it."""
    with serving() as running:
        running.publish(public_jwk("other P-256", kid="P-256"))
        yield running


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Collect the headers of refusals, which are all the same."""
    return set()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as running:
        yield running


@pytest.fixture
def reasons() -> Iterator[list[Reason]]:
    """Collect what the signal tells."""
    told: list[Reason] = []

    def listen(reason: Reason, **_: Any) -> None:
        told.append(reason)

    token_rejected.connect(listen)
    yield told
    token_rejected.disconnect(listen)


class Stage:
    """Sends a case to an API that trusts its issuer alone, and gives the answer."""

    def __init__(
        self,
        request: pytest.FixtureRequest,
        settings: Any,
        canary: Provider,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self._request = request
        self._settings = settings
        self._canary = canary
        self._caplog = caplog
        dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
        settings.CACHES = {"default": dummy}

    def play(self, case: Case) -> Any:
        world, options = self._world(case), dict(case.options)
        if "TOKEN_PROFILE" not in options:
            options.setdefault("AUDIENCE", AUDIENCE)
        if case.arrange is None:
            options["JWKS"] = JWKS
        else:
            provider = self._request.getfixturevalue("provider")
            options["INSECURE_LOOPBACK_HTTP"] = True
            case.arrange(provider, world)
        section = {"ISSUERS": {world.issuer: options}, "FETCH_TIMEOUT": 1}
        # What is sent again is remembered where it was good, and only there.
        section["TOKEN_CACHE_SIZE"] = 10
        self._settings.DRF_APIKIT = {"AUTHENTICATION": section}
        self._token = case.make(world)
        self._sent = case.send(self._token)
        return self._send()

    def again_with_the_handler_of_drf(self) -> Any:
        """Send the same once more."""
        framework = {**self._settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": PLAIN}
        self._settings.REST_FRAMEWORK = framework
        return self._send()

    def _world(self, case: Case) -> World:
        issuer = case.issuer or ISSUER
        if case.arrange is not None:
            issuer = self._request.getfixturevalue("provider").url
        return World(issuer, self._canary.url, int(time.time()))

    def _send(self) -> Any:
        authorization, url = self._sent
        client = APIClient(raise_request_exception=False)
        headers = {} if authorization is None else {"Authorization": authorization}
        with self._caplog.at_level(logging.DEBUG):
            response = client.get(url, headers=headers)
        self._nothing_leaks()
        return response

    def _nothing_leaks(self) -> None:
        """See that the log has no part of the token, and nobody asks the attacker."""
        text, parts = self._caplog.text, self._token.split(".")
        assert MARK not in text
        assert not [part for part in parts if len(part) > SHORT and part in text]
        assert self._canary.requests == []


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    settings: Any,
    canary: Provider,
    caplog: pytest.LogCaptureFixture,
) -> Stage:
    return Stage(request, settings, canary, caplog)


def judge(case: Case, response: Any, reasons: list[Reason], seen: set[str]) -> None:
    """See that the answer is what is expected, to the letter."""
    challenge = response.headers.get("WWW-Authenticate")
    match case.expected:
        case Outcome.ACCEPTED:
            assert (response.status_code, reasons) == (200, [])
            assert challenge is None
        case Outcome.NO_REQUEST:
            assert_problem(response, 400, "invalid-authorization")
            assert challenge == f'{BARE}, error="invalid_request"'
            assert reasons == []
        case Outcome.NO_CREDENTIALS:
            assert_problem(response, 401, "not-authenticated")
            assert (challenge, reasons) == (BARE, [])
        case Outcome.UNAVAILABLE:
            assert_problem(response, 503, "authentication-unavailable")
            assert int(response.headers["Retry-After"]) >= 1
            assert (challenge, reasons) == (None, [])
        case _:
            refused(response, seen)
            allowed = case.expected
            several = allowed if isinstance(allowed, frozenset) else {allowed}
            assert len(reasons) == 1
            assert reasons[0] in several


def refused(response: Any, seen: set[str]) -> None:
    """See that it is the very answer that all other tokens get."""
    document = assert_problem(response, 401, "invalid-token")
    document.pop("instance")
    assert document == REFUSED
    headers = dict(response.headers)
    assert headers["WWW-Authenticate"] == f'{BARE}, error="invalid_token"'
    headers.pop("Content-Length", None)
    seen.add(str(sorted(headers.items())))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=case.name, marks=pytest.mark.compliance(case.spec, case.section)
        )
        for case in CASES
    ],
)
def test_no_bad_token_passes_and_no_good_one_is_refused(
    stage: Stage, reasons: list[Reason], seen: set[str], case: Case
) -> None:
    judge(case, stage.play(case), reasons, seen)
    plain = stage.again_with_the_handler_of_drf()
    if isinstance(case.expected, Outcome):
        assert plain.status_code == case.expected.value
    else:
        assert plain.status_code == 401
        assert plain.json() == {"detail": DETAIL}


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    outcomes = Counter(case.expected is Outcome.ACCEPTED for case in CASES)
    assert outcomes[False] >= 140
    assert outcomes[True] >= 15
    assert len({case.name for case in CASES}) == len(CASES)
    # An ID token alone is bound to a login.
    wanted = {*Outcome, *Reason} - {Reason.BINDING}
    assert {case.expected for case in CASES} >= wanted


@pytest.mark.compliance("RFC 6750", "2")
def test_two_headers_are_one_malformed_request(settings: Any) -> None:
    """As an ASGI server hands them over: each by itself."""
    token = World(ISSUER, "", int(time.time())).token()
    issuers = {ISSUER: {"AUDIENCE": AUDIENCE, "JWKS": JWKS}}
    settings.DRF_APIKIT = {"AUTHENTICATION": {"ISSUERS": issuers}}

    def sent(*values: str) -> int:
        headers = [(b"authorization", value.encode()) for value in values]
        scope = {"type": "http", "method": "GET", "path": ME, "headers": headers}
        request = ASGIRequest({**scope, "query_string": b""}, BytesIO())
        return int(WhoAmIView.as_view()(request).status_code)

    good = f"Bearer {token}"
    assert sent(good) == 200
    assert sent(good, good) == 400
    assert sent(good, "Bearer x") == 400
    assert sent("Basic YTpi", good) == 401
