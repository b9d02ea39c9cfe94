"""Orderings become total: the key is appended, unless another one is there."""

from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection, models
from django.db.models import Count, Exists, F, Q, Subquery
from django.db.models.functions import Lower
from django.test.utils import isolate_apps

from drf_apikit.keyset import (
    items_of,
    keyset_iterator,
    ordering_of,
    resolve_ordering,
)
from tests.app.models import Article, Author, Book, Novel, Profile, Seat


def names(model: type[models.Model], *ordering: Any) -> list[str]:
    queryset = model._default_manager.all()
    return list(map(str, resolve_ordering(queryset, ordering).terms))


@pytest.mark.parametrize(
    ("model", "ordering", "resolved"),
    [
        (Article, [], ["id"]),
        (Article, ["pk"], ["id"]),
        (Article, ["-pk"], ["-id"]),
        (Article, ["score"], ["score", "id"]),
        (Article, ["+score"], ["score", "id"]),
        (Article, ["-score"], ["-score", "-id"]),
        (Article, ["-score", "title"], ["-score", "title", "id"]),
        (Article, ["id", "score"], ["id"]),
        (Article, ["-score", "pk", "title"], ["-score", "id"]),
        (Article, ["score", "-score", "score"], ["score", "id"]),
        (Article, ["author"], ["author_id", "id"]),
        (Article, ["author_id"], ["author_id", "id"]),
        (Article, ["author", "-author_id"], ["author_id", "id"]),
        (Article, ["-author__name"], ["-author__name", "-id"]),
        (Article, ["author__pk"], ["author__id", "id"]),
        (Article, ["author__profile"], ["author__profile__author_id", "id"]),
        (Book, ["shelf"], ["-shelf__name", "-id"]),
        (Book, ["-shelf"], ["shelf__name", "id"]),
        (Book, ["shelf_id"], ["shelf_id", "id"]),
        (Book, ["shelf", "-title"], ["-shelf__name", "-title", "-id"]),
        (Book, ["-sequel_of"], ["sequel_of__shelf__name", "sequel_of__title", "id"]),
        (Author, ["profile"], ["profile__author_id", "id"]),
        (Profile, [], ["author_id"]),
        (Profile, ["author"], ["author_id"]),
        (Profile, ["-author__name"], ["-author__name", "-author_id"]),
        (Seat, [], ["line", "number"]),
        (Seat, ["-pk"], ["-line", "-number"]),
        (Seat, ["-price"], ["-price", "-line", "-number"]),
        (Seat, ["number"], ["number", "line"]),
        (Seat, ["number", "-line", "price"], ["number", "-line"]),
        (Novel, [], ["book_ptr_id"]),
        (Novel, ["-pages"], ["-pages", "-book_ptr_id"]),
        (Novel, ["title"], ["title", "book_ptr_id"]),
        (Novel, ["-id", "pages"], ["-id"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else ",".join(value),
)
def test_names_become_columns_that_tell_all_rows_apart(
    model: type[models.Model], ordering: list[str], resolved: list[str]
) -> None:
    assert names(model, *ordering) == resolved


@isolate_apps("tests.app")
def test_a_unique_key_makes_the_primary_key_unnecessary() -> None:
    class Kept(models.Model):
        code = models.CharField(max_length=9, unique=True)
        maybe = models.IntegerField(unique=True, null=True)
        one = models.IntegerField()
        two = models.IntegerField(null=True)
        three = models.IntegerField()
        four = models.IntegerField()
        other = models.OneToOneField(Author, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"
            unique_together = [("one", "three"), ("one", "two")]
            constraints = [
                models.UniqueConstraint(fields=["three", "four"], name="both"),
                models.UniqueConstraint(
                    fields=["four"], condition=Q(one=1), name="sometimes"
                ),
                models.UniqueConstraint(
                    fields=["three"],
                    name="later",
                    deferrable=models.Deferrable.DEFERRED,
                ),
                models.UniqueConstraint(Lower("code"), name="computed"),
            ]

    assert names(Kept, "-code", "one") == ["-code"]
    assert names(Kept, "other") == ["other_id"]
    assert names(Kept, "one", "-three", "four") == ["one", "-three"]
    assert names(Kept, "four", "two", "-three") == ["four", "two", "-three"]
    # Not unique enough: NULL is not equal to NULL, and the others do not hold.
    assert names(Kept, "maybe") == ["maybe", "id"]
    assert names(Kept, "one", "two") == ["one", "two", "id"]
    assert names(Kept, "four") == ["four", "id"]
    assert names(Kept, "three") == ["three", "id"]
    (_, key) = names(Kept, Lower("code"))
    assert key == "id"
    # A unique column of another table says nothing about the rows of this one.
    assert names(Profile, "author__id") == ["author__id", "author_id"]


@pytest.mark.parametrize(
    ("queryset", "items"),
    [
        (Article.objects.all(), ()),
        (Article.objects.order_by("-score", "pk"), ("-score", "pk")),
        (Article.objects.order_by("-score", "pk").reverse(), ("score", "-pk")),
        (Book.objects.all(), ("shelf", "-title")),
        (Book.objects.reverse(), ("-shelf", "title")),
        (Book.objects.order_by(), ()),
    ],
    ids=["none", "own", "reversed", "model", "model reversed", "taken away"],
)
def test_a_queryset_has_an_ordering_of_itself(
    queryset: models.QuerySet[Any], items: tuple[str, ...]
) -> None:
    assert ordering_of(queryset) == items


def test_expressions_are_reversed_as_well() -> None:
    own = Article.objects.order_by(F("score").desc(nulls_last=True), Lower("title"))
    score, title = resolve_ordering(own, ordering_of(own.reverse())).terms[:2]
    assert (score.descending, score.nulls_last) == (False, False)
    assert title.descending
    # What the queryset itself holds has not changed.
    assert resolve_ordering(own, ordering_of(own)).terms[0].descending


def test_reversing_twice_changes_nothing() -> None:
    ordering = resolve_ordering(Article.objects.all(), ["-score", "title", "author"])
    assert ordering.reversed() != ordering
    assert ordering.reversed().reversed() == ordering


def fingerprint(model: type[models.Model], *items: Any) -> str:
    return resolve_ordering(model._default_manager.all(), items).fingerprint()


def test_a_fingerprint_tells_orderings_apart() -> None:
    orderings: list[list[Any]] = [
        [],
        ["-pk"],
        ["score"],
        ["-score"],
        ["version"],
        ["score", "title"],
        ["title", "score"],
        [F("score").asc(nulls_first=True)],
        [F("score").asc(nulls_last=True)],
        [F("score").desc(nulls_last=True)],
        [F("score") + 1],
        [F("score") + F("version") - F("version")],
        [Lower("title")],
    ]
    found = [fingerprint(Article, *items) for items in orderings]
    # One of the places is where SQLite has them anyway.
    assert len(set(found)) == len(found) - 2
    assert fingerprint(Author) != fingerprint(Article)
    assert fingerprint(Article, "-score") == fingerprint(Article, "-score", "-pk")


def test_a_column_of_another_type_is_another_ordering() -> None:
    def changed(field: Any) -> str:
        meta = type("Meta", (), {"app_label": "tests_app", "apps": Apps()})
        fields = {"__module__": __name__, "Meta": meta, "size": field}
        return fingerprint(type("Changed", (models.Model,), fields), "size")

    number = changed(models.IntegerField())
    assert changed(models.IntegerField()) == number
    assert changed(models.IntegerField(null=True)) != number
    assert changed(models.CharField(max_length=9)) != number


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_position_is_read_from_a_row() -> None:
    author = Author.objects.create(name="Ada")
    article = Article.objects.create(title="x", author=author)
    ordering = resolve_ordering(Article.objects.all(), ["title"])
    assert ordering.values_of(article) == ("x", article.pk)
    assert ordering.values_of({"title": "x", "id": 1, "more": 2}) == ("x", 1)
    with pytest.raises(ValueError, match="the rows have no 'title'"):
        ordering.values_of({"id": 1})
    with pytest.raises(ValueError, match="the rows have no 'title'"):
        ordering.values_of(author)


@pytest.mark.parametrize(
    ("one", "other"),
    [(F("version") + 7, F("version") + 8), (F("version"), F("score"))],
    ids=["a value", "a column"],
)
def test_an_annotation_is_what_it_means_and_not_its_name(one: Any, other: Any) -> None:
    first, second = (
        resolve_ordering(Article.objects.annotate(rank=rank), ["rank"])
        for rank in (one, other)
    )
    assert first.fingerprint() != second.fingerprint()


@pytest.mark.django_db
def test_an_annotation_that_is_known_to_be_empty_has_a_meaning() -> None:
    nothing = Article.objects.none()
    by_none = Article.objects.annotate(some=Subquery(nothing.values("id")))
    by_false = Article.objects.annotate(some=Exists(nothing))
    first, second = (resolve_ordering(rows, ["some"]) for rows in (by_none, by_false))
    assert first.fingerprint() != second.fingerprint()
    assert list(keyset_iterator(by_none, "some")) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_the_name_of_a_unique_column_is_no_promise() -> None:
    Article.objects.bulk_create(Article(title=f"{n % 3}") for n in range(7))
    groups = Article.objects.values("title").annotate(id=Count("id"))
    assert len(list(keyset_iterator(groups, "id", 1))) == 3


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_groups_do_not_have_the_ordering_of_their_model() -> None:
    Book.objects.bulk_create(Book(title=f"{n % 3}") for n in range(7))
    groups = Book.objects.values("title").annotate(n=Count("id"))
    assert ordering_of(groups) == ()
    found = keyset_iterator(groups, ordering_of(groups), 2)
    assert [row["title"] for row in found] == ["0", "1", "2"]


def test_a_name_that_comes_again_is_one() -> None:
    names = ["title", "-title", "title", "title"] * 1000
    assert items_of(names) == ("title", "-title")
    assert len(resolve_ordering(Article.objects.all(), names).terms) == 2


def test_empty_text_may_be_null(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Oracle, of which there is none here."""
    features = connection.features
    monkeypatch.setattr(features, "interprets_empty_strings_as_nulls", True)
    rows = Article.objects.only("title", "score")
    ordering = resolve_ordering(rows, ["title", Lower("title"), "score"])
    nullable = [term.nullable for term in ordering.terms]
    assert nullable == [True, True, True, False]
    article = Article(pk=1, title="", score=0)
    vars(article)[ordering.terms[1].attribute] = ""
    assert ordering.values_of(article) == (None, None, 0, 1)


class Counted(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        type(self).compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_many_names_cost_no_more_than_each_of_them() -> None:
    names = [Counted(f"{n % 1000}") for n in range(2000)]
    assert len(items_of(names)) == 1000
    assert 1000 <= Counted.compared <= 3000
