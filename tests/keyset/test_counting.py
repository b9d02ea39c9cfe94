import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_apikit.keyset import count_rows
from tests.app.models import Article, Author


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_all_rows_are_counted_without_an_ordering() -> None:
    author = Author.objects.create(name="Ada")
    Article.objects.bulk_create(Article(author=author) for _ in range(7))
    with CaptureQueriesContext(connection) as queries:
        assert count_rows(Article.objects.order_by("author__name", "-created")) == 7
    assert len(queries) == 1
    assert "ORDER BY" not in queries[0]["sql"]
    assert "JOIN" not in queries[0]["sql"]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("rows", [0, 3])
def test_what_a_filter_leaves_is_counted(rows: int) -> None:
    Article.objects.bulk_create(Article(score=n) for n in range(5))
    assert count_rows(Article.objects.filter(score__lt=rows).distinct()) == rows
