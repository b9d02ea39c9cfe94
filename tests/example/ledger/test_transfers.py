"""Transfers over HTTP: who sees which, filters, orderings, pages."""

from typing import Any
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import walk_pages
from ledger.models import Transfer
from tests.example.ledger.conftest import MakeClient

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

URL = "/api/transfers/"


def test_a_transfer_is_read_whole(alice: APIClient, paid: Transfer) -> None:
    moment = paid.created.isoformat().replace("+00:00", "Z")
    assert alice.get(f"{URL}{paid.pk}/").json() == {
        "id": paid.pk,
        "source": paid.source_id,
        "target": paid.target_id,
        "amount": 100,
        "currency": "EUR",
        "reference": "",
        "status": "settled",
        "created": moment,
        "settled_at": moment,
        "refund_of": None,
    }


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        pytest.param("alice", {0, 2, 3, 5}, id="source-or-target"),
        pytest.param("bob", {0, 1, 3, 4}, id="another"),
        pytest.param("operator", {0, 1, 2, 3, 4, 5}, id="staff"),
        pytest.param("machine", set(), id="machine-that-is-nobody"),
    ],
)
def test_each_caller_sees_what_touches_it(
    client_of: MakeClient, history: list[Transfer], caller: str, seen: set[int]
) -> None:
    client = client_of(caller)
    assert set(_found(client, history)) == seen
    for number, each in enumerate(history):
        expected = 200 if number in seen else 404
        assert client.get(f"{URL}{each.pk}/").status_code == expected


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, [5, 4, 3, 2, 1, 0], id="newest-first"),
        pytest.param({"status": "pending"}, [3], id="status"),
        pytest.param({"amount_min": 90}, [3, 2, 1, 0], id="amount-from"),
        pytest.param({"amount_max": 90}, [5, 4, 3, 2], id="amount-to"),
        pytest.param({"amount_min": 90, "amount_max": 90}, [3, 2], id="amount-both"),
        pytest.param({"amount_min": 91, "amount_max": 89}, [], id="amount-none"),
        pytest.param({"created_after": "2026-01-05T00:00:00Z"}, [5, 4], id="from"),
        pytest.param({"created_before": "2026-01-02T00:00:00Z"}, [1, 0], id="to"),
        pytest.param(
            {"created_before": "2026-01-02T01:00:00+01:00"}, [1, 0], id="time-zone"
        ),
        pytest.param({"search": "rent"}, [5, 3, 1], id="search"),
        pytest.param({"search": "INVOICE 2"}, [2], id="search-words"),
        pytest.param({"search": "%"}, [], id="search-is-no-pattern"),
        pytest.param({"search": "rent", "amount_min": 90}, [3, 1], id="together"),
        pytest.param({"ordering": "created"}, [0, 1, 2, 3, 4, 5], id="oldest-first"),
        pytest.param({"ordering": "amount"}, [4, 5, 2, 3, 0, 1], id="smallest-first"),
        pytest.param({"ordering": "-amount"}, [1, 0, 3, 2, 5, 4], id="largest-first"),
    ],
)
def test_lists_are_filtered_and_ordered(
    operator: APIClient,
    history: list[Transfer],
    query: dict[str, Any],
    found: list[int],
) -> None:
    assert _found(operator, history, **query) == found


@pytest.mark.parametrize("sign", ["", "-"])
def test_pending_ones_have_their_place_among_the_settled(
    operator: APIClient, history: list[Transfer], sign: str
) -> None:
    found = _found(operator, history, ordering=f"{sign}settled_at")
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    settled = [number for number in found if number != 3]
    assert settled == ([0, 1, 2, 4, 5] if sign else [5, 4, 2, 1, 0])
    assert found.index(3) in {0, 5}


def test_an_account_can_be_picked(
    operator: APIClient, alice: APIClient, history: list[Transfer]
) -> None:
    bobs = history[0].target_id
    assert _found(operator, history, account=bobs) == [4, 3, 1, 0]
    assert _found(alice, history, account=bobs) == [3, 0]
    assert _found(operator, history, account=10**15) == []


@pytest.mark.usefixtures("history")
def test_a_list_has_its_total(operator: APIClient) -> None:
    body = operator.get(f"{URL}?page_size=4").json()
    assert body["count"] == 6
    assert len(body["results"]) == 4
    assert body["next"].startswith("http://testserver/api/transfers/?")
    assert body["previous"] is None


def _found(client: APIClient, history: list[Transfer], **query: Any) -> list[int]:
    """Walk the list in pages of two; give the numbers of the transfers."""
    numbers = {each.pk: number for number, each in enumerate(history)}
    url = f"{URL}?{urlencode({**query, 'page_size': 2})}"
    return [numbers[row["id"]] for page in walk_pages(client, url) for row in page]
