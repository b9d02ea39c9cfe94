"""What an operator sees of a failure: one signal, one record, one id."""

import json
import logging
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import got_request_exception
from django.db import IntegrityError, transaction
from django.test import AsyncClient, Client

from drf_apikit.testing import assert_problem
from tests.app.models import Author
from tests.problems.matrix.failures import UNHANDLED
from tests.problems.matrix.middleware import Trouble
from tests.problems.matrix.planted import MARK
from tests.problems.matrix.wire import Answer, Call

pytestmark = pytest.mark.django_db

Send = Callable[[Call], Answer]

#: Django asks `process_exception` about views and renderers, not about middleware.
ASKED = [f"/{kind}/{name}" for kind in ("raise", "plain") for name in UNHANDLED]
ASKED += [f"/rendered/{kind}" for kind in ("faulty", "opaque", "nan")]
NOT_ASKED = [f"/middleware/{where}" for where in ("request", "view", "response")]

SECURITY = {
    "/raise/suspicious": "django.security.SuspiciousOperation",
    "/raise/disallowed-redirect": "django.security.DisallowedRedirect",
    "/raise/too-big": "django.security.RequestDataTooBig",
    "/raise/too-many-files": "django.security.TooManyFilesSent",
    "/plain/suspicious": "django.security.SuspiciousOperation",
    "/plain/too-big": "django.security.RequestDataTooBig",
}


@pytest.fixture
def signals() -> Iterator[list[Any]]:
    got: list[Any] = []

    def receive(request: Any = None, **_: Any) -> None:
        got.append(request)

    got_request_exception.connect(receive)
    yield got
    got_request_exception.disconnect(receive)


@pytest.mark.parametrize("target", [*ASKED, *NOT_ASKED])
def test_an_unhandled_exception_is_told_of_once(
    target: str, send: Send, signals: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    document = assert_problem(send(Call(target)), 500, "server-error")
    [record] = records(caplog, logging.ERROR)
    assert record.name == "django.request"
    assert record.exc_info is not None
    assert vars(record)["problem_instance"] == document["instance"]
    assert len(signals) == 1
    assert len(Trouble.seen) == (target in ASKED)


@pytest.mark.parametrize(
    "target",
    ["/raise/not-found", "/raise/unique", "/secured", "/nowhere", "/echo?format=x"],
)
def test_a_clients_problem_is_no_error(
    target: str, send: Send, signals: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    document = json.loads(send(Call(target)).content)
    assert not signals
    assert not records(caplog, logging.ERROR)
    [record] = records(caplog, logging.WARNING)
    assert vars(record)["problem_instance"] == document["instance"]


@pytest.mark.parametrize("target", SECURITY)
def test_security_records_are_kept(
    target: str, send: Send, signals: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    document = json.loads(send(Call(target)).content)
    [record] = records(caplog, logging.ERROR)
    assert record.name == SECURITY[target]
    assert vars(record)["problem_instance"] == document["instance"]
    assert not signals


@pytest.mark.parametrize(
    ("call", "name", "status"),
    [
        pytest.param(
            Call("/echo", headers={"Host": "evil.invalid"}),
            "django.security.DisallowedHost",
            400,
            id="host",
        ),
        pytest.param(
            Call("/handmade", "POST", b"{}"), "django.security.csrf", 403, id="csrf"
        ),
        pytest.param(
            Call("/echo?" + "a=b&" * 2000),
            "django.security.TooManyFieldsSent",
            413,
            id="fields",
        ),
    ],
)
def test_refusals_outside_of_views_are_recorded(
    call: Call, name: str, status: int, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    answer = send(call)
    assert answer.status_code == status
    [record] = records(caplog, logging.WARNING)
    assert record.name == name
    instance = json.loads(answer.content)["instance"]
    assert vars(record)["problem_instance"] == instance


@pytest.mark.parametrize("kind", ["raise", "plain"])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("unexpected", RuntimeError),
        ("key-error", KeyError),
        ("does-not-exist-raised", Author.DoesNotExist),
        ("not-null", IntegrityError),
        ("group-unknown", ExceptionGroup),
    ],
)
def test_the_test_clients_raise_as_always(
    kind: str, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=MARK), transaction.atomic():
        Client().get(f"/{kind}/{name}")
    with pytest.raises(error, match=MARK), transaction.atomic():
        # As in a new process: without what earlier tests have left to each thread.
        Context().run(async_to_sync(AsyncClient().get), f"/{kind}/{name}")


@pytest.mark.parametrize("target", ["/raise/teapot", "/raise/suspicious", "/nowhere"])
def test_the_test_client_raises_nothing_that_is_answered(target: str) -> None:
    assert Client().get(target).status_code in {400, 404, 422}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/raise/not-found", 404),
        ("/raise/unexpected", 500),
        ("/nowhere", 404),
        ("/secured", 401),
        ("/rendered/faulty", 500),
        ("/middleware/view", 500),
    ],
)
def test_head_has_the_headers_alone(target: str, status: int) -> None:
    client = Client(raise_request_exception=False)
    got, headed = client.get(target), client.head(target)
    assert headed.status_code == got.status_code == status
    assert headed.content == b""
    assert headed.headers["Content-Length"] == str(len(got.content))
    assert {**got.headers, **headed.headers} == dict(headed.headers)
    assert headed.headers["Content-Type"] == "application/problem+json"


def records(caplog: pytest.LogCaptureFixture, level: int) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= level]
