"""Changes of all kinds, and clients that ask whether what they have is still right.

Before each change some clients get what is there; then rows, related rows, rights,
or what the clients ask for change; then they ask again with all entity tags that
they hold, those of other pages, languages and formats as well, and with dates. A 304
names the answer that is still right: it is compared, byte for byte, with a fresh
one. The clock moves on with the changes, by up to three seconds each.

What a validator by its contract cannot see is done the documented way: `bump()` after
raw SQL, and a version of one's own is moved by hand. Some processes are killed
between their commit and what tells the readers.
"""

import json
import logging
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F
from django.http import HttpResponseNotModified
from django.test import override_settings
from django.utils import timezone, translation
from rest_framework.test import APIRequestFactory, force_authenticate

from drf_apikit.conditional import UpdatedAt, VersionField
from drf_apikit.conditional.generations import install
from drf_apikit.signals import validator_found_stale
from tests.app.models import Article, Author, Document, Label
from tests.benchmarks.harness import throw_away_database
from tests.compliance.conditional_generations import unwatch
from tests.databases import VENDORS
from tests.services import start
from tests.torture.harness import conclude, options
from tests.torture.library import KINDS, TRACKED, Documents, Kind, Tagging

WRONG: Final = (
    "stale",
    "stale by date",
    "found stale by samples",
    "tags of two bodies",
    "other answers",
    "views that hardly ever answer 304",
    "views that hardly ever do so early",
)
ROOT: Final = Path(__file__).resolve().parents[2]
FACTORY: Final = APIRequestFactory()
USERS: Final = ("ada", "root")
LANGUAGES: Final = ("en", "de", "fr")
FORMATS: Final = (
    "application/json",
    "application/json; version=2",
    "text/plain",
    "text/plain; version=2",
)
ZONES: Final = ("UTC", "Asia/Tokyo", "America/New_York")
FIELDS: Final = ("", "", "fields=id", "fields=language,id")
#: Tags that a client keeps, and clients that ask before and after each change.
HELD: Final = 10
ASKING: Final = 2
#: The share of changes of rows; the others are of what clients want.
CHANGES: Final = 0.8
#: The share of clients who want something else before a change.
SWITCHED: Final = 0.2
#: Few rows, so that a change concerns many answers.
ROWS: Final = range(4, 10)
#: Changes for which tags are made in one way: without a digest of the bytes, with
#: one that is next to never looked at, and with one that is looked at always.
PHASE: Final = 60
RATES: Final = (0.0, 1e-6, 0.0, 1.0)
#: Of the answers to clients that ask again, the least share that must be 304.
SHARE: Final = 0.05
#: Below so many answers the share says nothing.
ENOUGH: Final = 100
#: One change in so many is made by a process that is killed.
KILLS: Final = 250
MARK_LIFE: Final = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One representation that a client wants."""

    pk: int = 0
    page: str = ""
    fields: str = ""
    language: str = "en"
    accept: str = FORMATS[0]
    zone: str = "UTC"

    @property
    def query(self) -> str:
        return "&".join(part for part in (self.page, self.fields) if part)


@dataclass(slots=True)
class Client:
    """A user who looks at a view, and all that was got from it."""

    kind: Kind
    user: str
    #: All of them, as they are now.
    users: Mapping[str, User]
    asked: Asked = field(default_factory=Asked)
    held: dict[str, bytes] = field(default_factory=dict)
    dates: dict[Asked, tuple[str, bytes]] = field(default_factory=dict)
    callback: Any = None

    def __post_init__(self) -> None:
        method = "list" if self.kind.is_list else "retrieve"
        self.callback = self.kind.view.as_view({"get": method})

    def get(self, **headers: str) -> Any:
        """Send a request as a middleware for language and zone would pass it on."""
        asked = self.asked
        path = "/" if self.kind.is_list else f"/{asked.pk}/"
        given = {"Accept": asked.accept, **headers}
        request = FACTORY.get(f"{path}?{asked.query}", headers=given)
        force_authenticate(request, self.users[self.user])
        named = {} if self.kind.is_list else {"pk": asked.pk}
        with translation.override(asked.language), timezone.override(asked.zone):
            response = self.callback(request, **named)
            return response.render() if hasattr(response, "render") else response

    def switch(self, rng: random.Random) -> None:
        """Want another representation."""
        rows = Document if issubclass(self.kind.view, Documents) else Article
        pks = list(rows.objects.order_by("pk").values_list("pk", flat=True))
        page = rng.choice(self.kind.pages)
        if page == "cursor=next":
            self.asked = replace(self.asked, page="", fields="", accept=FORMATS[0])
            following = json.loads(self.get().content)["next"]
            page = urlsplit(following or "").query
        choices = {
            "pk": pks,
            "fields": FIELDS,
            "language": LANGUAGES,
            "accept": FORMATS,
            "zone": ZONES,
        }
        changed = {name: rng.choice(values) for name, values in choices.items()}
        # Often one thing alone, so that nothing else tells the tags apart.
        if self.asked.pk in pks and rng.random() < 0.7:
            name = rng.choice(list(changed))
            changed = {name: changed[name]}
        self.asked = replace(self.asked, page=page, **changed)

    def revalidate(self) -> Iterator[str]:
        """Ask with the date alone, then with all tags; say what came of it."""
        date, body = self.dates.get(self.asked, ("", b""))
        if date and self.get(**{"If-Modified-Since": date}).status_code == 304:
            yield "by date"
            if self.get().content != body:
                yield "stale by date"
        response = self.get(**{"If-None-Match": ", ".join(self.held)})
        yield from self.judge(response)

    def judge(self, response: Any) -> Iterator[str]:
        """Compare an answer with what is held, and a 304 with a fresh answer."""
        yield "asked"
        if response.status_code == 304:
            yield "304"
            if isinstance(response, HttpResponseNotModified):
                yield "early"
            if self.get().content != self.held.get(response["ETag"]):
                yield "stale"
        elif response.status_code == 200:
            yield from self._keep(response)
        elif response.status_code != 404:
            yield "other answers"

    def _keep(self, response: Any) -> Iterator[str]:
        tag, body = response["ETag"], response.content
        if self.held.pop(tag, body) != body:
            yield "tags of two bodies"
        self.held[tag] = body
        while len(self.held) > HELD:
            del self.held[next(iter(self.held))]
        if "Last-Modified" in response:
            self.dates[self.asked] = (response["Last-Modified"], body)


class World:
    """The rows, and whatever may happen to them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.number = 0
        self.changes: list[Callable[[], object]] = [
            getattr(self, name) for name in dir(self) if name.startswith("do_")
        ]

    def fill(self) -> None:
        """Make users and the first rows."""
        for name in USERS:
            User.objects.create(username=name, is_staff=name == "root")
        for _ in ROWS:
            Author.objects.create(name=self.text())
            Label.objects.create(name=self.text())
        while Document.objects.count() < ROWS.stop:
            self.do_insert()
            self.do_tag_set()
        for _ in ROWS:
            Article.objects.create(title=self.text(), score=self.rng.randrange(5))

    def clear(self) -> None:
        """Take all rows away."""
        for model in (Document, Label, Article, Author, User):
            model.objects.all().delete()

    def change(self) -> str:
        """Let one thing happen; name it."""
        chosen = self.rng.choice(self.changes)
        chosen()
        return chosen.__name__

    def text(self) -> str:
        """Give a text of few that there are, so that rows come to be as they were."""
        return self.rng.choice(("a", "b", "c", "hidden"))

    def pick(self, model: Any) -> Any:
        """Give one of the rows."""
        return self.rng.choice(list(model.objects.order_by("pk")))

    def new(self) -> Document:
        """Make a document that is not in the database."""
        self.number += 1
        return Document(
            slug=f"s{self.number}",
            title=self.text(),
            text=self.text(),
            amount=self.rng.randrange(5),
            author=self.rng.choice((None, self.pick(Author))),
        )

    def do_save(self) -> None:
        document = self.pick(Document)
        document.title = self.text()
        document.save()

    def do_touch(self) -> None:
        self.pick(Document).save()

    def do_update(self) -> None:
        Document.objects.filter(amount__lt=2).update(text=self.text())

    def do_bulk_update(self) -> None:
        rows = list(Document.objects.order_by("pk")[:2])
        rows[0].title, rows[1].title = rows[1].title, rows[0].title
        Document.objects.bulk_update(rows, ["title"])

    def do_raw(self) -> None:
        pk = self.pick(Document).pk
        _execute(
            "UPDATE tests_app_document SET title = %s WHERE id = %s", self.text(), pk
        )
        Document.objects.filter(pk=pk).bump()

    def do_reorder(self) -> None:
        Document.objects.filter(pk=self.pick(Document).pk).update(
            amount=self.rng.randrange(5)
        )

    def do_article(self) -> None:
        rows = Article.objects.filter(pk=self.pick(Article).pk)
        rows.update(title=self.text(), score=F("score") + 1, version=F("version") + 1)

    def do_article_raw(self) -> None:
        sql = "UPDATE tests_app_article SET score = 1, version = version + 1"
        _execute(f"{sql} WHERE id = %s", self.pick(Article).pk)

    def do_article_replaced(self) -> None:
        self.pick(Article).delete()
        Article.objects.create(title=self.text(), score=self.rng.randrange(5))

    def do_author_save(self) -> None:
        author = self.pick(Author)
        author.name = self.text()
        author.save()

    def do_author_raw(self) -> None:
        pk = self.pick(Author).pk
        _execute("UPDATE tests_app_author SET name = %s WHERE id = %s", self.text(), pk)

    def do_author_replaced(self) -> None:
        self.pick(Author).delete()
        Author.objects.create(name=self.text())

    def do_author_update(self) -> None:
        Author.objects.update(name=self.text())

    def do_author_change(self) -> None:
        document = self.pick(Document)
        document.author = self.rng.choice((None, self.pick(Author)))
        document.save(update_fields=["author"])

    def do_label_save(self) -> None:
        label = self.pick(Label)
        label.name = self.text()
        label.save()

    def do_label_update(self) -> None:
        Label.objects.update(name=self.text())

    def do_label_raw(self) -> None:
        pk = self.pick(Label).pk
        _execute("UPDATE tests_app_label SET name = %s WHERE id = %s", self.text(), pk)
        Label.objects.filter(pk=pk).bump()

    def do_label_replaced(self) -> None:
        self.pick(Label).delete()
        Label.objects.create(name=self.text())

    def do_tag_add(self) -> None:
        self.pick(Document).tags.add(self.pick(Label))

    def do_tag_remove(self) -> None:
        self.pick(Document).tags.remove(self.pick(Label))

    def do_tag_set(self) -> None:
        self.pick(Document).tags.set([self.pick(Label), self.pick(Label)])

    def do_tag_clear(self) -> None:
        self.pick(Document).tags.clear()

    def do_tag_other_end(self) -> None:
        self.pick(Label).documents.set([self.pick(Document), self.pick(Document)])

    def do_tag_raw(self) -> None:
        pk = self.pick(Document).pk
        _execute("DELETE FROM tests_app_document_tags WHERE document_id = %s", pk)

    def do_tag_bulk(self) -> None:
        pair = {"document": self.pick(Document), "label": self.pick(Label)}
        Tagging.objects.bulk_create([Tagging(**pair)], ignore_conflicts=True)

    def do_insert(self) -> None:
        self._make_room()
        self.new().save()

    def do_bulk_create(self) -> None:
        self._make_room()
        Document.objects.bulk_create([self.new()])

    def do_delete(self) -> None:
        if Document.objects.count() > ROWS.start:
            self.pick(Document).delete()

    def do_replaced(self) -> None:
        with transaction.atomic():
            Document.objects.filter(pk=self.pick(Document).pk).delete()
            self.new().save()

    def do_roll_back(self) -> None:
        with transaction.atomic():
            Document.objects.update(title="rolled back")
            Author.objects.update(name="rolled back")
            transaction.set_rollback(True)

    def do_rights(self) -> None:
        User.objects.filter(username="ada").update(is_staff=self.rng.random() < 0.5)

    def do_patch(self) -> None:
        self._send("patch", {"title": self.text()})

    def do_put(self) -> None:
        self.number += 1
        self._send("put", {"slug": f"s{self.number}", "amount": self.rng.randrange(5)})

    def do_post(self) -> None:
        self._make_room()
        self.number += 1
        self._send("post", {"slug": f"s{self.number}", "title": self.text()})

    def do_destroy(self) -> None:
        if Document.objects.count() > ROWS.start:
            self._send("delete", {})

    def _make_room(self) -> None:
        if Document.objects.count() >= ROWS.stop:
            self.do_delete()

    def _send(self, method: str, data: Mapping[str, Any]) -> None:
        """Write through the API, under one of the validators that move a column."""
        user = User.objects.get(username="root")
        request = getattr(FACTORY, method)("/", data, format="json")
        force_authenticate(request, user)
        named = {} if method == "post" else {"pk": self.pick(Document).pk}
        response = self.rng.choice(WRITERS)(request, **named)
        if response.status_code >= 400:
            raise RuntimeError(f"{method} {data}: {response.data}")


