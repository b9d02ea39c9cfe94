"""Generations on real databases: nothing that is written goes unmarked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.signals import request_finished
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    models,
    transaction,
)
from django.db.models import F
from django.test import TestCase
from django_redis import get_redis_connection
from pytest_django import Settings

from drf_apikit.conditional.generations import (
    current,
    guards,
    install,
    invalidate,
    store,
    tracked,
)
from drf_apikit.conditional.generations.guards import DEBTS, WriteGuard, guards_of
from tests.app.models import Article, Author, Book, Novel, Remark, Shelf
from tests.compliance.conditional_generations import unwatch
from tests.databases import in_threads

NAMES = ("Article", "Author", "Book", "Novel", "Remark", "Shelf")
#: Where nothing listens.
DEAD = "redis://127.0.0.1:1/0"
KEYS = store.keys_of("tests_app.article")

in_transactions = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def generations(settings: Settings, redis_cache: BaseCache) -> Iterator[None]:
    redis_cache.clear()
    install()
    settings.DRF_APIKIT = {
        "CONDITIONAL": {"GENERATIONS": [f"tests_app.{name}" for name in NAMES]}
    }
    DEBTS.next_attempt = 0.0
    yield
    DEBTS.labels.clear()
    unwatch()


def seen(*models_: type[models.Model]) -> str | None:
    """Ask as somebody does for whom all quarantines are over."""
    return current(models_ or (Article,), now=time.time() + 400)


def settled(*models_: type[models.Model]) -> str:
    """Give the generation, made now if there is none."""
    current(models_ or (Article,))
    found = seen(*models_)
    assert found is not None
    return found


def elsewhere() -> str | None:
    """Ask in another thread, which has no marks of its own."""
    return in_threads(seen)[0]


def clock_at(moment: float) -> SimpleNamespace:
    return SimpleNamespace(time=lambda: moment, monotonic=time.monotonic)


def execute(sql: Any, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_what_is_tracked() -> None:
    assert tracked() == {Article, Author, Book, Novel, Remark, Shelf}


def test_what_is_not_tracked_has_no_generation(settings: Settings) -> None:
    assert current([]) is None
    settings.DRF_APIKIT = {"CONDITIONAL": {"GENERATIONS": ["tests_app.Article"]}}
    assert settled(Article)
    assert seen(Author) is None
    assert seen(Article, Author) is None


def test_the_first_answers_come_after_the_quarantine() -> None:
    assert current([Article]) is None
    assert current([Article]) is None
    assert settled(Article)


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_transaction_is_marked_until_its_commit() -> None:
    before = settled()
    with transaction.atomic():
        Article.objects.create()
        assert seen() is None
        assert elsewhere() is None
        Article.objects.create()
        with transaction.atomic():
            Article.objects.create()
        assert elsewhere() is None
    after = elsewhere()
    assert after not in {None, before}
    assert Article.objects.count() == 3
    assert elsewhere() == after


@in_transactions
@pytest.mark.usefixtures("database")
def test_in_autocommit_a_statement_is_marked_until_it_is_done() -> None:
    before = settled()
    during: list[str | None] = []

    def look(run: Callable[..., Any], *arguments: Any) -> Any:
        result = run(*arguments)
        during.append(elsewhere())
        return result

    with connection.execute_wrapper(look):
        Article.objects.update(score=F("score") + 1)
    # MariaDB is asked for its version first.
    assert during[-1] is None
    assert seen() not in {None, before}


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_row_that_is_returned_is_committed_before_it_is_finished() -> None:
    # SQLite commits an INSERT ... RETURNING when its rows have been fetched.
    before = settled()
    during: list[tuple[str | None, int]] = []

    def look(run: Callable[..., Any], *arguments: Any) -> Any:
        result = run(*arguments)
        during.append((elsewhere(), in_threads(Article.objects.count)[0]))
        return result

    wrappers = connection.execute_wrappers
    wrappers.insert(0, look)
    try:
        Article.objects.create()
    finally:
        wrappers.remove(look)
    assert during[-1] in [(None, 0), (elsewhere(), 1)]
    assert seen() not in {None, before}


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_rollback_is_finished_with_whatever_comes_next() -> None:
    settled()
    for happen in (
        lambda: execute("SELECT 1"),
        lambda: request_finished.send(sender=None),
        seen,
        connection.ensure_connection,
    ):
        with suppress(ZeroDivisionError), transaction.atomic():
            Article.objects.create()
            raise ZeroDivisionError
        happen()
        if happen == connection.ensure_connection:
            assert elsewhere() is None
        else:
            assert elsewhere() is not None
    with transaction.atomic():
        Article.objects.create()
        assert elsewhere() is None
    assert elsewhere() is not None


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_savepoint_that_is_rolled_back_takes_no_mark_along() -> None:
    before = settled()
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            Article.objects.create()
            raise ZeroDivisionError
        assert elsewhere() is None
        Article.objects.create()
        assert elsewhere() is None
    assert elsewhere() not in {None, before}


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_transaction_in_sql_is_seen() -> None:
    before = settled()
    execute("BEGIN")
    execute("UPDATE tests_app_article SET score = 1")
    assert elsewhere() is None
    execute("SAVEPOINT one")
    execute("ROLLBACK TO SAVEPOINT one")
    assert elsewhere() is None
    execute("COMMIT")
    assert elsewhere() not in {None, before}


@in_transactions
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.usefixtures("database")
def test_a_transaction_of_the_driver_is_seen() -> None:
    before = settled()
    connection.ensure_connection()
    connection.connection.execute("BEGIN")
    execute("UPDATE tests_app_article SET score = 1")
    assert elsewhere() is None
    connection.connection.execute("COMMIT")
    assert elsewhere() is None
    execute("SELECT 1")
    assert elsewhere() not in {None, before}


@in_transactions
@pytest.mark.usefixtures("database")
def test_a_failed_statement_is_finished() -> None:
    before = settled()
    with pytest.raises(DatabaseError):
        execute("UPDATE tests_app_article SET nothing = 1")
    assert elsewhere() not in {None, before}


@in_transactions
def test_a_connection_that_is_closed_has_nothing_open() -> None:
    before = settled()
    with suppress(ZeroDivisionError), transaction.atomic():
        Article.objects.create()
        raise ZeroDivisionError
    connection.close()
    assert seen() not in {None, before}
    with suppress(OperationalError, ZeroDivisionError), transaction.atomic():
        Article.objects.create()
        connection.close()
        assert elsewhere() is None
        raise ZeroDivisionError
    assert seen() is not None


@in_transactions
def test_a_commit_without_an_answer_leaves_its_mark() -> None:
    settled()
    with suppress(ZeroDivisionError), transaction.atomic():
        Article.objects.create()
        raise ZeroDivisionError
    # As after a COMMIT that has lost its connection.
    connection.errors_occurred = True
    connection.close()
    assert seen() is None
    execute("SELECT 1")
    assert seen() is None
    cache.delete_many(KEYS.marks)
    assert seen() is not None


@in_transactions
def test_nor_is_anything_known_of_a_former_connection() -> None:
    settled()
    with suppress(ZeroDivisionError), transaction.atomic():
        Article.objects.create()
        raise ZeroDivisionError
    connection.close()
    execute("SELECT 1")
    assert seen() is None


@in_transactions
def test_without_autocommit_a_mark_stays() -> None:
    settled()
    connection.set_autocommit(False)
    try:
        Article.objects.create()
        connection.commit()
        assert seen() is None
    finally:
        connection.set_autocommit(True)
    assert seen() is not None


class Bulk:
    """Each way to write to `Article`, or to what makes the rows of others."""

    @staticmethod
    def update() -> None:
        Article.objects.update(score=1)

    @staticmethod
    def bulk_create() -> None:
        Article.objects.bulk_create([Article(), Article()])

    @staticmethod
    def bulk_update() -> None:
        Article.objects.bulk_update(Article.objects.all(), ["score"])

    @staticmethod
    def delete() -> None:
        Article.objects.all().delete()

    @staticmethod
    def set_null() -> None:
        Author.objects.all().delete()

    @staticmethod
    def raw() -> None:
        execute("update Tests_App_Article set score = %s", [2])

    @staticmethod
    def many() -> None:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE tests_app_article SET score = %s", [(1,), (2,)])


@in_transactions
@pytest.mark.parametrize(
    "name", [name for name in vars(Bulk) if not name.startswith("_")]
)
def test_every_way_to_write_counts(name: str) -> None:
    author = Author.objects.create(name="Ada")
    Article.objects.create(author=author)
    before = settled()
    getattr(Bulk, name)()
    assert seen() not in {None, before}


@in_transactions
def test_a_cascade_counts() -> None:
    article = Article.objects.create(author=Author.objects.create())
    Remark.objects.create(article=article, author=Author.objects.create())
    before = settled(Remark)
    article.delete()
    assert seen(Remark) not in {None, before}


@in_transactions
def test_relations_and_parents_count() -> None:
    shelf, novel = Shelf.objects.create(), Novel.objects.create(title="old")

    def title() -> None:
        Book.objects.update(title="new")

    for write in (
        lambda: novel.shelves.add(shelf),
        shelf.delete,
        title,
        lambda: Novel.objects.update(pages=3),
    ):
        before = settled(Novel)
        write()
        assert seen(Novel) not in {None, before}


@in_transactions
def test_reads_and_other_tables_change_nothing() -> None:
    Article.objects.create(author=Author.objects.create())
    before = settled()
    assert Article.objects.select_related("author").count() == 1
    Author.objects.update(name="other")
    with transaction.atomic():
        assert list(Article.objects.select_for_update())
    assert seen() == before


@pytest.mark.django_db
def test_in_a_test_case_nothing_is_ever_committed() -> None:
    settled()
    with TestCase.captureOnCommitCallbacks(execute=True):
        Article.objects.create()
    assert seen() is None


@in_transactions
def test_a_process_killed_behind_its_commit_leaves_its_mark(redis_url: str) -> None:
    before = settled()
    script = Path(__file__).with_name("killed_writer.py")
    database = str(connection.settings_dict["NAME"])
    ended = subprocess.run(
        [sys.executable, script, database, redis_url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL
    assert Article.objects.get().title == "killed"
    assert seen() is None
    # What expires.
    taken = [key for key in KEYS.marks if key in cache]
    assert len(taken) == 1
    redis = get_redis_connection()
    assert 0 < redis.ttl(cache.make_key(taken[0])) <= 300
    cache.delete(taken[0])
    assert seen() not in {None, before}


@in_transactions
def test_a_flush_within_a_transaction(caplog: pytest.LogCaptureFixture) -> None:
    before = settled()
    with transaction.atomic():
        Article.objects.create()
        cache.clear()
        assert current([Article]) is None
    assert "was lost" in caplog.text
    assert current([Article]) is None
    assert seen() not in {None, before}


@in_transactions
def test_a_long_transaction_takes_its_mark_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled()
    with transaction.atomic():
        with monkeypatch.context() as patch:
            patch.setattr(guards, "time", clock_at(time.time() - 101))
            Article.objects.create()
        first = cache.get_many(KEYS.marks)
        execute("SELECT 1")
        second = cache.get_many(KEYS.marks)
        execute("SELECT 1")
        assert cache.get_many(KEYS.marks) == second
        assert len(first) == len(second) == 1
        assert set(first.values()) != set(second.values())
    assert seen() is not None


@in_transactions
def test_a_cache_that_fails_stops_no_write(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = settled()
    working = settings.CACHES
    settings.CACHES = {"default": {**working["default"], "LOCATION": DEAD}}
    with transaction.atomic():
        Article.objects.create()
    assert seen() is None
    levels = {record.message: record.levelname for record in caplog.records}
    assert levels["Cannot mark that tests_app.article is written"] == "ERROR"
    assert levels["Cannot set a new generation of tests_app.article"] == "ERROR"
    assert levels["Cannot read generations from the cache"] == "WARNING"
    settings.CACHES = working
    execute("SELECT 1")
    # Not at every statement.
    assert DEBTS.labels == {"tests_app.article"}
    assert seen() == before
    DEBTS.next_attempt = 0.0
    request_finished.send(sender=None)
    assert DEBTS.labels == set()
    assert seen() not in {None, before}


@in_transactions
def test_a_cache_that_comes_back_within_a_transaction(settings: Settings) -> None:
    settled()
    working = settings.CACHES
    dead = {"default": {**working["default"], "LOCATION": DEAD}}
    settings.CACHES = dead
    with transaction.atomic():
        Article.objects.create()
        settings.CACHES = working
        assert seen() is not None
        DEBTS.next_attempt = 0.0
        execute("SELECT 1")
        assert seen() is None
    assert seen() is not None


@in_transactions
def test_a_mark_that_cannot_be_given_back_expires(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise OSError

    settled()
    with transaction.atomic():
        Article.objects.create()
        with monkeypatch.context() as patch:
            patch.setattr(guards, "time", clock_at(time.time() + 101))
            patch.setattr(store, "release", broken)
            execute("SELECT 1")
    assert "Cannot give the mark" in caplog.text
    assert seen() is None


@in_transactions
def test_what_django_does_not_see_can_be_said() -> None:
    before = settled()
    invalidate(Article)
    after = seen()
    assert after not in {None, before}
    with transaction.atomic():
        connection.connection.execute("DELETE FROM tests_app_article")
        invalidate(Article)
        assert seen() is None
    assert seen() not in {None, after}


@pytest.mark.django_db
def test_others_wrappers_leave_ours_alone() -> None:
    connection.ensure_connection()
    for guard in list(guards_of(connection)):
        connection.execute_wrappers.remove(guard)

    def other(run: Callable[..., Any], *arguments: Any) -> Any:
        return run(*arguments)

    with connection.execute_wrapper(other):
        install()
        install()
        assert len(connection.execute_wrappers) == 2
        assert isinstance(connection.execute_wrappers[0], WriteGuard)
    assert len(list(guards_of(connection))) == 1


@in_transactions
def test_a_wrapper_with_statements_of_its_own_ends_nothing() -> None:
    settled()
    during: list[str | None] = []

    def nosy(run: Callable[..., Any], sql: Any, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            execute("SELECT 1")
            during.append(elsewhere())
        return run(sql, *arguments)

    with connection.execute_wrapper(nosy):
        Article.objects.update(score=1)
    assert during == [None]
    assert elsewhere() is not None


@in_transactions
def test_without_models_there_is_no_wrapper(settings: Settings) -> None:
    guards = list(guards_of(connection))
    settings.DRF_APIKIT = {}
    assert in_threads(lambda: len(_opened().execute_wrappers)) == [0]
    # One that is there lets everything pass.
    Article.objects.create()
    assert list(guards_of(connection)) == guards
    assert tracked() == frozenset()
    assert current([Article]) is None
    invalidate(Article)


def _opened() -> Any:
    connection.ensure_connection()
    return connections["default"]


@in_transactions
def test_a_new_connection_is_watched() -> None:
    before = settled()

    def write() -> None:
        Article.objects.create()
        execute("SELECT 1")

    in_threads(write)
    assert seen() not in {None, before}


@in_transactions
def test_a_constraint_that_fails_is_no_unknown_outcome() -> None:
    Author.objects.create(pk=1)
    before = settled(Author)
    with pytest.raises(IntegrityError):
        Author.objects.create(pk=1)
    assert in_threads(lambda: seen(Author))[0] not in {None, before}


@in_transactions
def test_a_faulty_setting_stops_no_statement(settings: Settings) -> None:
    Article.objects.create()
    assert any(guards_of(connection))
    settings.DRF_APIKIT = {"CONDITIONAL": {"GENERATION_LIFE": "long"}}
    Article.objects.create()
    assert tracked() == frozenset()
    assert current([Article]) is None
