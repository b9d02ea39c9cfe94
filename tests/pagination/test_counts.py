"""Totals: how they are found, and within what time."""

from typing import Any, Final

import pytest
from django.db.models import F, Func, IntegerField
from pytest_django import Settings
from rest_framework.test import APIClient

from drf_apikit.keyset import Total
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.databases import VENDORS
from tests.pagination import api
from tests.pagination.asking import link_of, links_of, total_of
from tests.pagination.kinds import KINDS

#: All databases, and on one of them all kinds, which count in the same way.
EVERYWHERE: Final = [
    *(("sqlite", kind) for kind in KINDS),
    *((vendor, "cursor") for vendor in VENDORS if vendor != "sqlite"),
]
everywhere = pytest.mark.parametrize(
    ("database", "kind"), EVERYWHERE, indirect=["database"]
)

pytestmark = [pytest.mark.urls("tests.pagination.kinds"), pytest.mark.django_db]


@everywhere
@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize(
    ("own", "total"),
    [
        ({}, (9, "exact")),
        ({"COUNT": "bounded"}, (9, "exact")),
        ({"COUNT": "bounded", "COUNT_BOUND": 9}, (9, "exact")),
        ({"COUNT": "bounded", "COUNT_BOUND": 8}, (8, "at_least")),
        ({"COUNT": "bounded", "COUNT_BOUND": 1}, (3, "at_least")),
        ({"COUNT": "none"}, (None, None)),
    ],
    ids=str,
)
def test_the_settings_say_how_to_count(
    client: APIClient,
    settings: Settings,
    kind: str,
    own: dict[str, Any],
    total: tuple[int | None, str | None],
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": own}
    response = client.get(f"/{kind}/")
    assert total_of(response) == total
    assert ("last" in links_of(response)) == (kind == "cursor" or total[1] == "exact")
    # Whatever they say, a class is asked first.
    assert total_of(client.get(f"/{kind}-exact/")) == (9, "exact")
    assert total_of(client.get(f"/{kind}-bounded/")) == (5, "at_least")


@pytest.mark.usefixtures("articles")
def test_an_estimate_is_honest(
    client: APIClient, settings: Settings, database: str, kind: str
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"COUNT": "estimated", "COUNT_BOUND": 4}}
    (count, relation), url = total_of(client.get(f"/{kind}/")), f"/{kind}/"
    assert relation == ("approximate" if database == "postgresql" else "at_least")
    assert count is not None
    # Never less than the page itself shows, or the pages before it.
    assert count >= 3
    for _ in range(3):
        url = link_of(client, url)
    if kind != "cursor":
        assert total_of(client.get(url))[0] in {count, 8, 9}
    else:
        assert total_of(client.get(url)) == (count, relation)


@pytest.mark.usefixtures("articles")
def test_a_client_may_choose_out_of_a_list(client: APIClient, kind: str) -> None:
    assert total_of(client.get(f"/{kind}-choice/")) == (9, "exact")
    assert total_of(client.get(f"/{kind}-choice/?count=none")) == (None, None)
    assert total_of(client.get(f"/{kind}-choice/?count=bounded")) == (9, "exact")
    link = link_of(client, f"/{kind}-choice/?count=none")
    assert total_of(client.get(link)) == (None, None)


@pytest.mark.parametrize("value", ["exact", "estimated", "", "NONE", "all", "none,"])
def test_a_way_that_is_not_offered_is_refused(
    client: APIClient, kind: str, value: str
) -> None:
    response = client.get(f"/{kind}-choice/", {"count": value})
    problem = assert_problem(response, 400, "validation-error")
    (error,) = problem["errors"]
    assert error["detail"] == "This is not one of: bounded, none."
    assert (error["name"], error["location"]) == ("count", "query")


@pytest.mark.usefixtures("articles")
def test_without_a_list_there_is_no_choice(
    client: APIClient, settings: Settings, kind: str
) -> None:
    assert total_of(client.get(f"/{kind}/?count=none")) == (9, "exact")
    settings.DRF_APIKIT = {"PAGINATION": {"COUNT_CHOICES": ["none"]}}
    assert total_of(client.get(f"/{kind}/?count=none")) == (None, None)
    assert total_of(client.get(f"/{kind}-fixed/?count=none")) == (9, "exact")
    assert client.get(f"/{kind}/?count=bounded").status_code == 400


@pytest.mark.usefixtures("articles")
def test_the_parameter_can_have_another_name(client: APIClient, kind: str) -> None:
    url = f"/{kind}-renamed/"
    assert total_of(client.get(f"{url}?total=none&count=x")) == (None, None)
    assert client.get(f"{url}?total=exact").status_code == 400


# Time limits

#: Ten milliseconds for each row that is looked at.
SLOW: Final = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT %(expressions)s UNION ALL"
    " SELECT i + 1 FROM n WHERE i < %(expressions)s + 60000) SELECT count(*) FROM n)",
    "postgresql": "(SELECT 1 FROM pg_sleep(0.01 + 0 * %(expressions)s))",
    "mariadb": "(SLEEP(0.01 + 0 * %(expressions)s) + 1)",
}


@everywhere
@pytest.mark.parametrize(
    ("suffix", "total"),
    [("slow", (2, "at_least")), ("slower", (3, "at_least"))],
    ids=["bounded", "what the page shows"],
)
def test_a_count_that_takes_too_long_falls_back(
    client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    kind: str,
    suffix: str,
    total: tuple[int, str],
) -> None:
    slow = Func(F("pk"), template=SLOW[database], output_field=IntegerField())
    whole = Article.objects.alias(slow=slow).filter(slow__gte=1)
    monkeypatch.setattr(api.ArticleList, "queryset", whole)
    Article.objects.bulk_create(Article() for _ in range(100))
    response = client.get(f"/{kind}-{suffix}/")
    assert response.status_code == 200
    assert total_of(response) == (max(total[0], 3), total[1])
    # The connection is as it was.
    assert Article.objects.count() == 100


def test_a_class_may_do_without_the_limit_of_the_settings(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, settings: Settings, kind: str
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"COUNT_TIMEOUT": 25, "COUNT_BOUND": 1000}}
    slow = Func(F("pk"), template=SLOW["sqlite"], output_field=IntegerField())
    whole = Article.objects.alias(slow=slow).filter(slow__gte=1)
    monkeypatch.setattr(api.ArticleList, "queryset", whole)
    Article.objects.bulk_create(Article() for _ in range(15))
    assert total_of(client.get(f"/{kind}-patient/")) == (15, "exact")
    assert total_of(client.get(f"/{kind}/")) == (3, "at_least")


def test_a_subclass_may_count_in_a_way_of_its_own(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def count_queryset(_self: Any, _queryset: Any, strategy: str) -> Total:
        assert strategy == "exact"
        return Total(1234, "approximate")

    Article.objects.bulk_create(Article() for _ in range(5))
    monkeypatch.setattr(KINDS[kind], "count_queryset", count_queryset)
    assert total_of(client.get(f"/{kind}/")) == (1234, "approximate")
