"""Private keys of clients that cannot be used, and what is shown of them."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import ExceptionReporter

from drf_apikit.clients import ClientCredentials
from drf_apikit.jose import KeySetError
from drf_apikit.jose.signing import load_signing_key
from tests.clients.conftest import NAME, World
from tests.clients.servers import Endpoint

BODY = "MIIgCanaryOfAPrivateKeyThatIsOfNoUse"
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n"
PATH = f"DRF_APIKIT['CLIENTS']['CREDENTIALS']['{NAME}']['PRIVATE_KEY']"


def told_of(call: Callable[[], object], error: type[Exception]) -> tuple[str, str]:
    """Give the text of an error, and all that reports show, but for this test."""
    with pytest.raises(error) as caught:
        call()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "drf_apikit" in frame.f_code.co_filename]
    assert ours
    shown = [repr(list(frame.f_locals.items())) for frame in ours]
    report: Any = ExceptionReporter(None, caught.type, caught.value, caught.tb)
    return str(caught.value), "".join([*shown, report.get_traceback_html()])


def as_key(world: World) -> ClientCredentials:
    world.configure(AUTH_METHOD="private_key_jwt", PRIVATE_KEY=PEM)
    return ClientCredentials(NAME)


def test_a_key_that_cannot_be_used_is_a_fault_of_the_settings(world: World) -> None:
    credentials = as_key(world)
    for _ in range(2):
        told, shown = told_of(credentials.access_token, ImproperlyConfigured)
        reason = "no private key in PEM without a password"
        assert told == f"{PATH} cannot be used: {reason}."
        assert BODY not in shown


def test_a_key_is_not_shown_by_whoever_loads_it() -> None:
    told, shown = told_of(lambda: load_signing_key(PEM), KeySetError)
    assert told == "no private key in PEM without a password"
    assert BODY not in shown


def test_a_key_that_is_not_used_is_not_loaded(world: World, endpoint: Endpoint) -> None:
    world.configure(PRIVATE_KEY=PEM, AUTH_METHOD="client_secret_post")
    assert ClientCredentials(NAME).access_token() == "token-1"
    assert endpoint.asked[-1].form["client_secret"]
    world.settle()
