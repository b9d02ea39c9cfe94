"""The form that moves money: once, however often it is sent."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from drf_apikit.exceptions import IdempotencyInProgress, IdempotencyUnavailable
from drf_apikit.models import IdempotencyRecord
from ledger import services
from ledger.models import Account, Transfer
from ledger.web import ordering
from tests.example.identity.browsing import hidden_fields

pytestmark = [pytest.mark.urls("tests.example.ledger.web_urls")]
FORM = "/transfers/new/"


@pytest.fixture
def alice(client: Client, people: dict[str, User]) -> Client:
    client.force_login(people["alice"])
    return client


@pytest.fixture
def typed(alices: Account, bobs: Account) -> dict[str, str]:
    return {
        "source": str(alices.pk),
        "target": str(bobs.pk),
        "amount": "2.50",
        "reference": "for tea",
    }


def fill_in(client: Client, typed: dict[str, str]) -> dict[str, str]:
    """Open the form, and give all that a browser sends of it."""
    return hidden_fields(client.get(FORM).content.decode()) | typed


def send(client: Client, fields: dict[str, str]) -> Any:
    """Post the form as a browser does."""
    kind = "application/x-www-form-urlencoded"
    return client.post(FORM, urlencode(fields), content_type=kind)


def balances() -> list[int]:
    return list(Account.objects.order_by("pk").values_list("balance", flat=True))


@pytest.mark.django_db
def test_an_order_moves_the_money_and_leads_to_its_page(
    alice: Client, typed: dict[str, str]
) -> None:
    answer = send(alice, fill_in(alice, typed))
    made = Transfer.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/transfers/{made.pk}/")
    assert (made.amount, made.currency, made.reference) == (250, "EUR", "for tea")
    assert balances() == [750, 1250]
    assert "2.50 EUR" in alice.get(answer["Location"]).content.decode()


@pytest.mark.django_db
def test_sent_twice_it_is_one_transfer(alice: Client, typed: dict[str, str]) -> None:
    filled_in = fill_in(alice, typed)
    first, second = (send(alice, filled_in) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first["Location"] == second["Location"]
    assert second["Idempotent-Replayed"] == "true"
    assert balances() == [750, 1250]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_clicks_at_once_are_one_transfer(
    alice: Client, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first, and leads to the same page."""
    # However slow the machine is.
    monkeypatch.setattr(ordering, "WAITS", (0.05,) * 400)
    filled_in, together = fill_in(alice, typed), Barrier(3)

    def click(_: int) -> Any:
        browser = Client()
        browser.cookies = alice.cookies
        together.wait()
        try:
            return send(browser, filled_in)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(click, range(3)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer["Location"] for answer in answers}) == 1
    assert balances() == [750, 1250]


@pytest.mark.django_db
def test_two_forms_are_two_transfers(alice: Client, typed: dict[str, str]) -> None:
    for _ in range(2):
        assert send(alice, fill_in(alice, typed)).status_code == 303
    assert balances() == [500, 1500]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"amount": "1,000"}, "at most 2 digits", id="thousands"),
        pytest.param({"amount": "0"}, "above zero", id="nothing"),
        pytest.param({"amount": ""}, "This field is required", id="no-amount"),
        pytest.param({"amount": "10.01"}, "The account holds 10.00 EUR", id="poor"),
        pytest.param({"source": ""}, "This field is required", id="no-source"),
        pytest.param({"source": "99"}, "Select a valid choice", id="no-own"),
        pytest.param({"target": "x"}, "digits alone", id="no-number"),
        pytest.param({"target": "99"}, "no such account", id="no-target"),
        pytest.param({"reference": "x" * 141}, "at most 140", id="long-reference"),
    ],
)
def test_a_refusal_is_shown_in_the_form_and_the_corrected_form_goes_through(
    alice: Client, typed: dict[str, str], change: dict[str, str], says: str
) -> None:
    page = send(alice, fill_in(alice, typed | change))
    text = page.content.decode()
    assert page.status_code in {400, 409, 422}
    assert "<title>Error: New transfer" in text
    assert says in text
    assert text.count('aria-invalid="true"') == text.count(" autofocus") == 1
    assert 'value="for tea"' in text or "reference" in change
    assert balances() == [1000, 1000]
    # The key was not used up.
    assert not IdempotencyRecord.objects.exists()
    assert send(alice, hidden_fields(text) | typed).status_code == 303
    assert balances() == [750, 1250]


