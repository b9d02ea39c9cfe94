"""The rows that the cases ask for, and what a client can know of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.test.utils import override_settings
from rest_framework.test import APIClient

from tests.app.models import Article, Document
from tests.compliance.conditional_views import DETAILS, LISTS, ROWS

__all__ = ["MISSING", "Facts", "Table", "ask", "committed"]

MISSING: Final = 999_999
#: Last modified between two whole seconds, and so late that no date holds yet.
MOMENT: Final = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)
LATE: Final = datetime(2999, 1, 1, tzinfo=UTC)
#: In three forms (RFC 9110 section 5.6.7).
FORMS: Final = {
    "": "%a, %d %b %Y %H:%M:%S GMT",
    "850": "%A, %d-%b-%y %H:%M:%S GMT",
    "asc": "%a %b %e %H:%M:%S %Y",
}
_WHOLE: Final = MOMENT.replace(microsecond=0)
DATES: Final = {
    f"{name}{form}": moment.strftime(text)
    for form, text in FORMS.items()
    for name, moment in {
        "modified": _WHOLE + timedelta(seconds=1),
        "begun": _WHOLE,
        "older": _WHOLE - timedelta(days=1),
        "newer": _WHOLE + timedelta(days=1),
    }.items()
}
USERS: Final = {
    name: User(pk=number, username=name)
    for number, name in enumerate(("owner", "wrong", "denied"), 1)
}


@dataclass
class Table:
    """The keys of the rows by model and name, and tags of an earlier state."""

    keys: dict[tuple[type[Any], str], int] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)
    #: Tags by URL and media type: every test leaves the rows as they were.
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def url(self, strategy: str, flavour: str, target: str) -> str:
        """Name a resource."""
        base = f"/{strategy}/{flavour}/"
        if target == "list":
            return base
        key = self.keys.get((ROWS[strategy], target), MISSING)
        return f"{base}{key}/"


class Facts(dict[str, str]):
    """What is true of a resource, found out when it is asked for."""

    def __init__(self, table: Table, strategy: str, flavour: str, target: str) -> None:
        super().__init__(DATES)
        self._table, self._strategy, self._flavour = table, strategy, flavour
        own = table.url(strategy, flavour, "list" if target == "list" else "one")
        self.url = table.url(strategy, flavour, target)
        self._tagged = own if target == "missing" else self.url

    def __missing__(self, name: str) -> str:
        value = getattr(self, f"_{name}")()
        assert isinstance(value, str)
        self[name] = value
        return value

    def _tag(self) -> str:
        return self._read(self._tagged)

    def _text(self) -> str:
        return self._read(self._tagged, "text/plain")

    def _other(self) -> str:
        return self._read(self._table.url(self._strategy, self._flavour, "fresh"))

    def _stale(self) -> str:
        return self._table.stale[self._strategy]

    def _opaque(self) -> str:
        return self["tag"].strip('"')

    def _state(self) -> str:
        return self["opaque"].partition(".")[0]

    def _read(self, url: str, accept: str = "application/json") -> str:
        known, key = self._table.known, (url, accept)
        if self._strategy.startswith("generation"):
            # Other than the rows, it does not come back by a rollback.
            return read(url, accept)
        if key not in known:
            known[key] = read(url, accept)
        return known[key]


def ask(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Any = None,
    who: str = "owner",
) -> Any:
    """Send a request; what is bytes is sent as it is."""
    client = APIClient(raise_request_exception=False)
    if who in USERS:
        client.force_authenticate(USERS[who])
    options: dict[str, Any] = {"headers": dict(headers)}
    typed = options["headers"].pop("Content-Type", None)
    if method in {"GET", "HEAD"}:
        body = None
    elif isinstance(body, bytes) or typed:
        options["content_type"] = typed or "application/json"
        body = body if isinstance(body, bytes) else b"title\nnew"
    else:
        options["format"] = "json"
    return getattr(client, method.lower())(url, body, **options)


def read(url: str, accept: str = "application/json") -> str:
    """Give the tag of what is there."""
    response = ask("GET", url, {"Accept": accept})
    assert response.status_code == 200, (url, response.content)
    tag = response["ETag"]
    assert isinstance(tag, str)
    return tag


@contextmanager
def committed() -> Iterator[Table]:
    """Keep the rows in the database of the moment."""
    table = Table()
    stamps = {Article: "created", Document: "updated_at"}
    try:
        for name in ("one", "fresh"):
            table.keys[Article, name] = Article.objects.create(title="first").pk
            document = Document.objects.create(title="first", slug=name)
            table.keys[Document, name] = document.pk
        for model, stamp in stamps.items():
            _set(model, table, "one", **{stamp: MOMENT - timedelta(days=9)})
        with override_settings(ROOT_URLCONF="tests.compliance.conditional_urls"):
            for name in DETAILS:
                table.stale[name] = read(table.url(name, "plain", "one"))
            for name in LISTS:
                table.stale[name] = read(table.url(name, "plain", "list"))
        for model, stamp in stamps.items():
            both: dict[str, Any] = {"title": "old", "version": 2}
            _set(model, table, "one", **both, **{stamp: MOMENT})
            _set(model, table, "fresh", **both, **{stamp: LATE})
        yield table
    finally:
        QuerySet(Article).delete()
        QuerySet(Document).delete()


def _set(model: Any, table: Table, name: str, **columns: Any) -> None:
    """Write these columns and no other one."""
    QuerySet(model).filter(pk=table.keys[model, name]).update(**columns)
