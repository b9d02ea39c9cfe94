"""A count without joins is the count with them."""

import random
from itertools import combinations
from typing import Any

import pytest
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum, Window
from django.db.models.functions import Lower, RowNumber

from drf_apikit.keyset import Total, count_rows
from drf_apikit.keyset.joins import without_unused_joins
from tests.app.models import Article, Author, Book, Novel, Profile, Remark, Shelf
from tests.keyset.walking import make_articles

REMARKS = Remark.objects.all()


@pytest.mark.parametrize(
    ("queryset", "left"),
    [
        (REMARKS, 0),
        (REMARKS.annotate(t=F("article__title")), 0),
        (REMARKS.alias(t=Lower("article__author__name")), 0),
        (REMARKS.annotate(t=F("answers__text"), u=F("article__title")), 0),
        (Author.objects.alias(p=F("profile")), 0),
        (Author.objects.alias(p=F("profile__author__profile")), 0),
        (Novel.objects.alias(t=F("title")), 0),
        # A filter looks at them.
        (REMARKS.filter(article__title="x"), 1),
        (REMARKS.alias(t=Lower("article__title")).filter(t="x"), 1),
        (REMARKS.filter(article__author__name="x"), 2),
        (REMARKS.filter(Q(answers__text="x") | Q(text="y")), 1),
        (REMARKS.alias(t=F("article__title")).exclude(answers__text="x"), 1),
        (REMARKS.alias(t=F("article__title")).extra(where=["text = 'x'"]), 0),
        (
            REMARKS.alias(t=F("article__title")).extra(
                where=["tests_app_article.title = 'x'"]
            ),
            1,
        ),
        # They may give no row, or several.
        (REMARKS.alias(n=F("author__name")), 1),
        (REMARKS.alias(n=F("author__profile")), 1),
        (Author.objects.alias(t=F("articles__title")), 1),
        (Author.objects.alias(t=F("articles__remark__text")), 2),
        (Book.objects.alias(s=F("shelves__name")), 1),
        (Book.objects.alias(s=F("shelves__name"), t=F("shelf__name")), 1),
        # Groups, and what is not Django's own.
        (Article.objects.annotate(n=Count("remark"), a=F("author__name")), 2),
        (REMARKS.annotate(t=F("article__title")).distinct(), 1),
        (REMARKS.annotate(t=F("article__title"))[:5], 1),
        (REMARKS.alias(t=F("article__title")).extra(select={"one": "1"}), 1),
        (
            REMARKS.annotate(t=F("article__title"), n=Window(RowNumber())),
            1,
        ),
        (REMARKS.alias(t=F("article__title")).none(), 0),
    ],
)
def test_joins_that_are_left(queryset: QuerySet[Any], left: int) -> None:
    query = without_unused_joins(queryset).query
    used = [alias for alias, count in query.alias_refcount.items() if count]
    kept = [alias for alias in used if hasattr(query.alias_map[alias], "join_field")]
    assert len(kept) == left


def test_the_queryset_itself_stays_as_it_was() -> None:
    queryset = REMARKS.annotate(t=F("article__title"))
    before = str(queryset.query)
    assert without_unused_joins(queryset) is not queryset
    assert str(queryset.query) == before


@pytest.fixture
def remarks() -> None:
    make_articles(12)
    rng = random.Random(3)
    articles = list(Article.objects.all())
    authors = list(Author.objects.all())
    Profile.objects.bulk_create(Profile(author=author) for author in authors[:2])
    made: list[Remark | None] = [None]
    for _ in range(20):
        made.append(
            Remark.objects.create(
                text=rng.choice("abc"),
                article=rng.choice(articles),
                answers=rng.choice(made),
                author=rng.choice(authors),
            )
        )


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "remarks")
def test_counts_are_those_of_the_query_as_it_was() -> None:
    annotations: dict[str, Any] = {
        "title": F("article__title"),
        "name": Lower("article__author__name"),
        "profile": F("article__author__profile"),
        "answered": F("answers__article__title"),
        "writer": F("author__name"),
        "answers_to": F("remark__text"),
        "known": Exists(Author.objects.filter(pk=OuterRef("article__author"))),
    }
    filters = [
        Q(),
        Q(text="a"),
        Q(article__score__gt=0),
        Q(answers__text="b") | Q(article__author__name="Ada"),
        ~Q(article__author__name="Ada"),
        Q(author__profile__isnull=False),
        Q(remark__text="c"),
    ]
    for names in combinations(annotations, 2):
        rows = REMARKS.annotate(**{f"by_{name}": annotations[name] for name in names})
        for condition in filters:
            queryset = rows.filter(condition)
            for shaped in (queryset, queryset.distinct(), queryset.values("text")):
                total = Total(len(shaped), "exact")
                assert count_rows(shaped) == total, (names, condition)
        grouped = rows.annotate(sum=Sum("article__score"))
        assert count_rows(grouped) == Total(len(grouped), "exact")


@pytest.mark.django_db
@pytest.mark.usefixtures("remarks")
@pytest.mark.parametrize("strategy", ["exact", "bounded", "estimated"])
@pytest.mark.parametrize(
    "queryset",
    [
        REMARKS.annotate(name=F("article__title")),
        REMARKS.values("article__title"),
        REMARKS.values("text", "author__name"),
        REMARKS.annotate(name=F("author__name")).filter(article__score__gt=0),
    ],
    ids=["annotation", "values", "two", "filter"],
)
def test_what_is_not_joined_is_not_selected(
    database: str, queryset: QuerySet[Any], strategy: str
) -> None:
    total = count_rows(queryset.all(), strategy)
    if (database, strategy) == ("postgresql", "estimated"):
        assert total.relation == "approximate"
    else:
        assert total == Total(len(queryset.all()), "exact")


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "remarks")
def test_a_promise_that_nobody_keeps_is_not_believed() -> None:
    article = Article.objects.order_by("pk")[0]
    Remark.objects.create(article=article, author_id=999)
    rows = REMARKS.alias(name=F("author__name"))
    # Django's own join leaves the row out, and so do its pages.
    assert len(rows) == 20
    assert count_rows(rows) == Total(20, "exact")
    assert count_rows(REMARKS) == Total(21, "exact")
    shelf = Shelf.objects.create(name="x")
    book = Book.objects.create(title="a", shelf=shelf)
    book.shelves.set([shelf, Shelf.objects.create(name="y")])
    several = Book.objects.alias(name=F("shelves__name"))
    assert count_rows(several) == Total(2, "exact")
