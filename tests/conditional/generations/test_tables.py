"""Which statements count as writes to which models."""

from types import SimpleNamespace
from typing import Any, LiteralString

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps
from psycopg.sql import SQL, Identifier

from drf_apikit.conditional.generations.tables import (
    Statement,
    Tracked,
    is_plain_read,
    label_of,
    tracked_by,
)
from tests.app.models import Article, Author, Book, Novel

ARTICLE, BOOK = "tests_app.article", "tests_app.book"
BOTH = frozenset({ARTICLE, BOOK})
TRACKED = tracked_by(frozenset({"tests_app.Article", "tests_app.Book"}))

READS = (
    "SELECT 1 FROM tests_app_article",
    'SELECT "tests_app_article"."id" FROM "tests_app_article" FOR UPDATE;',
    "select * from tests_app_article; \n",
    "  (SELECT id FROM tests_app_article) UNION (SELECT 1)",
    "/* who */ -- why\n SELECT * FROM tests_app_article",
    "WITH a AS (SELECT * FROM tests_app_article) SELECT * FROM a",
    "PRAGMA table_info(tests_app_article)",
    "SHOW COLUMNS FROM tests_app_article",
    "SAVEPOINT s1",
    "RELEASE SAVEPOINT s1",
    "BEGIN",
    "UPDATE tests_app_author SET name = 'x'",
    "INSERT INTO tests_app_author (name) SELECT 'x'; ",
    "",
)
WRITES = (
    "UPDATE tests_app_article SET score = 1",
    "\n\tupdate TESTS_APP_ARTICLE set score = 1",
    "INSERT INTO `tests_app_article` (score) VALUES (%s)",
    'DELETE FROM "public"."tests_app_article"',
    "REPLACE INTO tests_app_article VALUES (1)",
    "MERGE INTO tests_app_article USING x ON true WHEN MATCHED THEN DELETE",
    "WITH a AS (SELECT 1) INSERT INTO tests_app_article SELECT * FROM a",
    "WITH a AS (DELETE FROM tests_app_article RETURNING *) SELECT * FROM a",
    "SELECT 1; DELETE FROM tests_app_article",
    "ALTER TABLE tests_app_article ADD COLUMN x int",
    "EXPLAIN ANALYZE DELETE FROM tests_app_article",
    "SET STATEMENT max_statement_time=1 FOR DELETE FROM tests_app_article",
    "COPY tests_app_article FROM STDIN",
    "/*!50000 DELETE FROM tests_app_article */",
    "/*M! DELETE FROM tests_app_article */",
    b"UPDATE tests_app_article SET title = '\xff'",
)
OPAQUE = (
    "CALL tidy_up()",
    "DO $$ BEGIN PERFORM tidy_up(); END $$",
    "EXECUTE prepared",
    "TRUNCATE tests_app_author CASCADE",
    "drop table tests_app_author cascade",
    "SELECT 1; CALL tidy_up()",
    pytest.param(object(), id="object"),
)


def writes(sql: Any, tracked: Tracked = TRACKED) -> frozenset[str]:
    return Statement(sql, connection).writes(tracked)


@pytest.mark.parametrize("sql", READS)
def test_a_read_writes_nothing(sql: str) -> None:
    assert writes(sql) == frozenset()


@pytest.mark.parametrize("sql", [*WRITES, *OPAQUE], ids=str)
def test_no_write_looks_like_a_plain_read(sql: Any) -> None:
    assert not is_plain_read(sql)
    assert is_plain_read(READS[0])


@pytest.mark.parametrize("sql", WRITES)
def test_a_write_is_of_the_table_it_names(sql: Any) -> None:
    assert writes(sql) == {ARTICLE}


@pytest.mark.parametrize("sql", OPAQUE, ids=str)
def test_what_cannot_be_seen_through_writes_everything(sql: Any) -> None:
    assert writes(sql) == BOTH


def test_a_write_may_be_of_several_models() -> None:
    sql = "INSERT INTO tests_app_article SELECT * FROM tests_app_book"
    assert writes(sql) == BOTH


