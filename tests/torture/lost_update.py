"""Writers with one and the same entity tag: exactly one of them may win.

2, 8 or 32 clients send PATCH, PUT, DELETE or a mixture of them with the same
If-Match to several gunicorn workers, all at the same moment; or PUT with
`If-None-Match: *` on a name that nobody has yet. Each way to protect a write has
its turn: a version that is swapped, the row's lock, the time of the last change, a
digest of all columns. One of the clients gets 2xx and all others 412, except that
PATCH and DELETE may also get 404 once the winner has deleted the row. What is
stored then is what the winner wrote, and the version has moved by one.

With each request in a transaction (ATOMIC_REQUESTS) and without. On SQLite with it,
transactions are begun both ways, IMMEDIATE and DEFERRED; without it, DEFERRED, which
is Django's default.
"""

import itertools
import json
import logging
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections

from tests.app.models import Article, Document
from tests.benchmarks.harness import throw_away_database
from tests.torture.harness import conclude, options
from tests.torture.server import Answer, Client, Server

__all__ = ["WRONG", "Documents", "Round", "judge", "race", "run"]

WRITERS: Final = (2, 8, 32)
KINDS: Final = {
    "patch": ("PATCH",),
    "put": ("PUT",),
    "delete": ("DELETE",),
    "mixed": ("PATCH", "PUT", "DELETE"),
    "create": ("PUT",),
}
VIEWS: Final = ("swapped", "locked", "timed", "digested")
WRONG: Final = ("without one winner", "with another loser", "lost", "of 5xx")
#: How a server is run, by database: its name, ATOMIC_REQUESTS, options of Django's.
MODES: Final[dict[str, list[tuple[str, bool, dict[str, Any]]]]] = {
    "sqlite": [
        ("off", False, {"transaction_mode": "DEFERRED"}),
        ("on", True, {"transaction_mode": "IMMEDIATE"}),
        ("on, DEFERRED", True, {"transaction_mode": "DEFERRED"}),
    ],
    "postgresql": [("off", False, {}), ("on", True, {})],
    "mariadb": [("off", False, {}), ("on", True, {})],
}
#: Keys of new articles, far above those that the database gives.
KEYS: Final = range(10**6, 2 * 10**9)

logger = logging.getLogger(__name__)


class Documents(Server):
    """The rows of `documents`, on the default database of this process."""

    application = "tests.torture.documents"
    health = "/healthz"
    #: As many as there may be clients, in each worker.
    threads = max(WRITERS)

    def __init__(self, *, atomic: bool = False, **changed: Any) -> None:
        """Take options of the database that are to be others."""
        super().__init__()
        own = connections[DEFAULT_DB_ALIAS].settings_dict
        self._database = {name: value for name, value in own.items() if name != "TEST"}
        self._database["OPTIONS"] = {**own["OPTIONS"], **changed}
        self._database.update(ATOMIC_REQUESTS=atomic, CONN_MAX_AGE=None)
        self._clients: list[Client] = []

    def prepare(self, resources: ExitStack) -> None:
        """Leave the settings where the workers look for them."""
        text = json.dumps(self._database, default=str)
        (self.folder / "database.json").write_text(text)
        resources.callback(self._hang_up)

    def environment(self) -> dict[str, str]:
        """Say that the models are those of the tests."""
        return {"DJANGO_SETTINGS_MODULE": "tests.settings"}

    def clients(self, count: int) -> Sequence[Client]:
        """Give so many connections, which stay open."""
        while len(self._clients) < count:
            self._clients.append(self.client())
        return self._clients[:count]

    def _hang_up(self) -> None:
        while self._clients:
            self._clients.pop().close()


