"""Orders of money and refunds over HTTP."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from ledger.models import Account, Transfer
from tests.example.ledger.conftest import MakeClient, OpenAccount

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

URL = "/api/transfers/"


def test_money_moves(alice: APIClient, alices: Account, bobs: Account) -> None:
    response = _order(alice, alices, bobs, reference="rent")
    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"http://testserver{URL}{body['id']}/"
    assert alice.get(response["Location"]).json() == body
    assert (body["amount"], body["reference"], body["status"]) == (
        100,
        "rent",
        "settled",
    )
    assert _balances() == [900, 1100]


def test_a_retry_moves_no_money(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    first, again = (_order(alice, alices, bobs, key="same") for _ in range(2))
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Location"] == first["Location"]
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert _balances() == [900, 1100]


def test_a_key_belongs_to_its_order(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    _order(alice, alices, bobs, key="same")
    other = _order(alice, alices, bobs, key="same", amount=101)
    assert_problem(other, 422, "idempotency-key-reused")
    assert _balances() == [900, 1100]


def test_no_money_moves_without_a_key(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    response = _order(alice, alices, bobs, key="")
    assert response.status_code == 400
    assert _balances() == [1000, 1000]


@pytest.mark.parametrize(
    ("columns", "amount", "refusal"),
    [
        pytest.param(
            {},
            1001,
            (409, "insufficient-funds", {"balance": 1000, "required": 1001}),
            id="poor",
        ),
        pytest.param({"status": "frozen"}, 1, (409, "account-frozen", {}), id="frozen"),
        pytest.param({"status": "closed"}, 1, (409, "account-closed", {}), id="closed"),
        pytest.param(
            {"currency": "USD"},
            1,
            (422, "currency-mismatch", {"currency": "USD", "required": "EUR"}),
            id="currency",
        ),
    ],
)
def test_refusals_are_problems_of_our_own(
    alice: APIClient,
    alices: Account,
    open_account: OpenAccount,
    columns: dict[str, str],
    amount: int,
    refusal: tuple[int, str, dict[str, Any]],
) -> None:
    target = open_account("bob", **columns)
    status, slug, members = refusal
    response = _order(alice, alices, target, amount=amount)
    assert_problem(response, status, slug, **members)
    assert _balances() == [1000, 1000]


def test_an_account_pays_another(alice: APIClient, alices: Account) -> None:
    response = _order(alice, alices, alices)
    assert_problem(response, 422, "same-account", account=alices.pk)


def test_a_refused_order_may_be_tried_again(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    Account.objects.update(status="frozen")
    assert _order(alice, alices, bobs, key="again").status_code == 409
    Account.objects.update(status="active")
    assert _order(alice, alices, bobs, key="again").status_code == 201


def test_money_is_taken_from_own_accounts_alone(
    alice: APIClient,
    bob: APIClient,
    operator: APIClient,
    alices: Account,
    bobs: Account,
) -> None:
    stolen = assert_problem(_order(bob, alices, bobs), 400, "validation-error")
    unknown = assert_problem(
        _order(bob, alices, bobs, source=10**6), 400, "validation-error"
    )
    # That the account exists is nobody else's business.
    assert [error["code"] for error in stolen["errors"]] == ["does_not_exist"]
    assert [error["code"] for error in unknown["errors"]] == ["does_not_exist"]
    assert _order(alice, alices, bobs).status_code == 201
    assert _order(operator, alices, bobs).status_code == 201


def test_who_received_the_money_sends_it_back(bob: APIClient, paid: Transfer) -> None:
    response = _refund(bob, paid)
    assert response.status_code == 201
    body = response.json()
    assert (body["refund_of"], body["amount"]) == (paid.pk, 100)
    assert (body["source"], body["target"]) == (paid.target_id, paid.source_id)
    assert bob.get(f"{URL}{paid.pk}/").json()["status"] == "refunded"
    assert _balances() == [1000, 1000]


def test_who_sent_the_money_does_not_take_it_back(
    alice: APIClient, paid: Transfer
) -> None:
    assert_problem(_refund(alice, paid), 403, "permission-denied")
    assert _balances() == [900, 1100]


def test_a_stranger_does_not_see_what_to_refund(
    client_of: MakeClient, paid: Transfer
) -> None:
    assert_problem(_refund(client_of("machine"), paid), 404, "not-found")


def test_the_staff_refunds(operator: APIClient, paid: Transfer) -> None:
    assert _refund(operator, paid).status_code == 201


def test_a_refund_is_replayed_and_not_repeated(bob: APIClient, paid: Transfer) -> None:
    first, again = (_refund(bob, paid, key="same") for _ in range(2))
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert_problem(_refund(bob, paid, key="other"), 409, "already-refunded")
    assert _balances() == [1000, 1000]


def test_pending_money_is_not_refunded(
    operator: APIClient, history: list[Transfer]
) -> None:
    assert_problem(_refund(operator, history[3]), 409, "not-refundable")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_history_is_not_rewritten(
    operator: APIClient, paid: Transfer, method: str
) -> None:
    response = getattr(operator, method)(f"{URL}{paid.pk}/", {"amount": 1})
    assert_problem(response, 405, "method-not-allowed")


def _order(
    client: APIClient,
    payer: Account,
    payee: Account,
    key: str = "key",
    **body: Any,
) -> Any:
    order = {
        "source": payer.pk,
        "target": payee.pk,
        "amount": 100,
        "currency": "EUR",
        **body,
    }
    return client.post(URL, order, format="json", HTTP_IDEMPOTENCY_KEY=key)


def _refund(client: APIClient, paid: Transfer, key: str = "refund") -> Any:
    return client.post(f"{URL}{paid.pk}/refund/", HTTP_IDEMPOTENCY_KEY=key)


def _balances() -> list[int]:
    return list(Account.objects.order_by("pk").values_list("balance", flat=True))
