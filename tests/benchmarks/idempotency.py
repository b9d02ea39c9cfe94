"""Idempotency: first runs and replays beside the same view without protection.

    python -m tests.benchmarks.idempotency --database postgresql --durable

The base of all ratios, "unprotected", is the view in one transaction, as it is
with ATOMIC_REQUESTS. Beside it are two peers, of which one does not install beside
Django 6, and the raw SQL that nobody can do without. `--durable` has PostgreSQL
wait for its disk, as in production: without that a commit costs next to nothing,
and a ratio is one of Python and of statements.
"""

import argparse
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import transaction
from django.test import override_settings

from ledger.models import Account
from ledger.views import TransferViewSet
from tests.app.models import Article
from tests.benchmarks.harness import Goal, measure, throw_away_database
from tests.benchmarks.idempotency_cases import (
    KILOBYTE,
    PEERS,
    SMALL,
    Call,
    Payload,
    Plain,
    Protected,
    ProtectedDetail,
    digest,
    floors,
    installed,
    joined,
    parse,
    peer_view,
    send,
    upload,
)
from tests.benchmarks.idempotency_costs import print_costs, statements_of
from tests.databases import VENDORS, Databases
from tests.services import durable_postgresql, start

BASE: Final = "unprotected"
FIRST: Final = "at most 1.4"
#: Uploads take long, and differ by more than noise.
UPLOADS: Final = 20
#: Seconds for which a peer takes a request to be running.
PATIENCE: Final = {"IDEMPOTENCY_KEY_LOCK_TIMEOUT": 60}

Cases = dict[str, Call]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=VENDORS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=150, metavar="N")
    parser.add_argument(
        "--durable", action="store_true", help="PostgreSQL that loses no commit"
    )
    chosen = parser.parse_args()
    if chosen.durable and chosen.database != "postgresql":
        parser.error("--durable is for PostgreSQL")
    return chosen


@contextmanager
def database(chosen: argparse.Namespace) -> Iterator[None]:
    if not chosen.durable:
        with throw_away_database(chosen.database):
            yield
        return
    with durable_postgresql() as server, closing(Databases()) as databases:
        databases.prepare("postgresql", server.url)
        yield


def new_key() -> str:
    return str(uuid4())


def replayed(call: Call) -> Call:
    """Use up the key of a call; from now on it is a replay."""
    first, again = call(), call()
    assert (first.status_code, first.content) == (again.status_code, again.content)
    return call


class Section:
    """One table of times and one of costs, with one way of configuring ours."""

    def __init__(self, title: str, chosen: argparse.Namespace) -> None:
        durable = ", durable" if chosen.durable else ""
        self.title = f"Idempotency on {chosen.database}{durable}: {title}"
        self.rounds = chosen.rounds
        self.user, _ = User.objects.get_or_create(username="caller")
        self.cases: Cases = {}
        self.goals: list[Goal] = []

    def add(self, name: str, call: Call, wanted: str | None = None) -> None:
        """Add a case; with a goal, an empty one too, there is a ratio to the base."""
        self.cases[name] = call
        if wanted is not None:
            self.goals.append(Goal(name, BASE, wanted))

    def add_ours(self, payload: Payload = SMALL, replay: str = "") -> None:
        """Add the base, a first run and a replay."""
        self.add(BASE, self.call(transaction.atomic(Plain.as_view()), payload))
        ours = Protected.as_view()
        self.add("first run", self.call(ours, payload), FIRST)
        self.add("replay", replayed(self.call(ours, payload, new_key())), replay)

    def call(
        self, view: Any, payload: Payload = SMALL, key: str | None = None, **kwargs: Any
    ) -> Call:
        return send(view, self.user, payload, key=key, **kwargs)

    def run(self, repeat: int = 5, redis_url: str | None = None) -> None:
        measure(self.title, self.cases, self.goals, self.rounds, repeat)
        print_costs(self.cases, redis_url)


