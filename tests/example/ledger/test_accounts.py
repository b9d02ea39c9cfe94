"""Accounts over HTTP: who sees which, and what may be changed by whom."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem, walk_pages
from ledger.models import Account, Transfer
from tests.example.ledger.conftest import MakeClient, OpenAccount

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

URL = "/api/accounts/"


def test_an_account_is_read_whole(alice: APIClient, alices: Account) -> None:
    assert _get(alice, alices).json() == {
        "id": alices.pk,
        "owner": alices.owner_id,
        "name": "alice's account",
        "currency": "EUR",
        "balance": 1000,
        "status": "active",
        "version": 1,
        "created": alices.created.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        pytest.param("alice", ["alice"], id="customer"),
        pytest.param("operator", ["alice", "bob"], id="staff"),
        pytest.param("machine", [], id="machine-that-is-nobody"),
    ],
)
def test_each_caller_sees_its_own(
    client_of: MakeClient,
    alices: Account,
    bobs: Account,
    caller: str,
    seen: list[str],
) -> None:
    client = client_of(caller)
    own = [each for each in (alices, bobs) if each.owner.username in seen]

    pages = walk_pages(client, f"{URL}?page_size=1")
    assert [row["id"] for page in pages for row in page] == [each.pk for each in own]
    assert client.get(URL).json()["count"] == len(own)
    for account in (alices, bobs):
        expected = 200 if account in own else 404
        assert _get(client, account).status_code == expected


@pytest.mark.parametrize("method", ["patch", "put", "delete"])
def test_what_is_not_seen_is_not_written(
    bob: APIClient, alices: Account, method: str
) -> None:
    response = _write(bob, method, alices, {"name": "mine"})
    assert_problem(response, 404, "not-found")
    assert Account.objects.get().name == "alice's account"


def test_the_owner_gives_it_a_name(alice: APIClient, alices: Account) -> None:
    response = _write(alice, "patch", alices, {"name": "Holidays"})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["version"]) == ("Holidays", 2)
    alices.refresh_from_db()
    assert (alices.name, alices.version, alices.balance) == ("Holidays", 2, 1000)


def test_what_was_read_can_be_put_back(alice: APIClient, alices: Account) -> None:
    document = _get(alice, alices).json()
    document |= {"name": "Mine", "balance": 10**9, "owner": 1, "currency": "USD"}
    response = _write(alice, "put", alices, document)
    assert response.status_code == 200
    alices.refresh_from_db()
    assert (alices.name, alices.balance, alices.currency) == ("Mine", 1000, "EUR")


@pytest.mark.parametrize("status", ["frozen", "closed"])
def test_the_staff_decides_about_the_status(
    alice: APIClient, operator: APIClient, alices: Account, status: str
) -> None:
    refused = _write(alice, "patch", alices, {"status": status})
    assert_problem(refused, 403, "permission-denied")
    alices.refresh_from_db()
    assert (alices.status, alices.version) == ("active", 1)

    assert _write(operator, "patch", alices, {"status": status}).status_code == 200
    alices.refresh_from_db()
    assert alices.status == status


def test_a_stale_write_is_refused(alice: APIClient, alices: Account) -> None:
    tag = _get(alice, alices)["ETag"]
    first = _write(alice, "patch", alices, {"name": "first"}, HTTP_IF_MATCH=tag)
    second = _write(alice, "patch", alices, {"name": "second"}, HTTP_IF_MATCH=tag)
    assert first.status_code == 200
    assert_problem(second, 412, "precondition-failed")
    assert Account.objects.get().name == "first"


def test_a_transfer_makes_tags_stale(
    alice: APIClient, alices: Account, paid: Transfer
) -> None:
    tag = _get(alice, alices)["ETag"]
    assert _get(alice, alices, HTTP_IF_NONE_MATCH=tag).status_code == 304
    Transfer.objects.all().delete()
    alice.post(
        "/api/transfers/",
        {"source": alices.pk, "target": paid.target_id, "amount": 1, "currency": "EUR"},
        format="json",
        HTTP_IDEMPOTENCY_KEY="k1",
    )
    assert _get(alice, alices, HTTP_IF_NONE_MATCH=tag).status_code == 200


def test_a_write_keeps_money_that_came_meanwhile(
    alice: APIClient, alices: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Account.save

    def save_late(account: Account, **options: Any) -> None:
        # What a write has read may be old when it is written.
        Account.objects.filter(pk=account.pk).update(balance=5)
        save(account, **options)

    monkeypatch.setattr(Account, "save", save_late)
    assert _write(alice, "patch", alices, {"name": "Later"}).status_code == 200
    alices.refresh_from_db()
    assert (alices.name, alices.balance) == ("Later", 5)


def test_an_empty_account_is_deleted(
    alice: APIClient, open_account: OpenAccount
) -> None:
    empty = open_account("alice", 0)
    assert _write(alice, "delete", empty).status_code == 204
    assert not Account.objects.exists()


def test_an_account_with_transfers_is_in_use(
    operator: APIClient, paid: Transfer
) -> None:
    response = _write(operator, "delete", paid.source)
    assert_problem(response, 409, "account-in-use")
    assert Account.objects.filter(pk=paid.source_id).exists()


def test_accounts_are_not_made_by_the_api(operator: APIClient) -> None:
    response = operator.post(URL, {"name": "Rich", "balance": 10**9}, format="json")
    assert_problem(response, 405, "method-not-allowed")
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("scope", "method", "expected"),
    [
        pytest.param("", "get", 403, id="none-read"),
        pytest.param("ledger:read", "get", 200, id="read-read"),
        pytest.param("ledger:read", "patch", 403, id="read-write"),
        pytest.param("ledger:write", "get", 403, id="write-read"),
        pytest.param("ledger:write", "patch", 200, id="write-write"),
    ],
)
def test_scopes(
    client_of: MakeClient, alices: Account, scope: str, method: str, expected: int
) -> None:
    client = client_of("alice", scope)
    response = _write(
        client, method, alices, {"name": "x"} if method != "get" else None
    )
    assert response.status_code == expected
    if expected == 403:
        assert_problem(response, 403, "insufficient-scope")


@pytest.mark.parametrize("url", [URL, f"{URL}1/", "/api/transfers/"])
def test_nobody_gets_nothing(url: str) -> None:
    response = APIClient().get(url)
    assert_problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer ")


def _get(client: APIClient, account: Account, **headers: str) -> Any:
    send: Any = client.get
    return send(f"{URL}{account.pk}/", **headers)


def _write(
    client: APIClient, method: str, account: Account, body: Any = None, **headers: str
) -> Any:
    send = getattr(client, method)
    options = {} if body is None else {"data": body, "format": "json"}
    return send(f"{URL}{account.pk}/", **options, **headers)
