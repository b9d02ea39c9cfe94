from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.app.models import Article, Author
from tests.databases import Databases
from tests.work import count_work

ROWS = 2000
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


@pytest.fixture(scope="module")
def articles(
    database: str, django_db_setup: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[list[Article]]:
    """Give as many rows as fill many blocks; every other one has an author."""
    with django_db_setup.kept(django_db_blocker, filled(database)) as found:
        yield found


@contextmanager
def filled(name: str) -> Iterator[list[Article]]:
    author = Author.objects.create(name=name)
    Article.objects.bulk_create(
        Article(title="t" * 100, author=author if number % 2 else None)
        for number in range(ROWS)
    )
    yield list(Article.objects.order_by("pk"))
    Article.objects.all().delete()
    author.delete()


def scan() -> list[Article]:
    return list(Article.objects.filter(title="nobody has it"))


def test_a_scan_costs_far_more_than_one_row_by_its_key(articles: list[Article]) -> None:
    scanned, nothing = count_work(scan)
    sought, found = count_work(lambda: Article.objects.get(pk=articles[-1].pk))
    assert nothing == []
    assert found == articles[-1]
    assert 0 < sought * 10 < scanned


def test_rows_that_an_offset_skips_count(articles: list[Article]) -> None:
    # Not those that other tests have left behind, which PostgreSQL would pass over.
    ordered = Article.objects.filter(pk__gte=articles[0].pk).order_by("pk")
    first, _ = count_work(lambda: list(ordered[:5]))
    last, rows = count_work(lambda: list(ordered[ROWS - 5 :]))
    assert rows == articles[-5:]
    assert first * 10 < last


def test_only_the_call_counts(articles: list[Article]) -> None:
    assert scan() == []
    assert count_work(lambda: articles[0]) == (0, articles[0])


def test_the_same_call_costs_the_same(articles: list[Article]) -> None:
    assert articles
    assert count_work(scan) == count_work(scan)


def test_all_queries_of_a_call_count(articles: list[Article]) -> None:
    def seek() -> Article:
        return Article.objects.get(pk=articles[-1].pk)

    once, _ = count_work(seek)
    twice, _ = count_work(lambda: [seek(), seek()])
    assert twice == 2 * once


def test_a_call_that_fails_says_so_and_spoils_nothing(articles: list[Article]) -> None:
    before = count_work(scan)
    with pytest.raises(Article.DoesNotExist):
        count_work(lambda: Article.objects.get(pk=articles[-1].pk + 1))
    assert count_work(scan) == before


@on_mariadb
def test_what_an_index_passes_over_counts() -> None:
    kind = ContentType.objects.get_for_model(Article)
    names = [f"read_{number:02}" for number in range(20)]
    Permission.objects.bulk_create(
        Permission(content_type=kind, codename=name) for name in names
    )
    # An index on both columns finds the one without reading the others' rows.
    last = Permission.objects.order_by().filter(
        content_type=kind, codename__gte=names[0], codename__endswith="_19"
    )
    count, found = count_work(lambda: [row.codename for row in last])
    assert found == names[-1:]
    assert count >= len(names)


def change_a_setting() -> object:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '12345', true)")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return cursor.statusmessage


@on_postgresql
def test_running_a_select_again_changes_nothing() -> None:
    assert count_work(change_a_setting) == (0, "SET")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


@on_sqlite
def test_a_call_with_a_progress_handler_of_its_own_is_refused() -> None:
    with pytest.raises(RuntimeError, match="progress handler"):
        count_work(lambda: connection.connection.set_progress_handler(None, 0))
    assert count_work(Article.objects.count)[0] > 0
