"""A protected view, and a process that asks it when it is told to.

All processes are forked from one in which Django is loaded; each has a connection
to the database of its own.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections
from django.test import Client
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.idempotency import idempotent
from tests.app.models import Article

__all__ = [
    "ENTERED",
    "PROTECTED",
    "READY",
    "UNPROTECTED",
    "Database",
    "Order",
    "Told",
    "live",
]

PROTECTED: Final = "/protected"
UNPROTECTED: Final = "/unprotected"
ATOMIC: Final = "ATOMIC_REQUESTS"

#: What a process says: it waits for the start; it is in the view, and waits there.
READY: Final = "ready"
ENTERED: Final = "entered"


@dataclass(frozen=True, slots=True)
class Database:
    """The settings of the database to use from now on; None: leave it."""

    settings: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Order:
    """One request; `held`: its view waits until it is let go."""

    path: str
    key: str
    mark: str
    held: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What came back, and after how long."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def replayed(self) -> bool:
        """Whether the view did not run for it."""
        return "Idempotent-Replayed" in self.headers

    @property
    def said(self) -> tuple[int, str | None, bytes]:
        """What a repetition has in common with it."""
        return self.status, self.headers.get("Location"), self.body


class Process:
    """What the view knows of the process that it is in."""

    pipe: Connection
    entries: int

    def enter(self, mark: str, *, held: bool) -> None:
        """Note that the view was entered, where no rollback removes it."""
        os.write(self.entries, f"{mark}\n".encode())
        if held:
            self.pipe.send(ENTERED)
            self.pipe.recv()


class Somebody(BaseAuthentication):
    def authenticate(self, _request: Request) -> tuple[User, None]:
        return User(pk=1), None


class Protected(APIView):
    """Makes a row that bears the mark."""

    authentication_classes = [Somebody]
    permission_classes = [AllowAny]

    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        return make(request)


class Unprotected(Protected):
    """The same without a record: this makes many rows."""

    def post(self, request: Request) -> Response:
        return make(request)


def make(request: Request) -> Response:
    wanted: Any = request.data
    row = Article.objects.create(title=wanted["mark"])
    process.enter(wanted["mark"], held=wanted["held"])
    place = f"/articles/{row.pk}"
    return Response({"id": row.pk}, status=201, headers={"Location": place})


def live(pipe: Connection, gate: Connection, entries: Path) -> None:
    """Do what comes through the pipe, until nothing can come any more."""
    # Each 409 is one.
    logging.disable(logging.WARNING)
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    process.pipe = pipe
    process.entries = os.open(entries, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    client = Client(raise_request_exception=False)
    for order in _orders(pipe):
        if isinstance(order, Database):
            _connect(order.settings)
            pipe.send(READY)
            continue
        pipe.send(READY)
        os.read(gate.fileno(), 1)
        pipe.send(_ask(client, order))


def _orders(pipe: Connection) -> Iterator[Any]:
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


def _connect(database: dict[str, Any] | None) -> None:
    used = connections.settings[DEFAULT_DB_ALIAS]
    if database and database == {**used, ATOMIC: database[ATOMIC]}:
        # Read for each request; the connection is the same.
        used.update(database)
        return
    connections[DEFAULT_DB_ALIAS].close()
    connections.settings[DEFAULT_DB_ALIAS] = database or used
    del connections[DEFAULT_DB_ALIAS]
    if database:
        connections[DEFAULT_DB_ALIAS].ensure_connection()


def _ask(client: Client, order: Order) -> Told:
    begin = perf_counter()
    response = client.post(
        order.path,
        {"mark": order.mark, "held": order.held},
        content_type="application/json",
        headers={"Idempotency-Key": order.key},
    )
    seconds = perf_counter() - begin
    headers = dict(response.headers)
    return Told(response.status_code, headers, response.content, seconds)


process: Final = Process()
urlpatterns = [
    path(PROTECTED[1:], Protected.as_view()),
    path(UNPROTECTED[1:], Unprotected.as_view()),
]