def _writer(validator: Any) -> Any:
    view: Any = type("Writer", (Documents,), {"validator": validator})
    actions = {"put": "update", "patch": "partial_update"}
    return view.as_view({**actions, "post": "create", "delete": "destroy"})


WRITERS: Final = (_writer(VersionField()), _writer(UpdatedAt()))


class Clock:
    """Begins in the past, so that it may run faster and never be ahead."""

    def __init__(self, seconds: float) -> None:
        self.behind = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Stand in for `timezone.now()`."""
        return datetime.now(UTC) - self.behind

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.behind = max(self.behind - timedelta(seconds=seconds), timedelta())


def change_and_die(world: World, clock: Clock) -> None:
    """Have another process make a change, and be killed behind the commit."""
    order = {
        "database": connection.settings_dict,
        "caches": settings.CACHES,
        "seed": world.rng.getrandbits(32),
        "number": world.number,
        "behind": clock.behind.total_seconds(),
    }
    world.number += 2
    died = subprocess.run(
        [sys.executable, "-m", "tests.torture.killed_librarian"],
        cwd=ROOT,
        input=json.dumps(order),
        text=True,
        check=False,
    )
    if died.returncode != -signal.SIGKILL:
        raise RuntimeError(f"It was not killed but ended with {died.returncode}")


class Library:
    """A run: the clients, the changes, and what has come of it."""

    def __init__(self, rng: random.Random, kinds: tuple[Kind, ...] = KINDS) -> None:
        self.rng = rng
        self.world = World(rng)
        self.users: dict[str, User] = {}
        self.clients = [
            Client(kind, name, self.users) for kind in kinds for name in USERS
        ]
        self.found: Counter[str] = Counter()
        #: By view, and by validator.
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def play(self, changes: int) -> None:
        """Let things change, and clients ask before and after."""
        clock = Clock(3.0 * changes)
        with mock.patch.object(timezone, "now", clock.now):
            self.world.fill()
            for begin in range(0, changes, PHASE):
                rate = RATES[begin // PHASE % len(RATES)]
                with with_generations(rate), self._listening():
                    for number in range(begin, min(begin + PHASE, changes)):
                        kills = number % KILLS == KILLS // 2
                        self._step(clock, kills=kills, sampled=rate == 1)
            self.world.clear()

    def conclude(self) -> None:
        """Find the views that answer 304 so seldom that it proves nothing."""
        for name, counts in self.counts.items():
            few = {
                WRONG[-2]: _is_few(counts["304"], counts["asked"]),
                WRONG[-1]: _is_few(counts["early"], counts["might be early"]),
            }
            self.found.update(few)
            if any(few.values()):
                logger.error("%s: %s", name, dict(counts))

    def _step(self, clock: Clock, *, kills: bool, sampled: bool) -> None:
        self.users.update({user.username: user for user in User.objects.all()})
        asking = self.rng.sample(self.clients, min(ASKING, len(self.clients)))
        for client in asking:
            if not client.asked.pk or self.rng.random() < SWITCHED:
                client.switch(self.rng)
            self._ask(client, "the beginning", sampled=sampled)
        clock.advance(self.rng.choice((0, 0.3, 1, 3)))
        what = self._change(clock, asking, kills=kills)
        self.users.update({user.username: user for user in User.objects.all()})
        clock.advance(self.rng.choice((0, 0.3, 1, 3)))
        for client in (*asking, asking[0]):
            self._ask(client, what, sampled=sampled)

    def _change(self, clock: Clock, asking: list[Client], *, kills: bool) -> str:
        if kills:
            change_and_die(self.world, clock)
            self.found["kills"] += 1
            return "kill"
        if self.rng.random() < CHANGES:
            return self.world.change()
        for client in asking:
            client.switch(self.rng)
        return "switch"

    def _ask(self, client: Client, what: str, *, sampled: bool) -> None:
        kind, outcomes = client.kind, Counter(client.revalidate())
        outcomes["might be early"] = int(kind.is_early and not sampled)
        self.found.update(outcomes)
        for name in (kind.name, kind.name.partition(" of ")[0]):
            self.counts[name].update(outcomes)
        for outcome in outcomes & Counter(WRONG):
            logger.error("%s: %s after %s: %s", kind.name, outcome, what, client.asked)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def found(sender: Any, **_: object) -> None:
            self.found["found stale by samples"] += 1
            logger.error("%s was found stale", sender.__name__)

        validator_found_stale.connect(found)
        try:
            yield
        finally:
            validator_found_stale.disconnect(found)


@contextmanager
def with_generations(rate: float = 0.0) -> Iterator[None]:
    """Have Django's connections mark what they write."""
    section = {
        "GENERATIONS": list(TRACKED),
        "GENERATION_MARK_LIFE": MARK_LIFE,
        "VERIFY_SAMPLE_RATE": rate,
    }
    with override_settings(DRF_APIKIT={"CONDITIONAL": section}):
        install()
        yield


def _is_few(some: int, of_all: int) -> bool:
    return of_all >= ENOUGH and some < SHARE * of_all


def _execute(sql: str, *parameters: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def run(name: str, seed: int, *, mutations: int) -> int:
    """Run it on the default database and cache; give the exit code."""
    library = Library(random.Random(seed))
    cache.clear()
    try:
        library.play(mutations)
    finally:
        unwatch()
    library.conclude()
    counts = {"mutations": mutations} | {
        what: library.found[what]
        for what in ("kills", "asked", "304", "early", "by date")
    }
    wrong = {what: library.found[what] for what in WRONG}
    return conclude(f"stale_reads on {name} --seed {seed}", counts, wrong)


def main() -> int:
    chosen = options(__doc__, databases=True, mutations=1_000)
    databases = chosen.database or VENDORS
    redis, failed = start("redis"), 0
    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis.url}
    try:
        for vendor in databases:
            each = chosen.mutations // len(databases)
            with (
                override_settings(CACHES={"default": backend}),
                throw_away_database(vendor),
            ):
                failed |= run(vendor, chosen.seed, mutations=each)
    finally:
        redis.stop()
    return failed


if __name__ == "__main__":
    sys.exit(main())