@pytest.mark.django_db
def test_a_comma_that_may_stand_between_thousands_moves_nothing(
    alice: Client, typed: dict[str, str], open_account: Any
) -> None:
    dinars = open_account("alice", currency="KWD")
    order = {"source": str(dinars.pk), "amount": "1,250"}
    page = send(alice, fill_in(alice, typed | order))
    assert page.status_code == 400
    says = 'id="id_amount_error">1,250 could be two amounts. Write 1.250, or 1250 if'
    assert says in page.content.decode()
    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_refusals_of_the_ledger_stand_at_their_field(
    alice: Client, typed: dict[str, str], open_account: Any, bobs: Account
) -> None:
    dollars = open_account("bob", currency="USD")
    rich = open_account("bob", 2**53 - 1)
    for target, says in (
        (dollars.pk, "This account holds USD, and the one that pays EUR."),
        (typed["source"], "Choose two different accounts."),
        (rich.pk, "This account cannot hold that much."),
    ):
        text = send(alice, fill_in(alice, typed | {"target": str(target)}))
        assert f'id="id_target_error">{says}' in text.content.decode()
    Account.objects.filter(pk=bobs.pk).update(status="frozen")
    text = send(alice, fill_in(alice, typed))
    assert 'id="id_target_error">This account is frozen' in text.content.decode()


@pytest.mark.django_db
def test_a_used_form_with_other_values_is_not_sent_by_itself(
    alice: Client, typed: dict[str, str]
) -> None:
    """Back in the browser, another amount, and sent again."""
    filled_in = fill_in(alice, typed)
    send(alice, filled_in)
    page = send(alice, filled_in | {"amount": "3"})
    text = page.content.decode()
    assert page.status_code == 422
    assert "sent before, with other values" in text
    assert "Nothing was sent" not in text
    assert 'value="3"' in text
    assert balances() == [750, 1250]
    # The person has read it, and sends it again: with a key of its own.
    again = hidden_fields(text) | typed | {"amount": "3"}
    assert again["idempotency_key"] != filled_in["idempotency_key"]
    assert send(alice, again).status_code == 303
    assert balances() == [450, 1550]


@pytest.mark.django_db
@pytest.mark.parametrize("key", [None, "", "two words", "x" * 256], ids=repr)
def test_a_form_without_a_whole_key_gets_a_new_one(
    alice: Client, typed: dict[str, str], key: str | None
) -> None:
    filled_in = fill_in(alice, typed) | {"idempotency_key": key or ""}
    if key is None:
        del filled_in["idempotency_key"]
    page = send(alice, filled_in)
    assert page.status_code == 400
    assert "The form was not whole" in page.content.decode()
    assert send(alice, hidden_fields(page.content.decode()) | typed)
    assert balances() == [750, 1250]


@pytest.mark.django_db
def test_a_form_of_another_site_is_refused(
    people: dict[str, User], typed: dict[str, str]
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people["alice"])
    filled_in = fill_in(strict, typed)
    forged = send(strict, filled_in | {"csrfmiddlewaretoken": "x" * 64})
    assert forged.status_code == 403
    assert "for tea" not in forged.content.decode()
    assert send(strict, filled_in).status_code == 303


@pytest.mark.django_db
def test_a_first_click_that_takes_long_is_told_of(
    alice: Client, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def conflict(_order: Any) -> None:
        asked.append(time.monotonic())
        raise IdempotencyInProgress

    filled_in = fill_in(alice, typed)
    with monkeypatch.context() as patch:
        patch.setattr(services, "transfer", conflict)
        patch.setattr(ordering, "WAITS", (0.01, 0.01))
        page = send(alice, filled_in)
    assert len(asked) == 3
    text = page.content.decode()
    assert page.status_code == 409
    assert "being made at this moment" in text
    # It can be sent again as it stands there: the key is the same.
    again = hidden_fields(text) | typed
    assert again["idempotency_key"] == filled_in["idempotency_key"]
    assert send(alice, again).status_code == 303
    assert balances() == [750, 1250]


@pytest.mark.django_db
def test_books_that_are_away_keep_what_was_typed(
    alice: Client, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_order: Any) -> None:
        raise IdempotencyUnavailable(headers={"Retry-After": "1"})

    filled_in = fill_in(alice, typed)
    with monkeypatch.context() as patch:
        patch.setattr(services, "transfer", away)
        page = send(alice, filled_in)
    assert page.status_code == 503
    text = page.content.decode()
    assert "so nothing was sent" in text
    assert 'value="for tea"' in text
    assert send(alice, hidden_fields(text) | typed).status_code == 303


@pytest.mark.django_db
def test_a_fault_is_no_refusal(
    alice: Client, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_order: Any) -> None:
        raise RuntimeError("the ledger burns")

    monkeypatch.setattr(services, "transfer", fail)
    alice.raise_request_exception = False
    answer = send(alice, fill_in(alice, typed))
    assert answer.status_code == 500
    assert b"burns" not in answer.content
    assert not IdempotencyRecord.objects.exists()
