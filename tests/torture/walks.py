"""Walks over lists: all orderings of up to three columns, and lists that change."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import chain, permutations, product
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, OrderBy

from tests.app.models import Article
from tests.pagination.walking import COLUMNS, List, Page, make_articles

__all__ = [
    "KINDS",
    "LIVE_ROWS",
    "ROWS",
    "WRONG",
    "Items",
    "all_orderings",
    "in_words",
    "live",
    "rows",
    "walk",
]

#: Rows of the tables that all orderings are tried on; each page size up to one more.
ROWS: Final = 6
LIVE_ROWS: Final = 14
#: Inserts and deletes during one walk, at the most.
MEDDLINGS: Final = 40
PAGES: Final = 100
ZIGZAG: Final = 4
WRONG: Final = ("lost", "duplicated", "misordered", "endless")
#: A kind of each: what a planner may treat in its own way.
KINDS: Final = ("title", "score", "created", "author__name")

Items = tuple[Any, ...]
MakeList = Callable[[Items], List]


def spellings(name: str) -> list[Any]:
    """Give both directions of a column, and with NULLs at either end."""
    field = Article._meta.get_field(name.split("__", maxsplit=1)[0])
    plain = [name, f"-{name}"]
    if not field.null:
        return plain
    column = F(name)
    first, last = {"nulls_first": True}, {"nulls_last": True}
    return [
        *plain,
        *(column.asc(**place) for place in (first, last)),
        *(column.desc(**place) for place in (first, last)),
    ]


def all_orderings(triples: int = len(KINDS)) -> list[Items]:
    """Give none, each column and pair in each spelling, and triples of so many columns.

    The first of these are of each kind.
    """
    kinds = [*KINDS, *(name for name in COLUMNS if name not in KINDS)]
    several = [((),), permutations(COLUMNS, 1), permutations(COLUMNS, 2)]
    names: Iterable[Any] = chain(*several, permutations(kinds[:triples], 3))
    found = (product(*map(spellings, columns)) for columns in names)
    return list(chain.from_iterable(found))


def in_words(items: Items) -> str:
    """Tell an ordering from all others, and let a reader repeat it."""
    return ", ".join(map(_item_in_words, items)) or "the key"


def _item_in_words(item: Any) -> str:
    if isinstance(item, str):
        return item
    column: Any = item.expression
    end = "first" if item.nulls_first else "last"
    return f"{'-' if item.descending else ''}{column.name} nulls {end}"


def articles(items: Items) -> List:
    """Give the list that the paginator makes of all articles."""
    return List(Article.objects.all, items)


def walk(
    items: Items,
    rng: random.Random,
    make: MakeList = articles,
    *,
    zigzag_all: bool = False,
) -> Counter[str]:
    """Walk at each page size, forward and backward; give what is wrong.

    To and fro at one of the sizes, or at all. Beside it the number of `pages`.
    """
    whole, found = expected(items), make(items)
    sizes = range(1, len(whole) + 2)
    zigzagged = sizes if zigzag_all else [rng.choice(sizes)]
    wrong: Counter[str] = Counter()
    for size in sizes:
        try:
            pages = found.forward(found.first(size), PAGES)
            back = found.backward(pages[-1], PAGES)
        except AssertionError:
            wrong["endless"] += 1
            continue
        wrong += judge(_rows(pages), whole) + judge(_rows(back[::-1]), whole)
        chunks = [whole[n : n + size] for n in range(0, len(whole), size)]
        wrong["misordered"] += [page.rows for page in pages] != chunks
        wrong["pages"] += len(pages) + len(back) - 1
        if size in zigzagged:
            wrong += _zigzag(found, pages[0], whole, size, rng)
    return wrong


def _zigzag(
    found: List, page: Page, whole: list[Any], size: int, rng: random.Random
) -> Counter[str]:
    wrong: Counter[str] = Counter(pages=ZIGZAG)
    start, end = 0, len(page.rows)
    for _ in range(ZIGZAG):
        if page.next and (rng.random() < 0.6 or not page.previous):
            page = found.get(page.next)
            start, end = end, min(end + size, len(whole))
        elif page.previous:
            page = found.get(page.previous)
            start, end = max(start - size, 0), start
        wrong["misordered"] += page.rows != whole[start:end]
    return wrong


def judge(seen: Sequence[Any], stayed: Sequence[Any]) -> Counter[str]:
    """Compare what a walk has seen with the rows that were there throughout."""
    order = [key for key in stayed if key in seen]
    unique = list(dict.fromkeys(key for key in seen if key in stayed))
    return Counter(
        lost=len(stayed) - len(order),
        duplicated=len(seen) - len(set(seen)),
        misordered=int(order != unique),
    )


def expected(items: Items) -> list[Any]:
    """Give all keys by one unpaginated ORDER BY."""
    last = items[-1] if items else ""
    falls = last.descending if isinstance(last, OrderBy) else last.startswith("-")
    ordered = Article.objects.order_by(*items, "-pk" if falls else "pk")
    return list(ordered.values_list("pk", flat=True))


def _rows(pages: Iterable[Page]) -> list[Any]:
    return list(chain.from_iterable(page.rows for page in pages))


@contextmanager
def rows(count: int, seed: int) -> Iterator[None]:
    """Make articles with ties and NULLs, and take them back in the end."""
    with transaction.atomic():
        make_articles(count, seed)
        yield
        transaction.set_rollback(True)


def live(items: Items, rng: random.Random, make: MakeList = articles) -> Counter[str]:
    """Walk while rows come and go before every single query; give what is wrong."""
    whole, found = expected(items), make(items)
    size, link = rng.randrange(1, 6), rng.choice(["next", "previous"])
    page = found.first(size)
    if link == "previous":
        page = found.forward(page, PAGES)[-1]
        whole = [key for key in whole[::-1] if key not in page.rows]
    else:
        whole = whole[len(page.rows) :]
    meddler, seen = Meddler(rng), []
    with connection.execute_wrapper(meddler):
        for _ in range(PAGES):
            url = getattr(page, link)
            if not url:
                break
            page = found.get(url)
            seen += page.rows if link == "next" else page.rows[::-1]
        else:
            return Counter(endless=1)
    return judge(seen, [key for key in whole if key not in meddler.gone])


class Meddler:
    """Inserts and deletes articles before queries, as other clients would."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rows = list(Article.objects.order_by("pk"))
        self._left = MEDDLINGS
        self._at_it = False
        self.gone: set[Any] = set()

    def __call__(
        self, execute: Any, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Let the query pass, maybe with a change before it."""
        if not self._at_it and self._left and self._rng.random() < 0.7:
            self._left -= 1
            self._at_it = True
            self._meddle()
            self._at_it = False
        return execute(sql, params, many, context)

    def _meddle(self) -> None:
        rng = self._rng
        row = copy(rng.choice(self._rows))
        if rng.random() < 0.4:
            self.gone.add(row.pk)
            Article.objects.filter(pk=row.pk).delete()
            return
        # The same place but for its key, which lies before all others or behind.
        row.pk = -rng.randrange(1, 10**9) if rng.random() < 0.5 else None
        row.save(force_insert=True)
