import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.test import APIClient

from drf_apikit.problem_types import BAD_REQUEST
from drf_apikit.problems import problem_response
from drf_apikit.problems.occurrence import identify, trace_of
from drf_apikit.testing import assert_problem

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


ROOT = Path(__file__).resolve().parent.parent.parent
#: In a process of its own, since the SDK patches Django for good.
SENTRY = """
import json

import django
import sentry_sdk
from sentry_sdk.transport import Transport

events = []


class Collecting(Transport):
    def capture_envelope(self, envelope):
        event = envelope.get_event()
        if event is not None:
            events.append(event)


sentry_sdk.init(dsn="https://key@sentry.example/1", transport=Collecting())
django.setup()

from django.conf import settings
from django.http import Http404
from rest_framework.test import APIClient

from tests.problems.views import Failing, Plain

settings.ROOT_URLCONF = "tests.problems.urls"
settings.ALLOWED_HOSTS = ["testserver"]
settings.MIDDLEWARE = [
    *settings.MIDDLEWARE,
    "drf_apikit.problems.middleware.ProblemInstanceMiddleware",
]
client = APIClient(raise_request_exception=False)
instances = []
for error in (LookupError("secret"), Http404(), LookupError("another")):
    Failing.fail = staticmethod(lambda: error)
    instances.append(client.get("/failing/").json()["instance"])
def act(request):
    raise LookupError("plain")


Plain.act = staticmethod(act)
answer = client.get("/plain/", headers={"Accept": "application/json"})
instances.append(answer.json()["instance"])
tags = [event["tags"]["problem_instance"] for event in events]
print(json.dumps([instances, tags]))
"""


@pytest.mark.compliance("RFC 9457", "3.1.5")
def test_a_request_has_one_instance() -> None:
    request = RequestFactory().get("/")
    first = identify(request)
    assert identify(request) == identify(Request(request)) == first
    assert uuid.UUID(first).version == 4
    assert first.startswith("urn:uuid:")
    assert identify(RequestFactory().get("/")) != first


def test_without_a_request_each_is_another() -> None:
    assert identify() != identify(None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [(PARENT, TRACE), (None, None), ("", None), (PARENT.upper(), None), ("x", None)],
)
@pytest.mark.parametrize("wrap", [lambda r: r, Request], ids=["Django's", "DRF's"])
def test_the_trace_of_a_request(
    header: str | None, expected: str | None, wrap: Any
) -> None:
    headers = {} if header is None else {"traceparent": header}
    request = RequestFactory().get("/", headers=headers)
    assert trace_of(wrap(request)) == expected


def test_no_request_has_no_trace() -> None:
    assert trace_of(None) is None


@pytest.mark.urls("tests.problems.urls")
def test_the_document_has_the_trace_of_the_client() -> None:
    client = APIClient(headers={"traceparent": PARENT})
    assert_problem(client.get("/nowhere/"), 404, "not-found", trace_id=TRACE)
    bad = APIClient(headers={"traceparent": "00-<script>"})
    assert "trace_id" not in bad.get("/nowhere/").json()


def test_sentry_has_the_instance_of_what_is_unhandled_and_of_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SENTRY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        },
    )
    assert done.returncode == 0, done.stderr
    (first, _, third, plain), tags = json.loads(done.stdout)
    assert tags == [first, third, plain]


@pytest.mark.parametrize("present", [True, False])
def test_sentry_is_not_needed(present: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if present:
        monkeypatch.setitem(sys.modules, "sentry_sdk", sentry_sdk)
    else:
        monkeypatch.delitem(sys.modules, "sentry_sdk")
    assert identify(RequestFactory().get("/")).startswith("urn:uuid:")


def test_a_returned_problem_has_the_instance_of_the_request() -> None:
    request = RequestFactory().get("/")
    response = problem_response(BAD_REQUEST, request=request)
    assert response.document["instance"] == identify(request)
