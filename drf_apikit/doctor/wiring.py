"""Whether failures are answered with problem documents, provoked as far as can be."""

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponseBase
from django.test import RequestFactory
from django.urls import get_callable
from rest_framework.settings import api_settings

from drf_apikit.conf import apikit_settings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.doctor.system_checks import messages
from drf_apikit.problems.handler import exception_handler

__all__ = ["PROBE"]

_SETTINGS: Final = "wiring.settings"
_EXCEPTIONS: Final = "wiring.exception_handler"
_HANDLERS: Final = "wiring.handlers"
_CSRF: Final = "wiring.csrf"
_TYPES: Final = "wiring.types"
_NOT_FOUND: Final = "wiring.not_found"
_DEBUG: Final = "wiring.debug"

_PROBLEM: Final = "application/problem+json"
_MODULE: Final = "drf_apikit.problems.django_handlers"
_LOG: Final = "See the log for what has failed."
_REMEDIES: Final = {
    400: "Name the hosts of this project in ALLOWED_HOSTS.",
    404: f"Import handler404 from {_MODULE} in the root URL configuration, or see which"
    " middleware answers in its place.",
}


def _examinations(_: Context) -> Iterator[Examination]:
    yield Examination("project", _findings)


def _findings() -> Iterator[Finding]:
    subject = Subject("project")
    faults = apikit_settings.faults()
    for fault in faults:
        yield subject.risk(_SETTINGS, fault.message, fault.hint)
    if faults:
        # Nothing else can be told where these cannot be read.
        return
    yield subject.ok(_SETTINGS, "DRF_APIKIT can be read.")
    yield from _debug(subject)
    if api_settings.EXCEPTION_HANDLER is not exception_handler:
        seen = "EXCEPTION_HANDLER is another one: this project has its own answers."
        yield subject.skipped(_EXCEPTIONS, seen)
        return
    yield subject.ok(_EXCEPTIONS, "EXCEPTION_HANDLER is that of drf_apikit.")
    yield from _checked(subject)
    yield _csrf(subject)
    yield _not_found(subject)


def _debug(subject: Subject) -> Iterator[Finding]:
    if settings.DEBUG:
        yield subject.risk(
            _DEBUG,
            "DEBUG is on: Django shows its own pages, with the settings of the project,"
            " and never calls the error views.",
            "Set DEBUG = False wherever anybody else can ask.",
        )
    else:
        yield subject.ok(_DEBUG, "DEBUG is off.")


def _checked(subject: Subject) -> Iterator[Finding]:
    """Tell what the system checks know."""
    for finding, ids, good in (
        (_HANDLERS, ["drf_apikit.W001"], "The error views are those of drf_apikit."),
        (_TYPES, ["drf_apikit.E006", "drf_apikit.W003"], "Each `type` has a page."),
    ):
        found = messages("checks.wiring", *ids)
        for message in found:
            yield subject.risk(finding, message.msg, message.hint or "")
        if not found:
            yield subject.ok(finding, good)


def _csrf(subject: Subject) -> Finding:
    """Call the view that Django calls where a request is refused."""
    if not any(name.endswith("CsrfViewMiddleware") for name in settings.MIDDLEWARE):
        return subject.ok(_CSRF, "There is no CsrfViewMiddleware.")
    request = _request("POST")
    kind = seen = ""
    with Attempt() as attempt:
        view = get_callable(settings.CSRF_FAILURE_VIEW)
        kind = _kind(view(request, reason="asked for by apikit_doctor"))
        seen = f"A CSRF failure at {request.path} is answered with {kind}."
    if kind == _PROBLEM:
        return subject.ok(_CSRF, seen)
    remedy = f"Set CSRF_FAILURE_VIEW = '{_MODULE}.csrf_failure'."
    return subject.risk(_CSRF, attempt.failure or seen, remedy)


def _not_found(subject: Subject) -> Finding:
    """Ask for what is not there, through all middleware."""
    if settings.DEBUG:
        return subject.skipped(_NOT_FOUND, "With DEBUG Django answers by itself.")
    request, handler = _request("GET"), BaseHandler()
    told = partial(subject.risk, _NOT_FOUND)
    with Attempt() as attempt:
        handler.load_middleware()
        response = handler.get_response(request)
        response.close()
    if attempt.failure:
        remedy = "Mend the middleware that raises this."
        return told(f"GET {request.path} raises {attempt.failure}", remedy)
    status, kind = response.status_code, _kind(response)
    seen = f"GET {request.path} is answered {status} with {kind}."
    if kind == _PROBLEM and status in {401, 403, 404}:
        return subject.ok(_NOT_FOUND, seen)
    if status < 400:
        return subject.skipped(_NOT_FOUND, f"{seen} Something answers for all paths.")
    return told(seen, _REMEDIES.get(status, _LOG))


def _request(method: str) -> HttpRequest:
    """Make a request of a client for what no project has."""
    paths = apikit_settings.problems.paths
    path = min(paths) if paths else "/"
    separator = "" if path.endswith("/") else "/"
    name = f"{path}{separator}apikit-doctor-{secrets.token_hex(8)}"
    # As what a proxy in front would say, so that nothing redirects to https.
    request = RequestFactory().generic(method, name, secure=True)
    told = dict([settings.SECURE_PROXY_SSL_HEADER or ("HTTPS", "on")])
    request.META.update({"HTTP_ACCEPT": _PROBLEM, "HTTP_HOST": _host(), **told})
    return request


def _host() -> str:
    """Give a host that this project answers to."""
    hosts = [name.removeprefix(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return hosts[0] if hosts else "localhost"


def _kind(response: HttpResponseBase) -> str:
    kind: Any = response.headers.get("Content-Type", "nothing")
    return str(kind).partition(";")[0]


PROBE: Final = Probe(
    "wiring",
    "The ways into problem documents, for projects with our EXCEPTION_HANDLER: one"
    " request is really made, and one error view really called.",
    {
        _SETTINGS: "DRF_APIKIT has no faults",
        _DEBUG: "DEBUG is off",
        _EXCEPTIONS: "EXCEPTION_HANDLER is ours",
        _HANDLERS: "handler400, 403, 404 and 500 are ours (`drf_apikit.W001`)",
        _TYPES: "`type` URIs are unique and lead to a page (`drf_apikit.E006`, `W003`)",
        _CSRF: "CSRF_FAILURE_VIEW answers with a problem when it is called",
        _NOT_FOUND: "a request under PROBLEMS.PATHS for what is not there is answered"
        " with a problem, through all middleware",
    },
    _examinations,
)
