import pytest
from rest_framework.test import APIClient

from tests.app.models import Article, Author
from tests.pagination.kinds import KINDS


@pytest.fixture
def client() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def articles() -> None:
    """Nine articles: titles a to i, scores with ties and NULLs, three authors."""
    authors = [Author.objects.create(name=name) for name in ("Ada", "Bo", "Cy")]
    Article.objects.bulk_create(
        Article(
            title="abcdefghi"[n],
            score=None if n % 3 == 0 else n % 2,
            flag=n % 2 == 0,
            author=authors[n % 3],
        )
        for n in range(9)
    )


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give the name of each of the three paginators."""
    return str(request.param)
