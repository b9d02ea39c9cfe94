"""What may stand in an ordering, and what it means."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OrderBy,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, Lower, RowNumber
from django.test.utils import isolate_apps, register_lookup
from pytest_django import DjangoAssertNumQueries

from drf_apikit.keyset import Term, ordered, plan, read_slice, resolve_ordering
from tests.app.models import Article, Author, Book, Profile, Seat
from tests.keyset.walking import assert_walks, make_articles

SAME = Article.objects.filter(author=OuterRef("author"))


def terms(queryset: Any, *items: Any) -> tuple[Term, ...]:
    return resolve_ordering(queryset, items).terms


def first(queryset: Any, item: Any) -> Term:
    return terms(queryset, item)[0]


# Names, F and OrderBy


@pytest.mark.parametrize(
    ("model", "item"),
    [
        (Book, "shelf"),
        (Book, "-shelf"),
        (Book, "-sequel_of"),
        (Book, "-sequel_of__shelf"),
        (Article, "-author"),
        (Article, "author__pk"),
        (Article, "created__date"),
        (Article, "-title__lower"),
        (Author, "-profile"),
        (Book, "-book"),
        (Book, F("book").desc()),
        (Author, F("profile")),
        (Seat, "-pk"),
        (Book, F("shelf")),
        (Book, F("shelf").desc()),
        (Book, F("sequel_of__shelf").asc(nulls_last=True)),
        (Article, F("author").desc(nulls_last=True)),
        (Article, F("author").asc(nulls_last=True)),
        (Article, F("pk").desc()),
        (Article, F("score").asc(nulls_first=True)),
        (Article, OrderBy(Lower("title"), descending=True)),
        (Article, Coalesce("score", 1)),
    ],
    ids=str,
)
def test_an_item_means_what_it_means_to_django(model: Any, item: Any) -> None:
    with register_lookup(CharField, Lower):
        queryset = model.objects.all()
        ours = clause(ordered(queryset, resolve_ordering(queryset, [item])))
        theirs = clause(queryset.order_by(item))
    # The key follows.
    assert ours.startswith(theirs)


def clause(queryset: Any) -> str:
    """Give the ordering in SQL, without a place that SQLite has for NULLs anyway."""
    sql = str(queryset.query).split("ORDER BY")[1]
    return sql.replace(" ASC NULLS FIRST", " ASC").replace("DESC NULLS LAST", "DESC")


@pytest.mark.parametrize("turn", ["", "-"])
@pytest.mark.parametrize("item", ["score", "-score"])
def test_strings_go_both_ways(item: str, turn: str) -> None:
    term = first(Article.objects.all(), f"{turn}{item}".replace("--", ""))
    descending = (item[0] == "-") != (turn == "-")
    assert term.descending == descending
    assert term.native
    assert term.nulls_last == descending
    assert str(term) == ("-score" if descending else "score")


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("item", ["score", "-score"])
def test_a_term_knows_where_the_database_puts_null(item: str) -> None:
    Article.objects.bulk_create([Article(score=None), Article(score=1)])
    found = list(Article.objects.order_by(item).values_list("score", flat=True))
    term = first(Article.objects.all(), item)
    assert term.native
    assert term.nulls_last == (found[-1] is None)
    back = term.reversed()
    assert (back.native, back.nulls_last) == (True, not term.nulls_last)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("last", [True, False], ids=["last", "first"])
@pytest.mark.parametrize("descending", [True, False], ids=["down", "up"])
def test_nulls_go_where_they_are_asked_to(last: bool, descending: bool) -> None:
    place = {"nulls_last": True} if last else {"nulls_first": True}
    own = first(Article.objects.all(), "-score" if descending else "score")
    for name in ("score", "author", "author__name"):
        item = OrderBy(F(name), descending=descending, **place)
        term = first(Article.objects.all(), item)
        assert (term.nulls_last, term.descending) == (last, descending)
        assert term.native == (own.nulls_last == last)
        end = f" nulls {'last' if last else 'first'}"
        assert str(term).endswith(end) != term.native
    # What is never NULL has no place for it.
    unmoved = first(Article.objects.all(), OrderBy(F("title"), **place))
    assert (unmoved.native, unmoved.nullable) == (True, False)


def test_an_ordering_within_an_ordering_is_refused() -> None:
    for inner in (F("score").desc(), F("score").asc(nulls_last=True)):
        with pytest.raises(ValueError, match="has two directions"):
            terms(Article.objects.all(), OrderBy(inner))


@pytest.mark.parametrize(
    "item",
    [
        "",
        "-",
        "+",
        "nothing",
        "score__nothing",
        "author__nothing",
        "author__articles",
        "author__articles__score",
        "articles",
        "pk__pk",
        "score desc",
        "id; DROP TABLE",
        F("nothing"),
        F("author__articles__score").desc(),
        Lower("nothing"),
        Lower("author__articles__title"),
        Coalesce("author__articles__score", "score"),
        Coalesce("score", "version"),
        Q(score=1),
        None,
        1,
        Article,
    ],
    ids=str,
)
def test_what_is_no_column_is_refused(item: Any) -> None:
    with pytest.raises(
        ValueError,
        match=r"no name of a column|no column|one row|Cannot resolve|mixed types|join",
    ):
        terms(Article.objects.all(), "-title", item)


@pytest.mark.parametrize(
    ("queryset", "item", "why"),
    [
        (Article.objects.all(), "?", "random"),
        (Article.objects.all(), "extra", "JSONField, which has no order"),
        (Article.objects.all(), "extra__key", "no order|no column"),
        (Article.objects.all(), Window(RowNumber()), "window function"),
        (
            Article.objects.annotate(n=Window(RowNumber(), order_by="score")),
            "-n",
            "window function",
        ),
        (Article.objects.annotate(e=F("extra")), "e", "JSONField"),
        (Book.objects.all(), "shelves", "no column of Book"),
        (Book.objects.all(), "shelves__name", "lead to one row"),
        (Book.objects.all(), Lower("shelves__name"), "lead to one row"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_what_has_no_positions_is_refused(queryset: Any, item: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        terms(queryset, item)


@isolate_apps("tests.app")
def test_an_ordering_that_goes_round_in_circles_is_refused() -> None:
    class Node(models.Model):
        parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"
            ordering = ["parent"]

    with pytest.raises(ValueError, match="too many relations"):
        terms(Node._default_manager.all(), "-parent")
    assert str(first(Node._default_manager.all(), F("parent"))) == "parent_id"


@isolate_apps("tests.app")
def test_a_field_without_a_column_is_refused() -> None:
    class Note(models.Model):
        content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
        object_id = models.PositiveIntegerField()
        target = GenericForeignKey()

        class Meta:
            app_label = "tests_app"

    for name in ("target", "target__name", "pk__id"):
        with pytest.raises(ValueError, match=r"no column of Note|lead to one|Join"):
            terms(Note._default_manager.all(), name)


@pytest.mark.parametrize("kind", ["DateRangeField", "ArrayField", "HStoreField"])
def test_a_type_without_order_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As PostgreSQL's own fields say of themselves.
    score = Article._meta.get_field("score")
    monkeypatch.setattr(score, "get_internal_type", lambda: kind)
    with pytest.raises(ValueError, match=f"is a {kind}, which has no order"):
        terms(Article.objects.alias(), F("score").desc(), "title")


@isolate_apps("tests.app")
def test_a_related_ordering_can_have_expressions() -> None:
    class Room(models.Model):
        name = models.CharField(max_length=9)
        size = models.IntegerField(null=True)

        class Meta:
            app_label = "tests_app"
            ordering = [Lower("name"), F("size").desc(nulls_last=True), "-name"]

    class Door(models.Model):
        room = models.ForeignKey(Room, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"

    doors = Door._default_manager.all()
    low, size, name, key = terms(doors, "room")
    assert "LOWER" in low.text
    assert (low.descending, size.descending, name.descending) == (False, True, True)
    assert (str(size), str(name), str(key)) == ("-room__size", "-room__name", "-id")
    low, size, name, key = terms(doors, "-room")
    assert (low.descending, size.descending, name.descending) == (True, False, False)
    assert (size.nulls_last, str(key)) == (False, "id")
    assert [str(term) for term in terms(doors, "room_id")] == ["room_id", "id"]
    assert [str(term) for term in terms(doors, F("room"))] == ["room_id", "id"]


# Expressions and annotations


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "expression",
    [
        Lower("title"),
        Coalesce("score", Value(1)),
        Cast("score", CharField()),
        F("version") + F("id") * 2,
        Case(When(score__gt=0, then=Value("x")), default=F("title")),
        pytest.param(Subquery(SAME.order_by("pk").values("title")[:1]), id="subquery"),
        pytest.param(Exists(SAME.filter(score=2)), id="exists"),
        F("created__date"),
        Lower("author__name"),
        F("author__profile__author__name"),
    ],
    ids=str,
)
def test_an_expression_as_item_annotation_and_alias_is_the_same_list(
    expression: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_articles(9)
    plain = Article.objects.all()
    order = OrderBy(expression, descending=True)
    whole = list(plain.order_by(order, "-pk").values_list("pk", flat=True))
    lists: list[tuple[Any, Any]] = [
        (plain, order),
        (plain.annotate(by=expression), "-by"),
        (plain.alias(by=expression), F("by").desc()),
        (plain.annotate(by=expression).values("by", "pk"), "-by"),
        (plain.values("pk"), order),
    ]
    for queryset, item in lists:
        ordering = resolve_ordering(queryset, [item])
        with django_assert_num_queries(1):
            found = read_slice(queryset, ordering, 100)
        rows = found.rows
        keys = [row["pk"] if isinstance(row, dict) else row.pk for row in rows]
        assert keys == whole


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_an_aggregate_is_an_ordering() -> None:
    make_articles(20)
    authors = Author.objects.all()
    found = read_slice(authors, resolve_ordering(authors, [Count("articles")]), 9)
    by = authors.annotate(n=Count("articles")).order_by("n", "pk")
    assert found.rows == list(by)


def test_what_is_selected_already_is_not_selected_again() -> None:
    by = Article.objects.annotate(low=Lower("title"), n=Count("remark"))
    ordering = resolve_ordering(by, ["low", "-n", "score", "author"])
    assert ordering.annotations() == {}
    hidden = Article.objects.alias(low=Lower("title"))
    assert len(resolve_ordering(hidden, ["low", "author__name"]).annotations()) == 2


@pytest.mark.django_db
def test_rows_are_as_they_would_be_without_pages() -> None:
    make_articles(3)
    rows = Article.objects.values("title")
    ordering = resolve_ordering(rows, ["-author__name", Lower("title")])
    (query,) = plan(rows, ordering)
    assert set(query[0]) > {"title"}
    assert {frozenset(row) for row in read_slice(rows, ordering, 9).rows} == {
        frozenset({"title"})
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("known", [True, False], ids=["author", "no author"])
def test_a_position_is_read_without_another_query(
    known: bool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    author = Author.objects.create(name="Ada") if known else None
    if author:
        Profile.objects.create(author=author)
    article = Article.objects.create(title="x", author=author)
    ordering = resolve_ordering(
        Article.objects.all(), ["author__name", "title", "author__profile"]
    )
    with django_assert_num_queries(1):
        found = read_slice(Article.objects.all(), ordering, 5)
    values = ("Ada", "x", author.pk) if author else (None, "x", None)
    assert found.begin == found.end == (*values, article.pk)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_what_is_computed_is_read_as_the_database_has_it() -> None:
    Article.objects.bulk_create(Article(version=version) for version in (1, 0, 0))
    author = Author.objects.create(name="Ada")
    Article.objects.update(author=author, created=datetime(2026, 1, 1, tzinfo=UTC))
    authors = Author.objects.annotate(mean=Avg("articles__version"))
    found = read_slice(authors, resolve_ordering(authors, ["mean"]), 5)
    assert found.rows[0].mean == pytest.approx(1 / 3, abs=1e-4)
    assert found.begin is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT AVG(version) FROM tests_app_article")
        assert cursor.fetchone()[0] == found.begin[0]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_expressions_that_differ_in_a_value_are_two_terms() -> None:
    make_articles(9)

    def is_score(score: int) -> Any:
        return Case(When(score=score, then=Value(0)), default=Value(1))

    items = [is_score(2), is_score(-1), Lower("title")]
    assert len(terms(Article.objects.all(), *items)) == 4
    assert_walks(Article.objects.all(), items, 2)
    prints = {
        resolve_ordering(Article.objects.all(), [is_score(score)]).fingerprint()
        for score in (0, 1, 1, 2)
    }
    assert len(prints) == 3
