"""The seeded books: consistent, repeatable, and the same on each database."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Sum

from drf_apikit.models import ExternalIdentity
from ledger.models import Account, Transfer
from ledger.people import write_people
from ledger.seeding import ACCOUNTS, OPENING, Books, write_books
from ledger.services import Order, transfer
from ledger.spec import People, Person

ROWS = 1500
ALICE = Person(username="alice", subjects=("sub-1", "alice-cli"))
OPERATOR = Person(username="operator", password="secret", staff=True)
PEOPLE = People(issuer="https://issuer.test", persons=[ALICE, OPERATOR])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_the_books_are_consistent() -> None:
    seen: list[int] = []
    owners = write_people(PEOPLE, 250)
    write_books(Books(ROWS), owners, seen.append)

    assert seen[-1] == Transfer.objects.count() == ROWS
    assert Account.objects.count() == ACCOUNTS
    accounts = Account.objects.all()
    assert accounts.aggregate(total=Sum("balance")) == {"total": ACCOUNTS * OPENING}
    moved = Transfer.objects.exclude(status="pending")
    for account in accounts.filter(pk__lte=40):
        came = moved.filter(target=account).aggregate(total=Sum("amount"))["total"]
        went = moved.filter(source=account).aggregate(total=Sum("amount"))["total"]
        assert account.balance == OPENING + (came or 0) - (went or 0)
        assert account.version == 1 + moved.touching([account.pk]).count()
    assert not Transfer.objects.exclude(currency=F("source__currency")).exists()
    assert not Transfer.objects.exclude(currency=F("target__currency")).exists()
    _assert_refunds_match()
    _assert_the_tables_are_whole()


def test_the_same_numbers_give_the_same_books() -> None:
    first, again, fewer = Books(300), Books(300), Books(200)
    rows = list(first.transfers())
    assert list(again.transfers()) == rows
    assert [row[:5] for row in fewer.transfers()] == [row[:5] for row in rows[:200]]
    assert again.balances == first.balances


@pytest.mark.parametrize("rows", [1, 2, 3, 999, 20_001])
def test_there_are_as_many_rows_as_asked_for(rows: int) -> None:
    books = Books(rows)
    made = list(books.transfers())
    assert [row[0] for row in made] == list(range(1, rows + 1))
    assert sum(books.balances) == ACCOUNTS * OPENING
    assert min(books.balances) >= 0
    # Oldest first, all within the one year, and many in the same hour.
    times = [str(row[7]) for row in made]
    assert times == sorted(times)
    assert times[-1] < "2026"
    assert rows < 20_000 or len(set(times)) < rows / 2


@pytest.mark.django_db
def test_people_come_in_by_all_their_subjects() -> None:
    owners = write_people(PEOPLE, 4)
    alice, operator = (User.objects.get(username=p.username) for p in PEOPLE.persons)
    assert len(owners) == 4
    assert owners[0] == alice.pk
    assert operator.pk not in owners
    assert operator.is_staff
    assert operator.check_password("secret")
    assert not alice.has_usable_password()
    identities = ExternalIdentity.objects.filter(user=alice)
    assert {(each.issuer, each.subject) for each in identities} == {
        ("https://issuer.test", "sub-1"),
        ("https://issuer.test", "alice-cli"),
    }


@pytest.mark.django_db
def test_the_command_leaves_existing_books_alone(tmp_path: Path) -> None:
    owner = User.objects.create(username="owner")
    Account.objects.create(owner=owner, currency="EUR")
    file = tmp_path / "people.json"
    file.write_text(PEOPLE.to_json())
    with pytest.raises(CommandError, match="has accounts already"):
        call_command("seed_ledger", "--rows", "1", "--people", str(file))
    assert Account.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("", "1", id="empty"),
        pytest.param("[]", "1", id="list"),
        pytest.param("{}", "1", id="object"),
        pytest.param('{"issuer": "x", "persons": [{"name": 1}]}', "1", id="misspelt"),
        pytest.param(PEOPLE.to_json(), "0", id="no-rows"),
    ],
)
def test_the_command_explains_what_it_cannot_read(
    tmp_path: Path, text: str, rows: str
) -> None:
    file = tmp_path / "people.json"
    file.write_text(text)
    with pytest.raises(CommandError):
        call_command("seed_ledger", "--rows", rows, "--people", str(file))


def test_people_survive_json() -> None:
    again = People.from_json(PEOPLE.to_json())
    assert again.issuer == PEOPLE.issuer
    assert [person.username for person in again.persons] == ["alice", "operator"]
    assert list(again.persons[0].subjects) == list(ALICE.subjects)


def _assert_refunds_match() -> None:
    refunds = Transfer.objects.exclude(refund_of=None)
    assert refunds.count() == Transfer.objects.filter(status="refunded").count() > 10
    for each in refunds.select_related("refund_of"):
        original = each.refund_of
        assert original is not None
        assert (each.source_id, each.target_id, each.amount) == (
            original.target_id,
            original.source_id,
            original.amount,
        )


def _assert_the_tables_are_whole() -> None:
    """What was left out for speed is there again, and new rows find their place."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(
            cursor, Transfer._meta.db_table
        )
    assert {index.name for index in Transfer._meta.indexes} <= constraints.keys()
    connection.check_constraints()
    oldest = Transfer.objects.earliest("created")
    assert oldest.created >= datetime(2025, 1, 1, tzinfo=UTC)
    order = Order(source=1, target=2, amount=1, currency="EUR")
    assert transfer(order).pk == ROWS + 1
