"""What the benchmark of idempotency calls: views, peers, and the SQL beneath.

Every view does the same: it inserts an article and answers 201. Each call is a
request of the same user, with a key of its own or with one that has been used.
"""

import itertools
import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent
from drf_apikit.idempotency.claims import Kept
from drf_apikit.idempotency.fingerprint import fingerprint
from drf_apikit.models import IdempotencyRecord
from tests.app.models import Article
from tests.benchmarks.harness import respond
from tests.benchmarks.idempotency_costs import Statement

__all__ = [
    "KILOBYTE",
    "PEERS",
    "SMALL",
    "Call",
    "Floor",
    "Payload",
    "Plain",
    "Protected",
    "ProtectedDetail",
    "digest",
    "floors",
    "installed",
    "joined",
    "parse",
    "peer_view",
    "send",
    "upload",
]

FACTORY: Final = APIRequestFactory()
PARSERS: Final = (JSONParser, MultiPartParser)
#: One of the peers takes nothing but UUIDs.
KEYS: Final = (str(UUID(int=number)) for number in itertools.count(1))
#: By the names that pip has for them.
PEERS: Final = {
    "drf-idempotency": "drf_idempotency",
    "djangorestframework-idempotency-key": "rest_framework_idempotency_key",
}

Call = Callable[[], Any]
View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request."""

    content: bytes
    content_type: str = "application/json"

    def request(self, key: str) -> Any:
        headers = {"Idempotency-Key": key}
        # It takes octets as they are; its stubs say text.
        content: Any = self.content
        return FACTORY.generic("POST", "/", content, self.content_type, headers=headers)


def _json(**members: Any) -> Payload:
    return Payload(json.dumps({"title": "An article", **members}).encode())


SMALL: Final = _json(score=4, tags=["a", "b"])
KILOBYTE: Final = _json(lines=[{"sku": f"A-{n:04}", "count": n} for n in range(32)])


class Plain(APIView):
    """The answer says again what came as JSON."""

    permission_classes = ()
    parser_classes = PARSERS

    def post(self, request: Request) -> Response:
        data: Any = request.data
        article = Article.objects.create(title=data["title"])
        told = {"title": article.title} if request.FILES else data
        return Response({**told, "id": article.pk}, status=201)


class Protected(Plain):
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        return super().post(request)


class ProtectedDetail(GenericAPIView[Article]):
    """A replay asks for the object as well."""

    permission_classes = ()
    queryset = Article.objects.all()

    @idempotent(required=True)
    def post(self, _request: Request, **_kwargs: Any) -> Response:
        return Response({"id": self.get_object().pk})


@dataclass(frozen=True, slots=True)
class Floor:
    """Statements as the driver sends them; with a new scope for this one each time."""

    statements: Sequence[Statement]
    scope: str = ""

    def __call__(self) -> list[Any]:
        fresh, found = secrets.token_hex(32), []
        with closing(connection.create_cursor()) as cursor:
            for statement in self.statements:
                given = statement.parameters
                if self.scope and given:
                    given = [fresh if value == self.scope else value for value in given]
                cursor.execute(statement.sql, given)
                if cursor.description:
                    found += cursor.fetchall()
        return found


def send(
    view: View,
    user: User,
    payload: Payload = SMALL,
    *,
    key: str | None = None,
    **kwargs: Any,
) -> Call:
    """Make a request with this key, or with a new one each time."""

    def call() -> Any:
        request = payload.request(key or next(KEYS))
        force_authenticate(request, user)
        return respond(view, request, **kwargs)

    return call


def upload(size: int = 10 * 1024 * 1024) -> Payload:
    file = SimpleUploadedFile("scan.bin", secrets.token_bytes(size))
    form = {"title": "An article", "scan": file}
    return Payload(encode_multipart(BOUNDARY, form), MULTIPART_CONTENT)


def joined(view: View) -> View:
    """Call a view as Django does with ATOMIC_REQUESTS."""
    inside = transaction.atomic(view)

    def call(request: Any, **kwargs: Any) -> Any:
        settings = connection.settings_dict
        settings["ATOMIC_REQUESTS"] = True
        try:
            return inside(request, **kwargs)
        finally:
            settings["ATOMIC_REQUESTS"] = False

    return call


def parse(payload: Payload) -> Any:
    return _made(payload).data


def digest(payload: Payload) -> str:
    return fingerprint(_made(payload), "key")


def _made(payload: Payload) -> Request:
    return Request(payload.request("key"), parsers=[made() for made in PARSERS])


def installed() -> list[str]:
    """Name the peers that are there."""
    return [name for name, module in PEERS.items() if find_spec(module)]


def peer_view(name: str) -> View:
    """Put a peer around the view, as it says that it is to be used."""
    module = PEERS[name]
    middleware = import_module(f"{module}.middleware")
    if name == "drf-idempotency":
        view = transaction.atomic(Plain.as_view())
        return cast("View", middleware.IdempotencyMiddleware(partial(respond, view)))
    # It has a transaction of its own around the handler.
    protect = import_module(f"{module}.decorators").simple_idempotency_key_method
    keyed: Any = type("Keyed", (Plain,), {"post": protect(Plain.post)})
    handle = partial(respond, keyed.as_view())
    return cast("View", middleware.IdempotencyKeyMiddleware(handle))


def floors(first: Sequence[Statement]) -> dict[str, Floor]:
    """Give what nobody can do without, out of the statements of a first run."""
    claim, *effects, _ = first
    scope = next(iter(claim.parameters or ()))
    kept = IdempotencyRecord.objects.filter(pk=scope).values_list(*Kept.__annotations__)
    read = Statement(*kept.query.sql_with_params())
    return {
        "raw SQL, unprotected": Floor(_whole(effects)),
        "raw SQL, first run": Floor(_whole(first), scope),
        "raw SQL, replay": Floor([read]),
    }


def _whole(statements: Sequence[Statement]) -> list[Statement]:
    begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
    return [Statement(begin, None), *statements, Statement("COMMIT", None)]
