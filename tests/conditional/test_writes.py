from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from drf_apikit.conditional.writes import claim, write_alias
from tests.app.models import Article
from tests.databases import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("database")
def test_a_claim_moves_the_version_by_one() -> None:
    article = Article.objects.create()
    with CaptureQueriesContext(connection) as captured:
        assert claim(article, "version", DEFAULT_DB_ALIAS)
    assert len(captured) == 1
    assert article.version == 2
    article.save()
    assert Article.objects.get().version == 2


@pytest.mark.usefixtures("database")
def test_a_claim_on_an_old_version_fails() -> None:
    article = Article.objects.create()
    Article.objects.update(version=2)
    assert not claim(article, "version", DEFAULT_DB_ALIAS)
    assert article.version == 1
    assert Article.objects.get().version == 2


@pytest.mark.usefixtures("database")
def test_a_claim_on_a_row_that_is_gone_fails() -> None:
    article = Article.objects.create()
    Article.objects.all().delete()
    assert not claim(article, "version", DEFAULT_DB_ALIAS)


@pytest.mark.usefixtures("database")
def test_a_claim_that_is_rolled_back_frees_the_row() -> None:
    article = Article.objects.create()
    with transaction.atomic():
        assert claim(article, "version", DEFAULT_DB_ALIAS)
        transaction.set_rollback(True)
    (again,) = in_threads(
        lambda: claim(Article.objects.get(), "version", DEFAULT_DB_ALIAS)
    )
    assert again


class Router:
    """Sends writes of articles elsewhere."""

    def db_for_write(self, model: type[models.Model], **_: Any) -> str | None:
        return "elsewhere" if model is Article else None


def test_writes_go_where_the_router_says(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Router()]
    assert write_alias(Article) == "elsewhere"
