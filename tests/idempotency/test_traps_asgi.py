"""Bodies of which nobody has told the length, as HTTP/1.1 and HTTP/2 allow."""

import io
from typing import Any, Final

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponseBase
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import force_authenticate
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import person
from tests.idempotency.matrix_world import told

FORM: Final = "application/x-www-form-urlencoded"

pytestmark = [pytest.mark.django_db, pytest.mark.compliance("RFC 9112", "7.1")]


class Raw(APIView):
    """Reads the body itself."""

    permission_classes = [AllowAny]
    parser_classes = [JSONParser, MultiPartParser]

    @idempotent(required=True)
    def post(self, request: Request) -> HttpResponseBase:
        Article.objects.create(title="effect")
        return Response({"octets": len(request._request.body)}, status=201)


@pytest.fixture
def ada() -> Any:
    return person("ada")


def send(user: Any, body: bytes, media_type: str, **headers: str) -> Any:
    own = {
        "content-type": media_type,
        "transfer-encoding": "chunked",
        "idempotency-key": "key-1",
        "host": "testserver",
        **headers,
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/raw/",
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in own.items()],
    }
    request = ASGIRequest(scope, io.BytesIO(body))
    force_authenticate(request, user)
    return Raw.as_view()(request)


@pytest.mark.parametrize("media_type", ["application/json", FORM, "text/plain"])
def test_another_payload_is_seen_although_its_length_was_not_told(
    media_type: str, ada: Any
) -> None:
    first = send(ada, b'{"pay": 1}', media_type)
    assert (told(first), first.data) == ("201", {"octets": 10})
    assert told(send(ada, b'{"pay": 1}', media_type)) == "201 replayed"
    other = send(ada, b'{"pay": 999}', media_type)
    assert_problem(other, 422, "idempotency-key-reused")
    assert_problem(send(ada, b"", media_type), 422, "idempotency-key-reused")
    assert Article.objects.count() == 1


def test_what_has_a_length_is_compared_as_it_was_parsed(ada: Any) -> None:
    bodies = (b'{"pay": 1}', b'{ "pay":1 }')
    answers = [
        send(ada, body, "application/json", **{"content-length": str(len(body))})
        for body in bodies
    ]
    assert [told(answer) for answer in answers] == ["201", "201 replayed"]
