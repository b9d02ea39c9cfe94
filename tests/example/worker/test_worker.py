"""The worker against a real ledger: run twice, it pays once."""

import functools
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from drf_apikit.models import ExternalIdentity
from drf_apikit.testing import InMemoryIssuer
from ledger.models import Account, Transfer
from worker.ledger_api import LedgerAPI
from worker.management.commands import worker

HEAD = "id,source,target,amount,currency,reference\n"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("ledger.urls")]

Run = Callable[[str], str]


@pytest.fixture
def books() -> tuple[Account, Account]:
    alice, bob = (User.objects.create(username=name) for name in ("alice", "bob"))
    one, two = (
        Account.objects.create(owner=user, name="x", currency="EUR", balance=1000)
        for user in (alice, bob)
    )
    return one, two


@pytest.fixture
def bearer(books: tuple[Account, Account], oidc_issuer: InMemoryIssuer) -> Any:
    """Give what sends a token of a client that acts for alice."""
    ExternalIdentity.objects.create(
        issuer=oidc_issuer.issuer, subject="worker", user=books[0].owner
    )
    token = oidc_issuer.signed_token(
        "worker", client_id="worker", scope="ledger:read ledger:write"
    )

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


@pytest.fixture
def run(
    live_server: LiveServer,
    bearer: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """Run the command on a text; gives what it says, and raises as it does."""
    settings.MISSING = []
    settings.LEDGER_URL = live_server.url
    settings.ALLOWED_HOSTS = ["localhost"]
    with_token = functools.partial(LedgerAPI, auth=bearer)
    monkeypatch.setattr(worker, "LedgerAPI", with_token)

    def build(text: str) -> str:
        path = tmp_path / "payments.csv"
        path.write_text(HEAD + text)
        output = StringIO()
        try:
            worker.Command(stdout=output).handle(file=path)
        except CommandError as error:
            return f"{output.getvalue()}\n{error} ({error.returncode})"
        return output.getvalue()

    return build


def test_run_twice_it_pays_once(run: Run, books: tuple[Account, Account]) -> None:
    one, two = books
    text = f"a,{one.pk},{two.pk},1.50,EUR,tea\nb,{one.pk},{two.pk},2,EUR,\n"
    first, second = run(text), run(text)
    assert first.count("paid, transfer") == 2
    assert second.count("paid before, transfer") == 2
    for said in (first, second):
        assert "In the books: 2, on 1 page." in said
    one.refresh_from_db()
    assert one.balance == 650
    assert set(Transfer.objects.values_list("amount", "reference")) == {
        (150, "tea"),
        (200, ""),
    }


def test_refusals_are_said_and_the_others_are_paid(
    run: Run, books: tuple[Account, Account]
) -> None:
    one, two = books
    said = run(
        f"a,{one.pk},{two.pk},99,EUR,\n"
        f"b,{two.pk},{one.pk},1,EUR,\n"
        f"c,{one.pk},{two.pk},1,EUR,\n"
    )
    assert "Insufficient funds. The account holds 1000" in said
    assert "Validation error." in said
    assert "      source: Invalid pk" in said
    assert "c  1.00 EUR" in said
    assert "paid, transfer" in said
    assert "Refused: 2 of 3. (1)" in said
    # Another amount for a payment that was made is no second payment.
    said = run(f"c,{one.pk},{two.pk},2,EUR,\n")
    assert "Idempotency-Key is already used." in said
    assert "(1)" in said
    assert Transfer.objects.count() == 1


def test_it_follows_the_pages(
    run: Run, books: tuple[Account, Account], bearer: Any, settings: Any
) -> None:
    one, two = books
    assert run(f"a,{one.pk},{two.pk},1,EUR,\n")
    Transfer.objects.bulk_create(
        Transfer(source=one, target=two, amount=1, currency="EUR", status="pending")
        for _ in range(120)
    )
    assert "paid before" in (said := run(f"a,{one.pk},{two.pk},1,EUR,\n"))
    assert "In the books: 1, on 2 pages." in said
    pages = list(LedgerAPI(settings.LEDGER_URL, bearer).transfers(page_size="100"))
    assert [len(page) for page in pages] == [100, 21]


def test_who_has_no_right_token_gets_nowhere(
    run: Run, books: tuple[Account, Account], monkeypatch: Any
) -> None:
    def wrong(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = "Bearer wrong"
        return request

    monkeypatch.setattr(worker, "LedgerAPI", functools.partial(LedgerAPI, auth=wrong))
    one, two = books
    said = run(f"a,{one.pk},{two.pk},1,EUR,\nb,{one.pk},{two.pk},1,EUR,\n")
    assert "Not at the end: Invalid access token" in said
    assert "(2)" in said


def test_what_is_missing_is_named(settings: Settings, tmp_path: Path) -> None:
    settings.MISSING = ["LEDGER_URL", "OIDC_ISSUER"]
    with pytest.raises(CommandError, match="LEDGER_URL, OIDC_ISSUER") as raised:
        worker.Command().handle(file=tmp_path / "none")
    assert raised.value.returncode == 2
    settings.MISSING = []
    with pytest.raises(CommandError, match="No such file"):
        worker.Command().handle(file=tmp_path / "none")
