"""Walks while others write: what was there throughout is seen exactly once."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from threading import Barrier, Semaphore
from typing import Any, Final

import pytest
from django.db import OperationalError, transaction

from tests.app.models import Article, Author
from tests.databases import in_threads
from tests.pagination.walking import MOMENT, List, make_articles

ORDERINGS: Final[dict[str, tuple[str, ...]]] = {
    "key": (),
    "ties and nulls": ("created", "-score"),
    "one way": ("-price", "-title"),
    "relation": ("author__name", "-created"),
}
ROWS: Final = 24
WRITERS: Final = 3
WRITES: Final = 15
MIN_WALKS: Final = 3


def walk(
    articles: List, size: int, link: str, between: Callable[[], object]
) -> list[Any]:
    """Follow one link to the end; give the keys in the order of the list."""
    page = articles.first(size)
    if link == "previous":
        page = articles.get(page.last)
    seen: list[Any] = []
    while True:
        seen += page.rows if link == "next" else page.rows[::-1]
        between()
        url = getattr(page, link)
        if not url:
            return seen if link == "next" else seen[::-1]
        page = articles.get(url)


def judge(seen: list[Any], before: list[Any], stayed: set[Any]) -> None:
    """Nothing twice, nothing missing, and all in the order that they had."""
    assert len(seen) == len(set(seen))
    assert stayed <= set(seen)
    known = [key for key in seen if key in stayed]
    assert known == [key for key in before if key in stayed]


def order(names: tuple[str, ...]) -> list[Any]:
    key = "-pk" if names and names[-1].startswith("-") else "pk"
    return list(Article.objects.order_by(*names, key).values_list("pk", flat=True))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ORDERINGS)
@pytest.mark.parametrize("link", ["next", "previous"])
@pytest.mark.parametrize("seed", range(2))
def test_a_schedule_of_writes_between_pages_loses_nothing(
    name: str, link: str, seed: int
) -> None:
    rng = random.Random(f"{name}{link}{seed}")
    make_articles(ROWS, seed=seed)
    before = order(ORDERINGS[name])
    authors = [None, *Author.objects.order_by("pk")]
    gone: set[Any] = set()
    # In the end the walk has to overtake what is inserted.
    left = iter(range(ROWS))

    def write() -> None:
        """Delete on both sides of the position and at it, and insert anywhere."""
        if next(left, None) is None:
            return
        for _ in range(rng.randrange(3)):
            doomed = rng.choice(before)
            gone.add(doomed)
            Article.objects.filter(pk=doomed).delete()
        for _ in range(rng.randrange(3)):
            score, moment = rng.choice([None, 0, 1]), rng.choice([None, MOMENT])
            author = rng.choice(authors)
            Article.objects.create(score=score, created=moment, author=author)

    articles = List(Article.objects.all, ORDERINGS[name])
    seen = walk(articles, rng.randrange(1, 8), link, write)
    judge(seen, before, set(before) - gone)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["ties and nulls", "relation"])
def test_writers_in_other_transactions_lose_nothing(name: str) -> None:
    make_articles(ROWS)
    before = order(ORDERINGS[name])
    authors = list(Author.objects.order_by("pk"))
    # Every third may go; the others stay.
    mortal = before[::3]
    start, writing = Barrier(WRITERS + 1), Semaphore(WRITERS)

    def write(seed: int) -> None:
        rng = random.Random(seed)
        with writing:
            start.wait(timeout=60)
            for _ in range(WRITES):
                author, doomed = rng.choice(authors), rng.choice(mortal)
                # Where two writers meet, one of them is sent away.
                with suppress(OperationalError), transaction.atomic():
                    Article.objects.create(score=0, created=MOMENT, author=author)
                    Article.objects.filter(pk=doomed).delete()
                    newest = Article.objects.exclude(pk__in=before).order_by("-pk")
                    doomed_too = newest.values_list("pk", flat=True)[5:]
                    Article.objects.filter(pk__in=list(doomed_too)).delete()

    def read() -> None:
        articles = List(Article.objects.all, ORDERINGS[name])
        start.wait(timeout=60)
        for turn in count():
            link = ("next", "previous")[turn % 2]
            seen = walk(articles, 1 + turn % 7, link, list)
            judge(seen, before, set(before) - set(mortal))
            if turn > MIN_WALKS and all_free(writing):
                break

    in_threads(read, *(partial(write, seed) for seed in range(WRITERS)))
    assert set(before) - set(mortal) <= set(order(()))


def all_free(writing: Semaphore) -> bool:
    """Tell whether no writer is left."""
    free = [writing.acquire(blocking=False) for _ in range(WRITERS)]
    for _ in range(sum(free)):
        writing.release()
    return all(free)