def beside_others(chosen: argparse.Namespace) -> None:
    section = Section("beside peers and raw SQL", chosen)
    section.add_ours(replay="one statement")
    within = joined(Protected.as_view())
    replay = replayed(section.call(within, key=new_key()))
    section.add("unprotected, autocommit", section.call(Plain.as_view()), "")
    section.add("first run, ATOMIC_REQUESTS", section.call(within), FIRST)
    section.add("replay, ATOMIC_REQUESTS", replay, "one statement")
    detail, pk = ProtectedDetail.as_view(), Article.objects.create().pk
    replay = replayed(section.call(detail, key=new_key(), pk=pk))
    section.add("replay, detail route", replay, "and the object")
    for name in installed():
        view = peer_view(name)
        section.add(f"{name}, first run", section.call(view), "")
        section.add(f"{name}, replay", replayed(section.call(view, key=new_key())), "")
    for name, floor in floors(statements_of(section.cases["first run"])).items():
        section.add(name, floor)
    for case in ("first run", "replay", "unprotected"):
        section.goals.append(Goal(case, f"raw SQL, {case}"))
    section.goals.append(Goal("raw SQL, first run", "raw SQL, unprotected"))
    section.run()


def encrypted(chosen: argparse.Namespace) -> None:
    key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    with override_settings(DRF_APIKIT={"IDEMPOTENCY": {"ENCRYPTION_KEYS": [key]}}):
        section = Section("answers encrypted", chosen)
        section.add_ours()
        section.run()


class Transfers(TransferViewSet):
    """The example's, for whoever calls."""

    authentication_classes: Any = ()
    permission_classes: Any = ()


class PlainTransfers(Transfers):
    """The same without protection."""

    create: Any = vars(TransferViewSet)["create"].__wrapped__


def of_a_transfer(chosen: argparse.Namespace) -> None:
    """Two updates and an insert, after what the serializer reads: a usual view."""
    section = Section("a transfer of the example", chosen)
    ends = [
        Account.objects.create(owner=section.user, currency="EUR", balance=10**9).pk
        for _ in range(2)
    ]
    order = {"source": ends[0], "target": ends[1], "amount": 1, "currency": "EUR"}
    payload = Payload(json.dumps(order).encode())
    routes: Any = {"post": "create"}
    with override_settings(ROOT_URLCONF="ledger.urls"):
        plain = transaction.atomic(PlainTransfers.as_view(routes))
        section.add(BASE, section.call(plain, payload))
        ours = Transfers.as_view(routes)
        section.add("first run", section.call(ours, payload), FIRST)
        section.add(
            "first run, ATOMIC_REQUESTS", section.call(joined(ours), payload), FIRST
        )
        section.add("replay", replayed(section.call(ours, payload, new_key())), "")
        section.run()


@contextmanager
def redis_server() -> Iterator[str]:
    service = start("redis")
    try:
        yield service.url
    finally:
        caches.close_all()
        service.stop()


def cached(chosen: argparse.Namespace) -> None:
    with redis_server() as url:
        shared = {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
        }
        named = {
            "CACHES": {"default": shared},
            "DRF_APIKIT": {"IDEMPOTENCY": {"CACHE": "default"}},
        }
        with override_settings(**named):
            section = Section("replays out of Redis", chosen)
            section.add_ours(replay="no statement")
            detail, pk = ProtectedDetail.as_view(), Article.objects.create().pk
            replay = replayed(section.call(detail, key=new_key(), pk=pk))
            section.add("replay, detail route", replay, "the object")
            section.run(redis_url=url)


def of_payload(title: str, payload: Payload, chosen: argparse.Namespace) -> None:
    section = Section(title, chosen)
    section.add_ours(payload)
    section.add("parsed", partial(parse, payload))
    section.add("parsed and fingerprinted", partial(digest, payload))
    section.goals.append(Goal("parsed and fingerprinted", "parsed"))
    section.run(repeat=1)


def main() -> None:
    chosen = options()
    peers = installed()
    for name in sorted(PEERS.keys() - set(peers)):
        print(f"{name} is missing, and left out: pip install -e '.[bench]'")
    apps = [*settings.INSTALLED_APPS, *(PEERS[name] for name in peers)]
    with override_settings(INSTALLED_APPS=apps, **PATIENCE), database(chosen):
        beside_others(chosen)
        of_a_transfer(chosen)
        encrypted(chosen)
        cached(chosen)
        of_payload("1 KB of JSON, there and back", KILOBYTE, chosen)
        chosen.rounds = min(chosen.rounds, UPLOADS)
        of_payload("an upload of 10 MB", upload(), chosen)


if __name__ == "__main__":
    main()
