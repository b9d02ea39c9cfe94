"""One occurrence of a problem: its id, and where else that id is to be found."""

import sys
import uuid
from typing import Any

from drf_apikit.http.traces import parse_trace_id
from drf_apikit.logs import INSTANCE_ATTRIBUTE, django_request

__all__ = ["identify", "trace_of"]


def identify(request: Any = None) -> str:
    """Give the `instance` of the request's problem: the same at every call.

    A `urn:uuid:`, opaque as RFC 9457 section 3.1.5 allows. Where Sentry is in
    use, its event gets the id as the tag `problem_instance`.
    """
    request = django_request(request)
    known = getattr(request, INSTANCE_ATTRIBUTE, None)
    if known is not None:
        return str(known)
    instance = uuid.uuid4().urn
    if request is not None:
        setattr(request, INSTANCE_ATTRIBUTE, instance)
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        sentry.set_tag("problem_instance", instance)
    return instance


def trace_of(request: Any) -> str | None:
    """Give the trace that the request is part of (W3C Trace Context)."""
    header = getattr(django_request(request), "META", {}).get("HTTP_TRACEPARENT")
    return parse_trace_id(header) if header else None
