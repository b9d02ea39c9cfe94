"""What the ledger tells clients to keep, and that each change is heard of."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from ledger.models import Account, Transfer
from ledger.services import Order, refund, transfer
from tests.example.ledger.conftest import OpenAccount

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

ACCOUNTS, TRANSFERS = "/api/accounts/", "/api/transfers/"


@pytest.fixture
def unsampled(settings: Any) -> None:
    """Answer as in production: no 304 is compared with what it stands for."""
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "CONDITIONAL": {}}


@pytest.mark.parametrize("url", [ACCOUNTS, TRANSFERS], ids=["accounts", "transfers"])
def test_a_list_is_not_sent_twice(alice: APIClient, paid: Transfer, url: str) -> None:
    first = alice.get(url)
    second = _again(alice, url, first)
    assert (second.status_code, second.content) == (304, b"")
    assert first.json()["results"]
    assert paid.pk


def test_a_refund_changes_the_page_of_what_it_refunds(
    alice: APIClient, paid: Transfer
) -> None:
    url = f"{TRANSFERS}?ordering=created&page_size=1"
    first = alice.get(url)
    Transfer.objects.filter(pk=paid.pk).update(status="refunded")
    second = _again(alice, url, first)
    assert second.status_code == 200
    assert second.json()["results"][0]["status"] == "refunded"


def test_a_transfer_elsewhere_changes_the_total(
    alice: APIClient, alices: Account, paid: Transfer
) -> None:
    url = f"{TRANSFERS}?ordering=created&page_size=1"
    first = alice.get(url)
    transfer(_order(alices, paid.target))
    second = _again(alice, url, first)
    assert second.status_code == 200
    assert second.json()["results"] == first.json()["results"]
    assert (first.json()["count"], second.json()["count"]) == (1, 2)


def test_a_transfer_is_not_sent_twice_and_its_refund_is_seen(
    alice: APIClient, paid: Transfer
) -> None:
    url = f"{TRANSFERS}{paid.pk}/"
    first = alice.get(url)
    assert _again(alice, url, first).status_code == 304
    refund(paid)
    assert _again(alice, url, first).json()["status"] == "refunded"


def test_another_customer_has_other_tags(
    alice: APIClient, operator: APIClient, paid: Transfer
) -> None:
    # The very same rows, but not asked for by the same caller.
    ours = alice.get(TRANSFERS)
    theirs = operator.get(TRANSFERS)
    assert ours.json() == theirs.json()
    assert ours["ETag"] != theirs["ETag"]
    assert paid.pk


def test_money_that_comes_makes_the_list_of_accounts_another(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    first = alice.get(ACCOUNTS)
    transfer(_order(bobs, alices))
    assert _again(alice, ACCOUNTS, first).status_code == 200


def test_an_account_that_is_opened_makes_the_list_another(
    alice: APIClient, open_account: OpenAccount
) -> None:
    first = alice.get(ACCOUNTS)
    open_account("alice")
    assert _again(alice, ACCOUNTS, first).status_code == 200


@pytest.mark.usefixtures("unsampled")
@pytest.mark.parametrize("kind", ["account", "accounts", "transfer", "transfers"])
def test_a_304_costs_the_queries_of_a_first_answer(
    operator: APIClient, paid: Transfer, kind: str
) -> None:
    url = _urls(paid)[kind]
    with CaptureQueriesContext(connection) as full:
        first = operator.get(url)
    with CaptureQueriesContext(connection) as spared:
        assert _again(operator, url, first).status_code == 304
    # Who asks, and the row or the page; which is not counted, as it is the only one.
    assert len(spared) == len(full) == 2


@pytest.mark.usefixtures("unsampled")
@pytest.mark.parametrize(
    ("kind", "queries"), [("account", 2), ("accounts", 3)], ids=["one", "page"]
)
def test_what_an_answer_to_an_old_tag_costs(
    operator: APIClient, paid: Transfer, kind: str, queries: int
) -> None:
    # A page is read once to be compared, and once to be shown.
    with CaptureQueriesContext(connection) as captured:
        response: Any = operator.get(
            _urls(paid)[kind], headers={"If-None-Match": '"x"'}
        )
    assert response.status_code == 200
    assert len(captured) == queries


@pytest.mark.parametrize("kind", ["account", "transfers"])
def test_who_may_keep_it_and_what_it_depends_on(
    alice: APIClient, paid: Transfer, kind: str
) -> None:
    url = _urls(paid)[kind]
    first = alice.get(url)
    for response in (first, _again(alice, url, first)):
        assert response["Cache-Control"] == "private, no-cache"
        names = {"Accept", "Accept-Language", "Authorization"}
        assert set(response["Vary"].split(", ")) == names


@pytest.mark.parametrize("accepted", [False, True], ids=["strict", "accepting"])
def test_tags_behind_a_layer_that_compresses(
    alice: APIClient, open_account: OpenAccount, settings: Any, accepted: bool
) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.gzip.GZipMiddleware",
        *settings.MIDDLEWARE,
    ]
    conditional = {"CONDITIONAL": {"ACCEPT_WEAK_IF_MATCH": accepted}}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, **conditional}
    # Long enough to be worth it.
    account = open_account("alice", name="\u6f22" * 80)
    url = f"{ACCOUNTS}{account.pk}/"
    gzip = {"Accept-Encoding": "gzip"}
    first: Any = alice.get(url, headers=gzip)
    assert first["Content-Encoding"] == "gzip"
    assert first["ETag"].startswith('W/"')
    kept = alice.get(url, headers={**gzip, "If-None-Match": first["ETag"]})
    assert kept.status_code == 304
    written = _rename(alice, url, "Office", first["ETag"])
    assert written.status_code == (200 if accepted else 412)


@pytest.mark.usefixtures("unsampled")
def test_tags_with_a_suffix_of_apache(alice: APIClient, alices: Account) -> None:
    url = f"{ACCOUNTS}{alices.pk}/"
    first: Any = alice.get(url)
    suffixed = f'{first["ETag"][:-1]}-gzip"'
    # It is compared whole in If-None-Match, and by its first part in If-Match.
    assert alice.get(url, headers={"If-None-Match": suffixed}).status_code == 200
    assert _rename(alice, url, "Office", suffixed).status_code == 200


def test_two_editors_of_one_account(alice: APIClient, alices: Account) -> None:
    url = f"{ACCOUNTS}{alices.pk}/"
    read = alice.get(url)["ETag"]
    won = _rename(alice, url, "Office", read)
    assert won.status_code == 200
    lost = _rename(alice, url, "Travel", read)
    assert_problem(lost, 412, "precondition-failed")
    # A tag that was made with the bytes has a digest of these as its last part.
    assert won["ETag"].startswith(lost["ETag"].removesuffix('"'))
    again = alice.get(url)
    assert (again["ETag"], again.json()["name"]) == (won["ETag"], "Office")
    merged = _rename(alice, url, "Office and travel", again["ETag"])
    assert merged.status_code == 200
    alices.refresh_from_db()
    assert (alices.name, alices.version) == ("Office and travel", 3)


def test_a_rename_that_was_made_before_money_came_is_refused(
    alice: APIClient, alices: Account, bobs: Account
) -> None:
    url = f"{ACCOUNTS}{alices.pk}/"
    read = alice.get(url)["ETag"]
    transfer(_order(bobs, alices))
    stale = _rename(alice, url, "Office", read)
    assert_problem(stale, 412, "precondition-failed")


def _urls(paid: Transfer) -> dict[str, str]:
    return {
        "account": f"{ACCOUNTS}{paid.source_id}/",
        "accounts": ACCOUNTS,
        "transfer": f"{TRANSFERS}{paid.pk}/",
        "transfers": TRANSFERS,
    }


def _again(client: APIClient, url: str, first: Any) -> Any:
    send: Any = client.get
    return send(url, HTTP_IF_NONE_MATCH=first["ETag"])


def _rename(client: APIClient, url: str, name: str, tag: str) -> Any:
    send: Any = client.patch
    return send(url, {"name": name}, format="json", HTTP_IF_MATCH=tag)


def _order(source: Account, target: Account) -> Order:
    return Order(source=source.pk, target=target.pk, amount=1, currency="EUR")
