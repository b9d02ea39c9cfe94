"""Pages, cursors that are refused and counts that take too long are counted."""

from typing import Final

import pytest
from django.db.models import F, Func, IntegerField
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.app.models import Article
from tests.counting import of_block, recorded
from tests.pagination import api
from tests.pagination.asking import cursor_of, link_of, refused
from tests.pagination.test_counts import SLOW

pytestmark = [pytest.mark.urls("tests.pagination.kinds"), pytest.mark.django_db]

NAMES: Final = {"cursor": "cursor", "offset": "limit_offset", "page": "page_number"}


@pytest.mark.usefixtures("articles")
def test_a_page_is_counted_with_its_kind(
    client: APIClient, settings: Settings, kind: str
) -> None:
    counted = recorded(settings)
    client.get(link_of(client, f"/{kind}/"))
    page = ("pagination.page_read", {"kind": NAMES[kind]})
    assert counted == [page, page]


@pytest.mark.usefixtures("articles")
def test_what_is_refused_is_no_page(
    client: APIClient, settings: Settings, kind: str
) -> None:
    counted = recorded(settings)
    name = "limit" if kind == "offset" else "page_size"
    assert client.get(f"/{kind}/?{name}=0").status_code == 400
    assert not of_block("pagination", counted)


@pytest.mark.usefixtures("articles")
def test_a_refused_cursor_is_counted_with_its_reason(
    client: APIClient, settings: Settings
) -> None:
    cursor = cursor_of(link_of(client, "/by-title/"))
    counted = recorded(settings)
    refused(client.get(f"/small/?cursor={cursor}"), foreign=True)
    refused(client.get(f"/small/?cursor=x{cursor}"), foreign=False)
    assert of_block("pagination", counted) == [
        ("pagination.cursor_refused", {"reason": "foreign"}),
        ("pagination.cursor_refused", {"reason": "unknown"}),
    ]


@pytest.mark.parametrize(
    ("suffix", "strategies"),
    [("slow", ["exact"]), ("slower", ["exact", "bounded"]), ("patient", [])],
)
def test_a_count_that_takes_too_long_is_counted(
    client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    suffix: str,
    strategies: list[str],
) -> None:
    slow = Func(F("pk"), template=SLOW["sqlite"], output_field=IntegerField())
    whole = Article.objects.alias(slow=slow).filter(slow__gte=1)
    monkeypatch.setattr(api.ArticleList, "queryset", whole)
    rows = 100 if strategies else 5
    Article.objects.bulk_create(Article() for _ in range(rows))
    counted = recorded(settings)
    assert client.get(f"/cursor-{suffix}/").status_code == 200
    assert counted == [
        *(("pagination.count_timed_out", {"strategy": name}) for name in strategies),
        ("pagination.page_read", {"kind": "cursor"}),
    ]
