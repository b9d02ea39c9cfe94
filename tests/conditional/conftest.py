import pytest

from tests.app.models import Article
from tests.conditional.views import Appending


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
