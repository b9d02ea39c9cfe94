"""Statements of reads and writes by each validator, as the reference has them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalMixin,
    Generation,
    PageDigest,
    RowDigest,
    UpdatedAt,
    VersionField,
)
from tests.app.models import Document
from tests.compliance.conditional_generations import settled
from tests.conditional.calls import send

LABEL: Final = "tests_app.Document"
LOCKING: Final = {"write_strategy": "select_for_update"}
DETAILS: Final[dict[str, dict[str, Any]]] = {
    "version": {"validator": VersionField()},
    "locked": {"validator": VersionField(), **LOCKING},
    "time": {"validator": UpdatedAt()},
    "row": {"validator": RowDigest()},
    "body": {"validator": BodyHash()},
    "generation": {"validator": Generation(LABEL)},
}
LISTS: Final[dict[str, dict[str, Any]]] = {
    "page": {"list_validator": PageDigest()},
    "aggregate": {"list_validator": Aggregate()},
    "bytes": {"list_validator": BodyHash()},
    "generations": {"list_validator": Generation(LABEL)},
}


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ["pk", "title"]


class Documents(ConditionalMixin, ModelViewSet[Document]):
    queryset = Document.objects.order_by("pk")
    serializer_class = DocumentSerializer
    permission_classes = [AllowAny]


router = SimpleRouter()
for name, declared in {**DETAILS, **LISTS}.items():
    router.register(name, type(name, (Documents,), declared), basename=name)
urlpatterns = router.urls

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("database"),
    pytest.mark.urls(__name__),
]


@pytest.fixture(autouse=True)
def usable_generations(
    settings: Settings, redis_cache: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    assert redis_cache
    with settled(settings, monkeypatch, [LABEL]):
        yield


def cost(status: int, method: str, url: str, data: Any = None, **headers: str) -> Any:
    """Send a request; give its tag and its statements by their first words."""
    with CaptureQueriesContext(connection) as captured:
        response = send(method, url, data, **headers)
    assert response.status_code == status
    words = Counter(query["sql"].split()[0] for query in captured)
    return response.headers.get("ETag", ""), dict(words)


@pytest.mark.parametrize("name", DETAILS)
def test_reads_of_one_object(name: str) -> None:
    url = f"/{name}/{Document.objects.create(slug='one').pk}/"
    one = {"SELECT": 1}
    tag, first = cost(200, "get", url)
    assert first == one
    spared = {} if name == "generation" else one
    assert cost(304, "get", url, If_None_Match=tag)[1] == spared
    assert cost(200, "get", url, If_None_Match='"x"')[1] == one


@pytest.mark.parametrize(
    ("name", "first", "spared", "stale"),
    [
        ("page", 1, 1, 2),
        ("aggregate", 2, 1, 2),
        ("bytes", 1, 1, 1),
        ("generations", 1, 0, 1),
    ],
)
def test_reads_of_lists(name: str, first: int, spared: int, stale: int) -> None:
    Document.objects.create(slug="one")
    tag, found = cost(200, "get", f"/{name}/")
    assert sum(found.values()) == first
    found = cost(304, "get", f"/{name}/", If_None_Match=tag)[1]
    assert sum(found.values()) == spared
    found = cost(200, "get", f"/{name}/", If_None_Match='"x"')[1]
    assert sum(found.values()) == stale


@pytest.mark.parametrize("name", DETAILS)
def test_writes(name: str) -> None:
    url = f"/{name}/{Document.objects.create(slug='one').pk}/"
    tag, _ = cost(200, "get", url)
    assert cost(412, "patch", url, {"title": "x"}, If_Match='"x"')[1] == {"SELECT": 1}
    expected = Counter(SELECT=1, BEGIN=1, UPDATE=1, COMMIT=1)
    expected["UPDATE"] += name != "row"
    if name in {"locked", "row"}:
        expected["SELECT"] += 1
        # Without row locks the transaction is made the writer.
        expected["UPDATE"] += not connection.features.has_select_for_update
    expected["SELECT"] += name == "row"
    found = cost(200, "patch", url, {"title": "x"}, If_Match=tag)[1]
    assert found == expected
