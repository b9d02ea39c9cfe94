import pytest

from tests.app.models import Article
from tests.conditional.views import Appending


@pytest.fixture
def article() -> Article:
    return Article.objects.create(title="draft")


@pytest.fixture
def url(article: Article) -> str:
    return f"/articles/{article.pk}/"


@pytest.fixture(params=["autocommit", "atomic_requests"])
def everywhere(request: pytest.FixtureRequest, database: str) -> str:
    """Run the test on each database, without and with ATOMIC_REQUESTS."""
    if request.param == "atomic_requests":
        request.getfixturevalue("atomic_requests")
    return database


@pytest.fixture
def appending(monkeypatch: pytest.MonkeyPatch) -> type[Appending]:
    monkeypatch.setattr(Appending, "read", staticmethod(Appending.read))
    monkeypatch.setattr(Appending, "act", staticmethod(Appending.act))
    return Appending
