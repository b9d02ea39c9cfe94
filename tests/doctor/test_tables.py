from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connection, models, router
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.test.utils import isolate_apps
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.serializers import Serializer

from drf_apikit.checks.views import RoutedView
from drf_apikit.doctor import tables
from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.indexes import absent
from drf_apikit.doctor.running import examine
from drf_apikit.doctor.tables import PROBE
from drf_apikit.models import IdempotencyRecord
from drf_apikit.pagination import CursorPagination
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import open_session
from tests.app.models import Article, Report
from tests.checks.conftest import Route, route
from tests.idempotency.records import new_record

__all__ = ["route"]

pytestmark = pytest.mark.django_db


class Articles(ListAPIView[Any]):
    queryset = Article.objects.order_by("pk")
    pagination_class: Any = CursorPagination
    serializer_class = Serializer


def told(*views: Any, alias: str = DEFAULT_DB_ALIAS) -> dict[str, Finding]:
    """Look in this thread, whose transaction has what the test has written."""
    routed = [RoutedView(view, {}, None) for view in views]
    context = Context((alias,), lambda: routed)
    found: dict[str, Finding] = {}
    for one in PROBE.examinations(context):
        found |= {each.id.partition(".")[2]: each for each in one.run()}
    return found


def view_of(model: Any) -> Any:
    rows = model.objects.all()
    return type("Rows", (Articles,), {"queryset": rows})


def test_tables_are_in_order(database: str) -> None:
    found = told(Articles, view_of(Report))
    wanted = ["migrations", "columns", "indexes", "expired", "orderings"]
    if database == "postgresql":
        wanted.append("invalid")
    assert sorted(found) == sorted(wanted)
    assert {str(one.status) for one in found.values()} == {"ok"}
    seen = "The indexes and constraints of 6 tables are there."
    assert found["indexes"].seen == seen
    seen = "0 idempotency records and 0 token sessions have expired."
    assert found["expired"].seen == seen


def test_probes_run_in_threads_of_their_own(database: str) -> None:
    found = list(examine([PROBE], Context((DEFAULT_DB_ALIAS,))))
    assert "tables.indexes" in {one.id for one in found}
    assert {str(one.status) for one in found} == {"ok"}
    assert database


def test_migrations_that_are_not_applied(database: str) -> None:
    MigrationRecorder(connection).record_unapplied("drf_apikit", "0001_initial")
    found = told()["migrations"]
    assert found.status == "risk"
    seen = "1 migrations are not applied: drf_apikit.0001_initial."
    assert found.seen == seen
    assert database


@isolate_apps("tests.app")
def test_tables_and_columns_that_are_missing(database: str) -> None:
    class Nowhere(models.Model):
        class Meta:
            app_label = "tests_app"

    class Lacking(models.Model):
        title = models.TextField()
        weight = models.IntegerField()
        width = models.IntegerField(db_column="wide")

        class Meta:
            app_label = "tests_app"
            db_table = "tests_app_article"

    found = told(view_of(Nowhere), view_of(Lacking))["columns"]
    assert found.status == "risk"
    assert found.seen == (
        "3 missing: tests_app_nowhere, tests_app_article.weight,"
        " tests_app_article.wide."
    )
    assert database


def test_all_that_migrations_make_is_found(database: str) -> None:
    lacking = {one._meta.label: list(absent(connection, one)) for one in all_models()}
    assert {label: names for label, names in lacking.items() if names} == {}
    assert database


def all_models() -> Iterator[Any]:
    for model in apps.get_models():
        if model._meta.managed and not model._meta.proxy:
            yield model


@isolate_apps("tests.app")
def test_indexes_that_are_missing(database: str) -> None:
    class Lacking(models.Model):
        title = models.CharField(max_length=100, unique=True)
        score = models.IntegerField(db_index=True)
        price = models.IntegerField()
        author = models.ForeignKey("tests_app.Lacking", on_delete=models.CASCADE)

        class Meta:
            app_label = "tests_app"
            db_table = "tests_app_article"
            unique_together = [("title", "score")]
            constraints = [
                models.UniqueConstraint(fields=["price"], name="one_price"),
                models.CheckConstraint(condition=Q(price__gt=0), name="positive"),
                models.UniqueConstraint(
                    fields=["id"], condition=Q(price__gt=1), name="partial"
                ),
                models.UniqueConstraint(Lower("title"), name="lower"),
                models.UniqueConstraint(
                    fields=["price"], include=["title"], name="covering"
                ),
                models.UniqueConstraint(
                    fields=["price", "id"],
                    deferrable=models.Deferrable.DEFERRED,
                    name="deferred",
                ),
                models.UniqueConstraint(
                    fields=["price", "score"], nulls_distinct=False, name="nulls"
                ),
                models.UniqueConstraint(fields=["id"], name="as_the_key"),
            ]
            indexes = [
                models.Index(fields=["-price", "score"], name="by_price"),
                models.Index(F("price") + 1, name="by_more"),
                models.Index(fields=["id"], condition=Q(price=1), name="some"),
                models.Index(fields=["id"], name="as_the_key_too"),
            ]

    always = [
        *("unique tests_app_article(title)", "unique tests_app_article(title, score)"),
        *("index tests_app_article(score)", "constraint one_price", "index by_price"),
    ]
    partial = ["constraint partial", "index some"]
    computed = ["constraint lower", "index by_more"]
    own = {
        "sqlite": [*partial, *computed],
        "postgresql": [
            *(*partial, *computed, "constraint covering", "constraint deferred"),
            "constraint nulls",
        ],
        "mariadb": [],
    }
    lacking = list(absent(connection, Lacking))
    assert sorted(lacking) == sorted([*always, *own[database]])
    found = told(view_of(Lacking))["indexes"]
    assert found.status == "risk"
    assert found.seen.startswith(f"{len(lacking)} missing: unique tests_app_article")