@pytest.mark.parametrize(
    ("sql", "begins", "ends"),
    [
        ("BEGIN", True, False),
        ("begin immediate", True, False),
        ("START TRANSACTION READ ONLY", True, False),
        ("BEGIN; UPDATE x SET y = 1", True, False),
        ("BEGIN; UPDATE x SET y = 1; COMMIT", False, False),
        ("COMMIT", False, True),
        ("END TRANSACTION", False, True),
        ("ROLLBACK", False, True),
        ("ABORT", False, True),
        ("ROLLBACK TO SAVEPOINT s1", False, False),
        ("rollback work to s1", False, False),
        ("SELECT 1", False, False),
        pytest.param(object(), False, False, id="object"),
    ],
    ids=str,
)
def test_transactions_in_sql(sql: Any, begins: bool, ends: bool) -> None:
    statement = Statement(sql, connection)
    assert (statement.begins, statement.ends) == (begins, ends)


@pytest.mark.parametrize(
    ("sql", "returns"),
    [("INSERT INTO x VALUES (1) RETURNING id", True), ("SELECT 1", False)],
)
def test_statements_that_return_rows(sql: str, returns: bool) -> None:
    assert Statement(sql, connection).returns_rows is returns


@pytest.mark.parametrize(
    ("text", "labels"),
    [("DELETE FROM {}", {ARTICLE}), ("SELECT * FROM {}", frozenset())],
)
def test_a_composed_statement_is_read(text: LiteralString, labels: set[str]) -> None:
    composed = SQL(text).format(Identifier("tests_app_article"))
    unconnected = SimpleNamespace(connection=None)
    assert Statement(composed, unconnected).writes(TRACKED) == labels


def test_rows_in_two_tables_and_many_to_many() -> None:
    tables = tracked_by(frozenset({"tests_app.Novel"})).tables
    assert set(tables) == {
        "tests_app_novel",
        "tests_app_book",
        "tests_app_book_shelves",
    }
    # From the other end as well, hidden or not.
    shelf = tracked_by(frozenset({"tests_app.Shelf"})).tables
    assert set(shelf) == {"tests_app_shelf", "tests_app_book_shelves"}


def test_names_that_are_no_models_are_left_to_the_check() -> None:
    names = frozenset({"tests_app.Nothing", "nowhere.Thing", "odd", "tests_app.author"})
    assert tracked_by(names).models == {"tests_app.author": Author}


@isolate_apps("tests.app")
def test_a_proxy_stands_for_its_rows() -> None:
    class Recent(Article):
        class Meta:
            app_label = "tests_app"
            proxy = True

    assert label_of(Recent) == ARTICLE
    assert label_of(Novel) != label_of(Book)


def test_a_schema_in_the_name_may_be_written_differently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Author._meta, "db_table", '"hr"."Author"')
    tracked_by.cache_clear()
    tracked = tracked_by(frozenset({"tests_app.author"}))
    tracked_by.cache_clear()
    assert writes("UPDATE hr.author SET name = ''", tracked) == {"tests_app.author"}
    assert writes('UPDATE "hr"."Author" SET x = 1', tracked) == {"tests_app.author"}


def test_rows_that_the_database_takes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    class InDatabase:
        """As Django 6.1's DB_CASCADE; the fields here have Django's own."""

        def on_delete_sql(self, _editor: object) -> str:
            return "ON DELETE CASCADE"

    for model, name in ((Book, "shelf"), (Book, "sequel_of")):
        relation: Any = model._meta.get_field(name)
        monkeypatch.setattr(relation.remote_field, "on_delete", InDatabase())
    tracked_by.cache_clear()
    tables = tracked_by(frozenset({"tests_app.Novel"})).tables
    tracked_by.cache_clear()
    assert "tests_app_shelf" in tables


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="Django 6.1 has it")
def test_djangos_own_cascades_in_the_database_are_known() -> None:
    for name in ("DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT"):
        assert hasattr(getattr(models, name), "on_delete_sql")
