import threading
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django_redis import get_redis_connection

from tests.databases import Databases, in_threads

SECONDS = 20.0
VERSIONS = {
    "sqlite": ("SELECT 'SQLite ' || sqlite_version()", "SQLite 3"),
    "postgresql": ("SELECT version()", "PostgreSQL"),
    "mariadb": ("SELECT version()", "MariaDB"),
}
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def write_and_fail(_request: HttpRequest) -> HttpResponse:
    Group.objects.create(name="written")
    raise RuntimeError("after the write")


urlpatterns = [path("write-and-fail", write_and_fail)]


def scalar(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def empty() -> None:
    """Do what follows each test that commits."""
    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)


@pytest.mark.django_db
def test_each_database_is_what_it_says(database: str) -> None:
    sql, word = VERSIONS[database]
    assert word in str(scalar(sql))
    assert (connection.vendor == "sqlite") == (database == "sqlite")
    assert "test" in str(connection.settings_dict["NAME"])


@pytest.mark.django_db
def test_other_tests_run_on_an_sqlite_file() -> None:
    assert connection.vendor == "sqlite"
    assert Path(connection.settings_dict["NAME"]).is_file()
    assert scalar("PRAGMA journal_mode") == "wal"


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_going_back_and_forth(django_db_setup: Databases, database: str) -> None:
    vendor = connection.vendor
    django_db_setup.use("sqlite")
    assert connection.vendor == "sqlite"
    django_db_setup.use(database)
    assert connection.vendor == vendor
    assert ContentType.objects.get_for_model(Group).model_class() is Group


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("turn", [1, 2])
def test_rows_are_rolled_back(turn: int) -> None:
    assert not Group.objects.exists(), turn
    Group.objects.create(name="one")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("turn", [1, 2])
def test_threads_see_committed_rows(turn: int) -> None:
    assert not Group.objects.exists(), turn
    Group.objects.create(name="one")
    assert in_threads(Group.objects.count, Group.objects.count) == [1, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_committed_rows_are_removed_whatever_they_refer_to() -> None:
    user = User.objects.create(username="ada")
    user.groups.add(Group.objects.create(name="one"))
    permission = Permission.objects.latest("pk")
    user.user_permissions.add(permission)
    empty()
    assert not User.objects.exists()
    assert not User.groups.through.objects.exists()
    assert not Group.objects.exists()
    # What every test finds stays, under the same keys.
    assert Permission.objects.latest("pk") == permission
    assert ContentType.objects.filter(pk=permission.content_type_id).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("change", ["more", "less"])
def test_what_every_test_finds_is_made_anew_where_one_has_changed_it(
    change: str,
) -> None:
    empty()
    before = set(Permission.objects.values_list("codename", flat=True))
    if change == "more":
        kind = ContentType.objects.get_for_model(Group)
        Permission.objects.create(codename="new", content_type=kind)
    else:
        Permission.objects.latest("pk").delete()
    empty()
    after = set(Permission.objects.values_list("codename", flat=True))
    # A test module may have brought a model that has no table.
    assert before <= after
    assert "new" not in after


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_threads_do_not_see_what_is_not_committed() -> None:
    with transaction.atomic():
        Group.objects.create(name="one")
        assert in_threads(Group.objects.count) == [0]
    assert in_threads(Group.objects.count) == [1]


@pytest.mark.django_db(transaction=True)
def test_a_thread_at_fault_is_heard() -> None:
    def fail() -> int:
        raise LookupError("in a thread")

    with pytest.raises(LookupError, match="in a thread"):
        in_threads(Group.objects.count, fail)


@pytest.mark.django_db(transaction=True)
def test_two_connections_exclude_each_other(database: str) -> None:
    def claim_at_once() -> None:
        if database == "sqlite":
            scalar("PRAGMA busy_timeout = 0")
        with transaction.atomic():
            Group.objects.select_for_update(nowait=True).get(name="one")

    Group.objects.create(name="one")
    with transaction.atomic():
        Group.objects.select_for_update().get(name="one")
        with pytest.raises(OperationalError):
            in_threads(claim_at_once)
    in_threads(claim_at_once)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@on_postgresql
def test_one_connection_waits_for_another() -> None:
    locked = threading.Event()

    def hold() -> bool:
        deadline = time.monotonic() + SECONDS
        with transaction.atomic():
            Group.objects.update(name="two")
            locked.set()
            while not (
                waits := scalar("SELECT count(*) FROM pg_locks WHERE NOT granted")
            ):
                assert time.monotonic() < deadline
            return waits == 1

    def follow() -> bool:
        assert locked.wait(SECONDS)
        return Group.objects.update(name="three") == 1

    Group.objects.create(name="one")
    assert in_threads(hold, follow) == [True, True]
    assert Group.objects.get().name == "three"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("atomic", [False, True])
def test_atomic_requests(atomic: bool, request: pytest.FixtureRequest) -> None:
    if atomic:
        request.getfixturevalue("atomic_requests")
    client = Client(raise_request_exception=False)
    assert client.get("/write-and-fail").status_code == 500
    assert Group.objects.exists() != atomic
    settings = in_threads(lambda: connection.settings_dict["ATOMIC_REQUESTS"])
    assert settings == [atomic]


@pytest.mark.parametrize("turn", [1, 2])
def test_redis_cache_is_real_and_empty(redis_cache: BaseCache, turn: int) -> None:
    assert cache.get("key") is None, turn
    redis_cache.set("key", "value")
    assert cache.get("key") == "value"
    assert len(get_redis_connection("default").keys("*key*")) == 1