@dataclass(slots=True)
class Round:
    """One row, what is sent to it by each writer, and what came back."""

    kind: str
    view: str
    writers: int
    mark: str
    key: int
    methods: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def digested(self) -> bool:
        """Whether the row is an article, which has no version."""
        return self.view == "digested"

    @property
    def path(self) -> str:
        """Where the row is, or will be."""
        return f"/{self.view}/{self.key if self.digested else self.mark}"

    def make(self) -> None:
        """Put the row there."""
        if self.digested:
            Article.objects.create(pk=self.key, title="draft", extra="body")
        else:
            Document.objects.create(slug=self.mark, title="draft", text="body")

    def content(self, number: int) -> dict[str, Any] | None:
        """Give what a writer sends: PATCH one of two columns, PUT both."""
        mark, other = f"{self.mark}-{number}", "extra" if self.digested else "text"
        method = self.methods[number]
        if method == "DELETE":
            return None
        if method == "PATCH":
            return {("title", other)[number % 2]: mark}
        return {"slug": self.mark, "title": mark, other: mark}

    def wanted(self, number: int) -> dict[str, Any] | None:
        """Give what is to be stored if that writer has won."""
        sent = self.content(number)
        if sent is None:
            return None
        other = "extra" if self.digested else "text"
        columns = {"title": "draft", other: "body", **sent}
        columns.pop("slug", None)
        if not self.digested:
            columns["version"] = 1 if self.kind == "create" else 2
        return columns

    def stored(self) -> dict[str, Any] | None:
        """Read the columns from the database; None: it is gone."""
        rows: Any = Document.objects.filter(slug=self.mark)
        columns = ["title", "text", "version"]
        if self.digested:
            rows, columns = Article.objects.filter(pk=self.key), ["title", "extra"]
        found: dict[str, Any] | None = rows.values(*columns).first()
        return found

    def is_kept(self, number: int) -> bool:
        """Tell whether what a winner wrote is there, and is what it was told."""
        wanted, answer = self.wanted(number), self.answers[number]
        told = None if answer.status == 204 else answer.json()
        shown = wanted if wanted is None else {**(told or {}), **wanted}
        return self.stored() == wanted and told == shown


def race(server: Documents, each: Round) -> None:
    """Let the writers go at once."""
    clients = server.clients(each.writers)
    headers = {"If-None-Match": "*"}
    if each.kind != "create":
        each.make()
        seen = server.send("GET", each.path)
        headers = {"If-Match": seen.headers["ETag"]}
    for number, client in enumerate(clients):
        content = each.content(number)
        client.begin(each.methods[number], each.path, content, headers)
    for client in clients:
        client.complete()
    each.answers = [client.answer() for client in clients]


def judge(each: Round) -> Counter[str]:
    """Count what went wrong in a round."""
    statuses = [answer.status for answer in each.answers]
    winners = [n for n, status in enumerate(statuses) if 200 <= status < 300]
    gone = any(each.methods[n] == "DELETE" for n in winners)
    others = 0
    for method, status in zip(each.methods, statuses, strict=True):
        missing = status == 404 and gone and method != "PUT"
        others += not (200 <= status < 300 or status == 412 or missing)
    return Counter(
        {
            WRONG[0]: int(len(winners) != 1),
            WRONG[1]: int(others > 0),
            WRONG[2]: int(not winners or not any(map(each.is_kept, winners))),
            WRONG[3]: sum(status >= 500 for status in statuses),
        }
    )


def rounds_of(
    count: int, rng: random.Random, views: Sequence[str] = VIEWS
) -> Iterator[Round]:
    """Give so many rounds, each combination once before one comes again."""
    combinations = list(itertools.product(KINDS, views, WRITERS))
    name = f"{rng.getrandbits(40):x}"
    for number in range(count):
        if number % len(combinations) == 0:
            rng.shuffle(combinations)
        kind, view, writers = combinations[number % len(combinations)]
        each = Round(kind, view, writers, f"{name}-{number}", rng.choice(KEYS))
        each.methods = rng.choices(KINDS[kind], k=writers)
        yield each


def run(server: Documents, name: str, rounds: int, seed: int) -> int:
    """Run the races; print the result and give the exit code."""
    statuses: Counter[int] = Counter()
    wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
    for each in rounds_of(rounds, random.Random(f"{seed} {name}")):
        race(server, each)
        found = judge(each)
        wrong.update(found)
        statuses.update(answer.status for answer in each.answers)
        if any(found.values()):
            answers = list(zip(each.methods, each.answers, strict=True))
            logger.error("%s on %s: %s %s", each.kind, each.path, +found, answers)
    counts = {"rounds": rounds, "writers": statuses.total()}
    counts |= {f"of {status}": statuses[status] for status in sorted(statuses)}
    return conclude(f"lost_update on {name} --seed {seed}", counts, wrong)


def main() -> int:
    chosen = options(
        __doc__,
        databases=True,
        choices={"atomic-requests": ("both", "off", "on")},
        rounds=60,
    )
    wanted = {"both": {False, True}, "off": {False}, "on": {True}}
    modes = {
        vendor: [m for m in MODES[vendor] if m[1] in wanted[chosen.atomic_requests]]
        for vendor in chosen.database
    }
    left = sum(map(len, modes.values()))
    rounds, failed = chosen.rounds, 0
    for vendor, those in modes.items():
        with throw_away_database(vendor):
            for mode, atomic, changed in those:
                name = f"{vendor}, ATOMIC_REQUESTS {mode}"
                own = rounds // left
                with Documents(atomic=atomic, **changed) as server:
                    failed |= run(server, name, own, chosen.seed)
                rounds, left = rounds - own, left - 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
