from datetime import timedelta
from io import StringIO
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from drf_apikit.models import IdempotencyRecord
from drf_apikit.purging import registered
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_session, open_session
from tests.databases import in_threads
from tests.idempotency.records import new_record

pytestmark = pytest.mark.django_db
NO_SESSIONS: Final = "0 expired token sessions were deleted in 'default'."


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("apikit_purge", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def records() -> None:
    """Make 1,200 that have expired, and one that has not."""
    IdempotencyRecord.objects.bulk_create(
        new_record(f"{number:064}", timedelta(hours=-1 if number else 1))
        for number in range(1_201)
    )


@pytest.mark.usefixtures("records")
def test_progress_and_the_total_are_told() -> None:
    assert run("--batch-size", "1000").splitlines() == [
        "1,000 idempotency records deleted so far.",
        "1,200 idempotency records deleted so far.",
        "1,200 expired idempotency records were deleted in 'default'.",
        NO_SESSIONS,
    ]
    assert IdempotencyRecord.objects.get().pk == "0" * 64
    assert run("--database", "default").splitlines() == [
        "0 expired idempotency records were deleted in 'default'.",
        NO_SESSIONS,
    ]


@pytest.mark.usefixtures("records")
def test_a_dry_run_says_how_many() -> None:
    session, _ = open_session(
        User.objects.create_user("ada"), client_id="app", scopes=[]
    )
    end_session(session.pk, Ending.LOGOUT)
    assert run("--dry-run").splitlines() == [
        "1,200 expired idempotency records would be deleted in 'default'.",
        "1 expired token sessions would be deleted in 'default'.",
    ]
    assert (IdempotencyRecord.objects.count(), TokenSession.objects.count()) == (
        1201,
        1,
    )


@pytest.mark.usefixtures("records")
def test_it_can_be_silent() -> None:
    assert run(verbosity=0) == ""
    assert IdempotencyRecord.objects.count() == 1


@pytest.mark.parametrize("alias", ["", "replica"])
def test_a_database_that_does_not_exist(alias: str) -> None:
    with pytest.raises(CommandError) as raised:
        run(f"--database={alias}")
    assert str(raised.value) == f"{alias!r} is no database. Name one of default."


@pytest.mark.parametrize(
    "size", ["0", "-1", "1.5", "x", "", "1000001", "9" * 5_000, True, None]
)
def test_a_size_that_is_none(size: Any) -> None:
    calls: list[Any] = [lambda: run(batch_size=size)]
    if isinstance(size, str):
        calls.append(lambda: run(f"--batch-size={size}"))
    for call in calls:
        with pytest.raises(CommandError, match=r"--batch-size: .* 1 to 1,000,000"):
            call()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("records")
def test_others_are_in_the_way() -> None:
    def purge() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(CommandError) as raised:
            run()
        assert str(raised.value) == (
            "'default': database is locked (0 idempotency records deleted)."
            " Run it again."
        )

    with transaction.atomic():
        IdempotencyRecord.objects.update(method="PUT")
        in_threads(purge)
    assert IdempotencyRecord.objects.count() == 1_201


def test_a_database_without_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IdempotencyRecord._meta, "db_table", "nowhere")
    with pytest.raises(CommandError, match="'default': no such table: nowhere"):
        run()


class _Elsewhere:
    """A router that has the tables of tokens in another database."""

    def allow_migrate(self, _db: str, app_label: str, **_: Any) -> bool:
        return app_label != "drf_apikit_tokens"


def test_a_database_that_a_table_is_not_in(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [_Elsewhere()]
    assert run() == "0 expired idempotency records were deleted in 'default'.\n"


def test_what_is_registered_is_purged_once() -> None:
    assert [expiry.model for expiry in registered()] == [TokenSession]
