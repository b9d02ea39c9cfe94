"""What the rows of the scenario matrix are made of, and who tells what came out."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.models import ExternalIdentity, IdempotencyRecord
from drf_apikit.testing import InMemoryIssuer
from tests.app.models import Article, Label
from tests.idempotency.calls import Call, caller, person
from tests.idempotency.views import Script

__all__ = [
    "ROWS",
    "SECONDS",
    "Judged",
    "Row",
    "World",
    "cleaned",
    "effects",
    "outcome_of",
    "row",
    "told",
]

SECONDS: Final = 20.0
#: What rows write to; children come first.
_MODELS: Final = (IdempotencyRecord, Article, Label, ExternalIdentity, User)

Answer = Callable[[Request], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    #: What libraries with the same purpose did wrong.
    peers: str
    #: The answers, in order: status, slug of the problem, whether it is a replay.
    answers: str
    #: How many effects are there at the end.
    effects: int
    #: How many records are there at the end.
    records: int
    #: How often a view was entered.
    entered: int | None
    #: The answers where whoever comes second waits.
    sqlite: str | None
    play: Callable[["World"], Sequence[Any]]


#: The table.
ROWS: Final[dict[str, Row]] = {}


def row(
    answers: str,
    *,
    peers: str,
    effects: int = 1,
    records: int = 1,
    entered: int | None = None,
    sqlite: str | None = None,
) -> Callable[[Callable[["World"], Sequence[Any]]], None]:
    """Put a scenario into the table, with what has to come out."""

    def put(play: Callable[["World"], Sequence[Any]]) -> None:
        name = play.__name__.replace("_", " ")
        assert name not in ROWS
        ROWS[name] = Row(name, peers, answers, effects, records, entered, sqlite, play)

    return put


@dataclass(slots=True)
class World:
    """What a scenario has to hand."""

    vendor: str
    script: type[Script]
    issuer: InMemoryIssuer
    settings: Settings
    _callers: dict[tuple[str, str], Call] = field(default_factory=dict)
    _people: dict[str, User] = field(default_factory=dict)

    def user(self, name: str = "ada") -> User:
        if name not in self._people:
            self._people[name] = person(name)
        return self._people[name]

    def call(self, name: str = "ada", method: str = "post") -> Call:
        return caller(self.user(name), method=method)

    def post(self, url: str = "/effects/", key: str | None = "key-1", **kw: Any) -> Any:
        return self.call()(url, key, **kw)

    def twice(self, url: str = "/effects/", **options: Any) -> list[Any]:
        return [self.post(url, **options), self.post(url, **options)]

    def answer(self, answer: Answer) -> None:
        self.script.answer = staticmethod(answer)

    def returns(self, status: int, **options: Any) -> None:
        self.answer(lambda _: Response({"status": status}, status=status, **options))

    def raises(self, error: BaseException) -> None:
        def refuse(_request: Request) -> HttpResponseBase:
            raise error

        self.answer(refuse)

    def configure(self, **options: Any) -> None:
        """Set options of the section `IDEMPOTENCY`."""
        sections = self.settings.DRF_APIKIT
        block = {**sections.get("IDEMPOTENCY", {}), **options}
        self.settings.DRF_APIKIT = {**sections, "IDEMPOTENCY": block}

    def with_token(self, token: str, url: str = "/effects/") -> Any:
        """Send what a client with a token sends, through real authentication."""
        client = Client(raise_request_exception=False)
        headers = {"Idempotency-Key": "key-1", "Authorization": token}
        kind = "application/json"
        return client.post(url, b'{"amount":1}', content_type=kind, headers=headers)

    def known(self, name: str = "ada") -> str:
        """Make a user whom the issuer knows; give the value of a header."""
        ExternalIdentity.objects.create(
            issuer=self.issuer.issuer, subject=name, user=self.user(name)
        )
        return self.issuer.authorization(name)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came out of a row, to be compared as a whole."""

    answers: str
    effects: int
    records: int
    entered: int | None


@contextmanager
def cleaned() -> Iterator[None]:
    """Leave nothing of what is committed within."""
    try:
        yield
    finally:
        for model in _MODELS:
            model._base_manager.all().delete()


def effects() -> int:
    return Article.objects.filter(title="effect").count()


def told(response: Any) -> str:
    """Say in a few words what an answer is."""
    words = [str(response.status_code)]
    if response.headers.get("Content-Type") == "application/problem+json":
        slug = json.loads(response.content)["type"].rpartition("/")[2]
        words.append(slug)
    if "Idempotent-Replayed" in response:
        assert response["Idempotent-Replayed"] == "true"
        words.append("replayed")
    return " ".join(words)


def outcome_of(response: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Give what a replay must repeat; reads streams to their end."""
    fixed = {"content-type", "location", "etag", "content-disposition", "link"}
    headers = [pair for pair in response.items() if pair[0].lower() in fixed]
    return response.status_code, response.getvalue(), headers