def test_indexes_that_postgresql_does_not_use(database: str) -> None:
    if database != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indrelid ="
            " 'drf_apikit_idempotency'::regclass AND NOT indisprimary"
        )
    found = told()["invalid"]
    assert found.status == "risk"
    assert found.seen.startswith("1 indexes are not used, being invalid: drf_apikit_i")


@pytest.mark.parametrize(("most", "status"), [(2, "ok"), (1, "risk")])
def test_records_that_have_expired(
    most: int, status: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_MANY", most)
    lives = [-1, -1, 1]
    IdempotencyRecord.objects.bulk_create(
        [new_record(str(n) * 64, timedelta(days=d)) for n, d in enumerate(lives)]
    )
    found = told()["expired"]
    assert found.status == status
    many = "More than 1 idempotency records" if status == "risk" else "2 idempotency"
    assert found.seen.startswith(many)
    assert found.seen.endswith(" and 0 token sessions have expired.")
    assert database


def test_sessions_that_are_over(
    database: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_MANY", 1)
    settings.DRF_APIKIT = {}
    user = get_user_model().objects.create_user("alice")
    for _ in range(3):
        open_session(user, client_id="phone", scopes=())
    over = TokenSession.objects.order_by("pk")[:2].values("pk")
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    TokenSession.objects.filter(pk__in=[one["pk"] for one in over]).update(
        expires_at=long_ago
    )
    found = told()["expired"]
    assert found.status == "risk"
    assert found.seen == (
        "0 idempotency records and more than 1 token sessions have expired."
    )
    assert "apikit_purge" in found.remedy
    assert database


def test_a_project_without_tokens_of_its_own(settings: Any) -> None:
    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name != "drf_apikit.tokens"
    ]
    found = told()
    assert "of 2 tables" in found["indexes"].seen
    assert found["expired"].seen == "0 idempotency records have expired."


class Elsewhere:
    """Makes no tables of ours here."""

    def allow_migrate(self, _alias: str, app_label: str, **_: Any) -> bool | None:
        return False if app_label.startswith("drf_apikit") else None


class Written:
    """Has records written elsewhere, and rows read there."""

    def db_for_write(self, *_: Any, **__: Any) -> str:
        return "other"

    db_for_read = db_for_write


def test_where_our_tables_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "routers", [Elsewhere()])
    found = told(Articles)
    assert list(found) == ["migrations", "orderings"]
    assert found["migrations"].status == "skipped"


def test_what_is_read_and_written_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "routers", [Written()])
    found = told(Articles)
    assert "expired" not in found
    assert "of 4 tables" in found["indexes"].seen


class Raising(models.QuerySet[Article]):
    def all(self) -> Any:
        raise LookupError


@isolate_apps("tests.app")
def test_lists_that_are_left_alone() -> None:
    class Foreign(models.Model):
        class Meta:
            app_label = "tests_app"
            managed = False

    odd = property(lambda _: 1 // 0)
    other = [
        type("Odd", (Articles,), {"pagination_class": None}),
        type("Odd", (Articles,), {"pagination_class": PageNumberPagination}),
        type("Odd", (Articles,), {"queryset": None, "serializer_class": None}),
        type("Odd", (Articles,), {"queryset": odd, "serializer_class": None}),
        type("Odd", (Articles,), {"queryset": Raising(Article)}),
    ]
    seen = told(view_of(Foreign), *other)["indexes"].seen
    assert seen == "The indexes and constraints of 4 tables are there."


class Unindexed(Articles):
    queryset = Article.objects.order_by("created")


def test_orderings_that_no_index_serves(route: Route) -> None:
    route(Unindexed.as_view(), Articles.as_view())
    found = told()["orderings"]
    assert found.status == "risk"
    assert "orders tests_app.Article by created" in found.seen
    assert "models.Index" in found.remedy
    route(Articles.as_view())
    assert told()["orderings"].status == "ok"
