"""A little of the walks through the ledger, and the proof that the judge sees."""

from collections import Counter

import pytest
from django.db import connection
from rest_framework.test import APIClient

from ledger.models import Transfer
from tests.torture import ledger_walks
from tests.torture.ledger_walks import judge, noting_counts, walk


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_each_ordering_of_the_ledger_is_walked_to_its_end_and_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ledger_walks.run(rows=300, size=40) == 0
    assert "ledger_walks: ok: 300 transfers, 6 orderings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([1, 2, 3], {}),
        ([1, 3], {"lost": 1}),
        ([1, 2, 2, 3], {"repeated": 1}),
        ([1, 3, 2], {"misordered": 1}),
    ],
    ids=str,
)
def test_the_judge_sees_every_fault(found: list[int], wrong: dict[str, int]) -> None:
    assert +judge([1, 2, 3], found) == Counter(wrong)


@pytest.mark.django_db
def test_counts_are_noted() -> None:
    noted: list[str] = []
    with connection.execute_wrapper(noting_counts(noted)):
        Transfer.objects.count()
        list(Transfer.objects.all())
    assert len(noted) == 1


@pytest.mark.django_db
def test_a_walk_ends_with_what_is_no_page() -> None:
    with pytest.raises(AssertionError, match="not-authenticated"):
        list(walk(APIClient(), "/api/transfers/", "next"))
