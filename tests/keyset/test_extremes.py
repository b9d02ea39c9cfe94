"""Values at the ends of their types, and texts that are equal to the database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import CharField, F, Model, Sum, Value
from django.db.models.functions import Collate, Lower
from django.test.utils import isolate_apps

from tests.app.models import Article, Author, Extreme
from tests.keyset.walking import MOMENT, assert_walks, rows_in_pages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

VALUES: Final[dict[str, list[Any]]] = {
    "text": [
        *(
            "",
            " ",
            "a",
            "A",
            "a ",
            "ab",
            "a\t",
            "a\n",
            "\x01",
            "\x7f",
            "é",
            "e",
            "e\u0301",
        ),
        *("ß", "ss", "日本", "🦆", "%", "_", "\\", "'", '"', "a" * 255, "🦆" * 255),
    ],
    "amount": [
        Decimal("12345678901234567890.1234567890"),
        Decimal("12345678901234567890.1234567891"),
        Decimal("99999999999999999999.9999999999"),
        Decimal("99999999999999999999.9999999998"),
        Decimal("-99999999999999999999.9999999999"),
        Decimal("0.0000000001"),
        Decimal("0.3"),
        Decimal(0),
    ],
    "moment": [
        datetime.max.replace(tzinfo=UTC),
        datetime(1000, 1, 1, tzinfo=UTC),
        MOMENT,
        MOMENT + timedelta(microseconds=1),
        MOMENT.replace(microsecond=0),
    ],
    "ratio": [
        1e308,
        -1e308,
        5e-324,
        2.2250738585072014e-308,
        0.1 + 0.2,
        0.3,
        -0.0,
        0.0,
    ],
    "token": [UUID(int=0), UUID(int=2**128 - 1), UUID(int=2**127)],
    "raw": [b"", b"\0", b"\0\xff", b"a", b"A", b"\xff" * 300],
    "address": ["::1", "127.0.0.1", "10.0.0.2", "9.0.0.1", "2001:db8::1"],
    "span": [
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(microseconds=-1),
        timedelta(days=100_000),
        timedelta(days=-100_000),
    ],
    "flag": [True, False],
    "big": [2**63 - 1, -(2**63), 2**53, 2**53 + 1, 0],
}
INFINITE: Final = [float("inf"), float("-inf")]


@pytest.mark.parametrize("name", VALUES)
def test_every_type_walks_to_its_ends(name: str, database: str) -> None:
    values = VALUES[name]
    if name == "ratio" and database != "mariadb":
        values = values + INFINITE
    if name == "ratio" and database == "postgresql":
        values = [*values, float("nan")]
    own = values if name == "text" else [*values, None]
    Extreme.objects.bulk_create(Extreme(**{name: value}) for value in own * 2)
    # Django cannot load decimals of so many digits from SQLite.
    rows = Extreme.objects.only("pk")
    assert_walks(rows, [name], 3)
    assert_walks(rows, [f"-{name}"], 3)
    if name != "text":
        assert_walks(rows, [F(name).asc(nulls_first=True)], 5)
        assert_walks(rows, [F(name).asc(nulls_last=True), "flag"], 5)


@pytest.mark.parametrize("name", ["amount", "-amount"])
def test_thirty_digits_in_values_and_sums(name: str) -> None:
    amounts = VALUES["amount"]
    Extreme.objects.bulk_create(Extreme(amount=value) for value in amounts * 2)
    rows = Extreme.objects.values("pk")
    whole = list(rows.order_by(name, "-pk" if name[0] == "-" else "pk"))
    assert [row for page in rows_in_pages(rows, [name], 3) for row in page] == whole
    summed = Extreme.objects.only("pk").alias(sum=Sum("amount"))
    assert_walks(summed, [name.replace("amount", "sum")], 3)


def test_equal_texts_are_ties() -> None:
    Article.objects.bulk_create(
        Article(title=title) for title in ("a", "A", "b", "B", "á", "Á", "a ", "") * 2
    )
    assert_walks(Article.objects.all(), ["title"], 2)
    assert_walks(Article.objects.all(), ["-title", "version"], 3)
    assert_walks(Article.objects.all(), [Lower("title")], 3)


def test_a_collation_is_the_databases(database: str) -> None:
    collation = {"sqlite": "NOCASE", "postgresql": "C", "mariadb": "utf8mb4_bin"}
    Author.objects.bulk_create(Author(name=name) for name in "bBaAéÉ" * 2)
    expression = Collate("name", collation[database])
    assert_walks(Author.objects.all(), [expression], 2)
    assert_walks(Author.objects.annotate(by=expression), ["-by"], 5)


@pytest.fixture
def word(database: str) -> Iterator[type[Model]]:
    """Give a model whose texts are equal whatever their case is."""
    collation = {"sqlite": "NOCASE", "mariadb": "utf8mb4_general_ci"}[database]

    with isolate_apps("tests.app"):

        class Word(Model):
            text = CharField(max_length=20, db_collation=collation)

            class Meta:
                app_label = "tests_app"
                db_table = "tests_app_word"
                managed = False

    text = f'varchar(20) COLLATE "{collation}" NOT NULL'
    key = "bigint PRIMARY KEY"
    if database == "mariadb":
        text, key = text.replace('"', ""), "bigint PRIMARY KEY AUTO_INCREMENT"
    with connection.cursor() as cursor:
        temporary = "TEMPORARY " if database == "mariadb" else ""
        cursor.execute(
            f"CREATE {temporary}TABLE tests_app_word (id {key}, text {text})"
        )
    yield Word
    if database == "mariadb":
        with connection.cursor() as cursor:
            cursor.execute("DROP TEMPORARY TABLE tests_app_word")


# The PostgreSQL of the tests has no ICU, and no collation of this kind without it.
@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_a_column_that_does_not_tell_cases_apart(word: type[Model]) -> None:
    texts = ["a", "A", "b", "B", "é", "É", "aB", "Ab"] * 2
    word._default_manager.bulk_create(
        word(id=number, text=text) for number, text in enumerate(texts, start=1)
    )
    rows = word._default_manager.all()
    assert rows.filter(text="AB").count() == 4
    assert_walks(rows, ["text"], 3)
    assert_walks(rows, ["-text"], 1)
    assert_walks(rows.annotate(same=Value(1)), ["same", "text"], 2)
    distinct = rows.values("text").distinct()
    assert sum(map(len, rows_in_pages(distinct, ["text"], 1))) == distinct.count()
