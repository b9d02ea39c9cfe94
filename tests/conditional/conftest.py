from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.app.models import Article
from tests.compliance.conditional_generations import settled
from tests.conditional.views import Appending
from tests.torture.library import TRACKED


@pytest.fixture
def article() -> Article:
    return Article.objects.create(title="draft")


@pytest.fixture
def url(article: Article) -> str:
    return f"/articles/{article.pk}/"


@pytest.fixture
def appending(monkeypatch: pytest.MonkeyPatch) -> type[Appending]:
    monkeypatch.setattr(Appending, "read", staticmethod(Appending.read))
    monkeypatch.setattr(Appending, "act", staticmethod(Appending.act))
    return Appending


@pytest.fixture
def settled_generations(
    redis_cache: object, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Keep generations whose first quarantine is over."""
    assert redis_cache
    with settled(settings, monkeypatch, TRACKED):
        yield
