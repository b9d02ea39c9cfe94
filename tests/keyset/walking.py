"""Walks by the engine against one ORDER BY, and the rows that they are tried on."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import OrderBy

from drf_apikit.keyset import Cursor, Ordering, Slice, decode, encode, read_slice
from drf_apikit.keyset import resolve_ordering as resolve
from drf_apikit.keyset.planner import plan
from tests.app.models import Article, Author

__all__ = ["MOMENT", "assert_walks", "make_articles", "rows_in_pages"]

MOMENT = datetime(2026, 11, 22, 23, 21, 5, 1, tzinfo=UTC)


def make_articles(count: int, seed: int = 1) -> None:
    """Make rows with ties and NULLs in every column that may have them."""
    rng = random.Random(seed)
    authors = [Author.objects.create(name=name) for name in ("Bo", "Ada", "bo", "É")]

    def some(*values: Any) -> Any:
        """Draw a value; NULL comes as often as each of them."""
        return rng.choice((*values, None))

    Article.objects.bulk_create(
        Article(
            title=rng.choice(["", " ", "a", "A", "a ", "é", "e", "🦆", "%", "a\tb"]),
            version=rng.randrange(3),
            created=some(*(MOMENT + timedelta(hours=n) for n in (0, 1, 7, 23))),
            score=some(-1, 0, 2),
            price=rng.choice([Decimal("-0.0001"), Decimal(0), Decimal("12345678.9")]),
            ratio=rng.choice([-1e300, -0.1, 0.0, -0.0, 0.1 + 0.2, 0.3, 5e-324, 1e306]),
            day=some(date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)),
            hour=some(time(0), time(0, 0, 0, 1), time(23, 59, 59, 999999)),
            span=some(timedelta(0), timedelta(microseconds=-1), timedelta(days=400)),
            flag=rng.random() < 0.4,
            token=UUID(int=rng.randrange(3) << 126),
            author=some(*authors),
        )
        for _ in range(count)
    )


def assert_walks(queryset: Any, items: Sequence[Any], limit: int) -> None:
    """See that all walks give what one ORDER BY gives, and nothing else.

    From both ends to the other; and from each row one way, up to any limit.
    """
    ordering = resolve(queryset, items)
    keys = [row.pk for row in queryset.order_by(*items, *_key(queryset, items))]
    assert len(keys) == queryset.count()
    chunks = [keys[start : start + limit] for start in range(0, len(keys), limit)]
    assert _pages(queryset, ordering, limit, reverse=False) == chunks
    backward = _pages(queryset, ordering, limit, reverse=True)
    assert [key for page in backward[::-1] for key in page] == keys
    assert {len(page) for page in backward[:-1]} <= {limit}
    rows = [row for part in plan(queryset, ordering) for row in part]
    assert [row.pk for row in rows] == keys
    rng = random.Random(limit)
    for index, row in enumerate(rows):
        inclusive = rng.random() < 0.3
        some = rng.randrange(1, len(keys) + 1)
        # It is a hint: a wrong one costs time, and no row.
        hint = rng.random() < 0.5
        reverse = rng.random() < 0.5
        here = Cursor(ordering.values_of(row), reverse, inclusive, few_ties=hint)
        found = _read(queryset, ordering, some, here)
        beyond = keys[: index + inclusive] if reverse else keys[index + 1 - inclusive :]
        near = beyond[-some:] if reverse else beyond[:some]
        assert [row.pk for row in found.rows] == near
        assert found.more == (len(beyond) > some)


def rows_in_pages(queryset: Any, items: Sequence[Any], limit: int) -> list[list[Any]]:
    """Give the rows of each page, from the first to the last."""
    ordering = resolve(queryset, items)
    found = _read(queryset, ordering, limit, Cursor(None))
    pages = [found.rows]
    while found.more:
        assert len(pages) < 1000, "the pages have no end"
        here = Cursor(found.end, few_ties=found.few_ties)
        found = _read(queryset, ordering, limit, here)
        pages.append(found.rows)
    return pages


def _pages(
    queryset: Any, ordering: Ordering, limit: int, *, reverse: bool
) -> list[list[Any]]:
    found = _read(queryset, ordering, limit, Cursor(None, reverse))
    pages = [[row.pk for row in found.rows]]
    while found.more:
        assert len(pages) < 1000, "the pages have no end"
        end = found.begin if reverse else found.end
        here = Cursor(end, reverse, few_ties=found.few_ties)
        found = _read(queryset, ordering, limit, here)
        pages.append([row.pk for row in found.rows])
    return pages


def _read(queryset: Any, ordering: Ordering, limit: int, cursor: Cursor) -> Slice:
    """Read as a client would: the position has been text in between."""
    read = decode(encode(cursor, ordering, ""), ordering, "")
    return read_slice(
        queryset,
        ordering,
        limit,
        read.position,
        reverse=read.reverse,
        inclusive=read.inclusive,
        few_ties=read.few_ties,
    )


def _key(queryset: Any, items: Sequence[Any]) -> list[str]:
    """Give the key that the engine appends, in the direction of the last item."""
    last = items[-1] if items else ""
    if isinstance(last, str):
        descending = last.startswith("-")
    else:
        descending = isinstance(last, OrderBy) and last.descending
    parts = [part.attname for part in queryset.model._meta.pk_fields]
    return [f"-{name}" if descending else name for name in parts]
