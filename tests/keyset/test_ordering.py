from typing import Any

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import F
from django.test.utils import isolate_apps

from drf_apikit.keyset import Term, resolve_ordering, seek
from tests.app.models import Article, Author, Book, Profile, Seat


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
        (Article, ["-score"], ["-score", "-id"]),
        (Article, ["-score", "title"], ["-score", "title", "id"]),
        (Article, ["id", "score"], ["id", "score"]),
        (Article, ["score", "-score", "score"], ["score", "id"]),
        (Article, ["author"], ["author_id", "id"]),
        (Article, ["author_id"], ["author_id", "id"]),
        (Article, ["-author__name"], ["-author__name", "-id"]),
        (Article, ["author__pk"], ["author__id", "id"]),
        (Book, ["shelf"], ["-shelf__name", "-id"]),
        (Book, ["-shelf"], ["shelf__name", "id"]),
        (Book, ["shelf_id"], ["shelf_id", "id"]),
        (Book, ["shelf", "-title"], ["-shelf__name", "-title", "-id"]),
        (
            Book,
            ["-sequel_of"],
            ["sequel_of__shelf__name", "sequel_of__title", "id"],
        ),
        (Profile, [], ["author_id"]),
        (Profile, ["-author__name"], ["-author__name", "-author_id"]),
        (Seat, [], ["line", "number"]),
        (Seat, ["-pk"], ["-line", "-number"]),
        (Seat, ["-price"], ["-price", "-line", "-number"]),
        (Seat, ["number"], ["number", "line"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else ",".join(value),
)
def test_names_become_columns_that_tell_all_rows_apart(
    model: type[models.Model], ordering: list[str], resolved: list[str]
) -> None:
    assert names(model, *ordering) == resolved


@pytest.mark.parametrize(
    ("model", "ordering"),
    [
        (Book, ["shelf"]),
        (Book, ["-shelf"]),
        (Book, ["-sequel_of"]),
        (Book, ["-sequel_of__shelf", "title"]),
        (Article, ["-author"]),
        (Article, ["author__pk"]),
        (Seat, ["-pk"]),
    ],
    ids=str,
)
def test_a_name_means_what_it_means_to_django(
    model: type[models.Model], ordering: list[str]
) -> None:
    columns = resolve_ordering(model._default_manager.all(), ordering).terms
    key = len(model._meta.pk_fields)
    own = columns if model is Seat else columns[:-key]

    def clause(*by: str) -> str:
        return str(model._default_manager.order_by(*by).query).split("ORDER BY")[1]

    assert clause(*map(str, own)) == clause(*ordering)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        "--score",
        "?",
        "nothing",
        "score__nothing",
        "author__nothing",
        "author__articles",
        "author__articles__score",
        "created__year",
        "extra__key",
        "articles",
        "pk__pk",
        "score desc",
        "id; DROP TABLE",
        F("score"),
        F("score").desc(nulls_last=True),
        None,
        1,
    ],
    ids=str,
)
def test_what_is_no_column_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=r"no name of a column|no column|one row"):
        names(Article, "-title", name)


def test_a_relation_to_many_rows_is_refused() -> None:
    for name in ("shelves", "shelves__name", "book"):
        with pytest.raises(ValueError, match=r"no column of Book|lead to one row"):
            names(Book, name)


@isolate_apps("tests.app")
def test_a_relation_that_is_ordered_by_an_expression_is_refused() -> None:
    class Room(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "tests_app"
            ordering = [F("name").asc(nulls_last=True)]

    class Door(models.Model):
        room = models.ForeignKey(Room, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"

    with pytest.raises(ValueError, match="'room' is ordered by more than columns"):
        names(Door, "room")
    assert names(Door, "room_id", "room__name") == ["room_id", "room__name", "id"]


@isolate_apps("tests.app")
def test_an_ordering_that_goes_round_in_circles_is_refused() -> None:
    class Node(models.Model):
        parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"
            ordering = ["parent"]

    with pytest.raises(ValueError, match="too many relations"):
        names(Node, "-parent")


@isolate_apps("tests.app")
def test_a_field_without_a_column_is_refused() -> None:
    class Note(models.Model):
        content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
        object_id = models.PositiveIntegerField()
        target = GenericForeignKey()

        class Meta:
            app_label = "tests_app"

    for name in ("target", "target__name", "pk__id"):
        with pytest.raises(ValueError, match=r"no column of Note|lead to one row"):
            names(Note, name)


@pytest.mark.parametrize(
    ("name", "nullable"),
    [
        ("title", False),
        ("score", True),
        ("author", True),
        ("author__name", True),
        ("author__pk", True),
        ("id", False),
    ],
)
def test_a_term_knows_whether_it_meets_null(name: str, nullable: bool) -> None:
    terms = resolve_ordering(Article.objects.all(), [name]).terms
    assert [term.nullable for term in terms] == [nullable, False][: len(terms)]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["score", "-score"])
def test_a_term_knows_where_the_database_puts_null(name: str) -> None:
    Article.objects.bulk_create([Article(score=None), Article(score=1)])
    found = list(Article.objects.order_by(name).values_list("score", flat=True))
    term = resolve_ordering(Article.objects.all(), [name]).terms[0]
    assert term.nulls_last == (found[-1] is None)
    back = list(
        Article.objects.order_by(str(term.reversed())).values_list("score", flat=True)
    )
    assert term.reversed().nulls_last == (back[-1] is None)


def test_reversing_twice_changes_nothing() -> None:
    ordering = resolve_ordering(Article.objects.all(), ["-score", "title", "author"])
    assert ordering.reversed() != ordering
    assert ordering.reversed().reversed() == ordering


def test_a_column_of_another_type_is_another_ordering() -> None:
    ordering = resolve_ordering(Article.objects.all(), ["score"])
    score, key = ordering.terms
    as_text = Term("score", score.descending, score.nullable, score.nulls_last, "Text")
    changed = type(ordering)(Article, (as_text, key))
    assert changed.fingerprint() != ordering.fingerprint()
    assert ordering.reversed().fingerprint() != ordering.fingerprint()


@pytest.mark.django_db
@pytest.mark.parametrize("known", [True, False], ids=["author", "no author"])
def test_a_position_is_read_without_another_query(
    known: bool, django_assert_num_queries: Any
) -> None:
    author = Author.objects.create(name="Ada") if known else None
    article = Article.objects.create(title="x", author=author)
    ordering = resolve_ordering(Article.objects.all(), ["author__name", "title"])
    with django_assert_num_queries(1):
        row = seek(Article.objects.all(), ordering).get()
        values = ordering.values_of(row)
    assert values == ("Ada" if known else None, "x", article.pk)


@pytest.mark.django_db
def test_a_position_is_read_from_rows_of_values() -> None:
    author = Author.objects.create(name="Ada")
    article = Article.objects.create(title="x", author=author)
    ordering = resolve_ordering(Article.objects.all(), ["author__name", "title"])
    chosen = Article.objects.values("id", "title", "author__name")
    row = seek(chosen, ordering).get()
    assert ordering.values_of(row) == ("Ada", "x", article.pk)
    assert set(row) == {"id", "title", "author__name"}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["values", "values_list"])
def test_a_row_without_its_key_has_no_position(method: str) -> None:
    Article.objects.create(title="x")
    queryset = getattr(Article.objects, method)("title")
    ordering = resolve_ordering(queryset, ["title"])
    with pytest.raises(ValueError, match=r"the rows have no '(id|title)'"):
        ordering.values_of(seek(queryset, ordering).get())
