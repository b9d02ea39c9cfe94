"""With the real Sentry SDK: see `test_occurrence.py`."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from drf_apikit.logs import INSTANCE_ATTRIBUTE
from drf_apikit.problems.middleware import ProblemInstanceMiddleware


def respond(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize("fails", [True, False])
def test_only_what_has_failed_gets_an_id(fails: bool) -> None:
    request = RequestFactory().get("/")
    middleware = ProblemInstanceMiddleware(respond)
    assert isinstance(middleware(request), HttpResponse)
    if fails:
        middleware.process_exception(request, LookupError())
    assert hasattr(request, INSTANCE_ATTRIBUTE) is fails
