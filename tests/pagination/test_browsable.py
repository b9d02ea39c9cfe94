"""The pager of the browsable API."""

from typing import Any

import pytest
from django.urls import path
from pytest_django import Settings
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.test import APIClient

from tests.app.models import Article
from tests.pagination import api
from tests.pagination.asking import cursor_of, link_of, links_of
from tests.pagination.kinds import KINDS

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

PAGER = '<ul class="pager"'
COUNTS: dict[str, dict[str, Any]] = {
    "bounded": {"count_strategy": "bounded", "count_bound": 4},
    "none": {"count_strategy": "none"},
}
RENDERERS = (BrowsableAPIRenderer, JSONRenderer)


def browsable(**attributes: Any) -> Any:
    return api.listed(renderer_classes=RENDERERS, **attributes)


def of_kind(name: str, **attributes: Any) -> Any:
    return browsable(pagination_class=type("Own", (KINDS[name],), attributes))


urlpatterns = [
    *[path(f"{name}/", of_kind(name)) for name in KINDS],
    *[path(f"{name}-plain/", of_kind(name, template=None)) for name in KINDS],
    *[
        path(f"{name}-{strategy}/", of_kind(name, **attributes))
        for name in KINDS
        for strategy, attributes in COUNTS.items()
    ],
]


def html(client: APIClient, url: str) -> str:
    response = client.get(url, headers={"accept": "text/html"})
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.usefixtures("articles")
def test_it_leads_wherever_the_header_does(client: APIClient, kind: str) -> None:
    page = html(client, f"/{kind}/")
    assert PAGER in page
    second = link_of(client, f"/{kind}/?format=json")
    links = links_of(client.get(second))
    assert set(links) == {"first", "prev", "next", "last"}
    page = html(client, second.replace("format=json", "format=api"))
    for name, url in links.items():
        shown = url.replace("format=json", "format=api").replace("&", "&amp;")
        assert f'rel="{name}"' in page
        if kind == "cursor" and "cursor=" in url:
            assert cursor_of(url) in page
        else:
            assert f'href="{shown}"' in page


@pytest.mark.parametrize("rows", [0, 2])
def test_one_page_alone_shows_no_controls(
    client: APIClient, kind: str, rows: int
) -> None:
    Article.objects.bulk_create(Article() for _ in range(rows))
    assert PAGER not in html(client, f"/{kind}/")


@pytest.mark.usefixtures("articles")
def test_without_a_template_there_is_none(client: APIClient, kind: str) -> None:
    assert PAGER not in html(client, f"/{kind}-plain/")
    assert KINDS[kind].template is not None
    assert type("Own", (KINDS[kind],), {"template": None})().to_html() == ""


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("suffix", "relation", "words"),
    [("", "exact", "9 in all"), ("-bounded", "at_least", "at least 4")],
)
def test_the_total_is_said_in_words(
    client: APIClient, kind: str, suffix: str, relation: str, words: str
) -> None:
    page = html(client, f"/{kind}{suffix}/")
    assert words in page
    assert f'data-relation="{relation}"' in page
    assert "apikit-total" not in html(client, f"/{kind}-none/")


def test_large_totals_are_grouped_for_the_reader(
    client: APIClient, settings: Settings
) -> None:
    Article.objects.bulk_create(Article() for _ in range(1234))
    settings.USE_THOUSAND_SEPARATOR = False
    assert "1,234 in all" in html(client, "/cursor/")
    response = client.get(
        "/cursor/", headers={"accept": "text/html", "accept-language": "de"}
    )
    assert "1.234" in response.content.decode()


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_total_for_scripts_is_never_grouped(
    client: APIClient, settings: Settings, language: str
) -> None:
    Article.objects.bulk_create(Article() for _ in range(1234))
    settings.USE_THOUSAND_SEPARATOR = True
    headers = {"accept": "text/html", "accept-language": language}
    response = client.get("/cursor/", headers=headers)
    assert 'data-count="1234"' in response.content.decode()
