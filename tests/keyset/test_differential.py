"""Random orderings: every walk gives what one unpaginated ORDER BY gives."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db.models import (
    Avg,
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    Count,
    DateTimeField,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    IntegerField,
    Max,
    OrderBy,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    ExtractYear,
    Length,
    Lower,
    Mod,
    NullIf,
    Round,
    Sqrt,
    TruncDay,
    TruncHour,
    Upper,
)
from django.utils import timezone

from tests.app.models import Article, Author, Remark
from tests.keyset.walking import MOMENT, assert_walks, make_articles

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

SAME: Final = Article.objects.filter(author=OuterRef("author"))
LARGE: Final = Value(10_000_000_000, output_field=BigIntegerField())
COLUMNS: Final = (
    "title",
    "version",
    "created",
    "score",
    "price",
    "ratio",
    "day",
    "hour",
    "span",
    "flag",
    "token",
    "author",
    "author__name",
    "author__profile",
    "created__date",
    "created__hour",
)
EXPRESSIONS: Final[dict[str, Any]] = {
    "lower": Lower("title"),
    "upper of another row": Upper("author__name"),
    "length of another row": Length("author__name"),
    "coalesce": Coalesce("score", Value(1)),
    "cast to text": Cast("score", CharField()),
    "cast to float": Cast("score", FloatField()),
    "cast to decimal": Cast("score", DecimalField(max_digits=9, decimal_places=3)),
    "minus": F("score") - F("pk"),
    "integers divided": F("score") / (F("version") + 3),
    "thirds": F("score") / Value(3.0),
    "sevenths": F("version") / Value(7.0),
    "beyond 32 bits": F("score") * LARGE,
    "decimal thirds": F("price") / Value(3),
    "decimal product": ExpressionWrapper(
        F("price") * F("version"),
        output_field=DecimalField(max_digits=20, decimal_places=4),
    ),
    "case": Case(When(score__gt=0, then=Value("x")), When(flag=True, then=F("title"))),
    "subquery": Subquery(SAME.values("author").annotate(n=Count("pk")).values("n")),
    "average of a subquery": Subquery(
        SAME.values("author").annotate(n=Avg("version")).values("n")
    ),
    "exists": Exists(SAME.filter(score=2)),
    "condition": ExpressionWrapper(Q(score__gt=0), output_field=BooleanField()),
    "year": ExtractYear("day"),
    "concatenated": Concat("title", Value("|"), "author__name"),
    "nullif": NullIf("version", Value(1)),
    "remainder": Mod("version", Value(2)),
    "root": Sqrt("version"),
    "rounded": Round("ratio"),
    "moment": ExpressionWrapper(
        F("created") + Value(timedelta(microseconds=1)), output_field=DateTimeField()
    ),
    "difference": F("created") - Value(MOMENT, output_field=DateTimeField()),
    "latest": Coalesce("created", Value(MOMENT)),
}
AGGREGATES: Final[dict[str, Any]] = {
    "count": Count("articles"),
    "average": Avg("articles__score"),
    "average without null": Avg("articles__version"),
    "average price": Avg("articles__price"),
    "sum of prices": Sum("articles__price"),
    "sum beyond 32 bits": Sum(F("articles__version") * LARGE),
    "latest": Max("articles__created"),
    "longest": Max("articles__span"),
    "average span": Avg("articles__span"),
    "largest ratio": Max("articles__ratio"),
}


def placed(expression: Any, rng: random.Random) -> OrderBy:
    """Give a direction, and mostly a place for NULLs."""
    place = rng.choice([{}, {"nulls_first": True}, {"nulls_last": True}])
    return OrderBy(expression, descending=rng.random() < 0.5, **place)


def orderings(count: int) -> Iterator[list[Any]]:
    """Give orderings of one to three items of all kinds."""
    rng = random.Random(5)
    for _ in range(count):
        items: list[Any] = []
        for name in rng.sample(COLUMNS, rng.choice([1, 2, 2, 3])):
            kind = rng.random()
            if kind < 0.3:
                items.append(rng.choice(["", "-"]) + name)
            elif kind < 0.7:
                items.append(placed(F(name), rng))
            elif kind < 0.8:
                items.append(rng.choice(["", "-"]) + "remarks")
            else:
                items.append(placed(rng.choice(list(EXPRESSIONS.values())), rng))
        yield items


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_walk(name: str) -> None:
    make_articles(9)
    rng = random.Random(name)
    assert_walks(Article.objects.all(), [placed(EXPRESSIONS[name], rng)], 2)


@pytest.mark.parametrize("name", AGGREGATES)
def test_aggregates_walk(name: str) -> None:
    make_articles(25)
    aggregate = AGGREGATES[name]
    assert_walks(Author.objects.annotate(found=aggregate), ["-found"], 1)
    by = [placed(F("found"), random.Random(name)), Lower("name")]
    assert_walks(Author.objects.alias(found=aggregate), by, 1)


def test_random_orderings_walk() -> None:
    make_articles(9)
    articles = list(Article.objects.all())
    Remark.objects.bulk_create(
        Remark(article=articles[n % 5], author_id=999) for n in range(9)
    )
    annotated = Article.objects.annotate(
        remarks=Subquery(
            Remark.objects.filter(article=OuterRef("pk"))
            .values("article")
            .annotate(n=Count("pk"))
            .values("n"),
            output_field=IntegerField(),
        )
    )
    for index, items in enumerate(orderings(12)):
        # A name that comes twice has its first meaning alone.
        assert_walks(annotated.filter(version__lt=3), items, index % 4 + 2)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_another_time_zone_loses_nothing() -> None:
    # MariaDB needs the names of time zones, which tests cannot expect there.
    make_articles(16)
    with timezone.override("Asia/Tokyo"):
        assert_walks(Article.objects.all(), [TruncDay("created")], 2)
        assert_walks(Article.objects.annotate(at=TruncHour("created")), ["-at"], 2)
        assert_walks(Article.objects.all(), ["-created__date", "created__hour"], 2)
