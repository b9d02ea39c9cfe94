"""People of the ledger with their accounts, and clients with their tokens."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from drf_apikit.models import ExternalIdentity
from drf_apikit.signals import validator_found_stale
from drf_apikit.testing import InMemoryIssuer
from ledger.models import Account, Transfer
from ledger.services import Order, transfer

SCOPE = "ledger:read ledger:write"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

OpenAccount = Callable[..., Account]
MakeClient = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def no_stale_answer(settings: Any) -> Iterator[None]:
    """Compare each 304 with what would have been sent."""
    stale: list[object] = []

    def note(**sent: object) -> None:
        stale.append(sent["tag"])

    sampling = {"CONDITIONAL": {"VERIFY_SAMPLE_RATE": 1}}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, **sampling}
    validator_found_stale.connect(note)
    yield
    validator_found_stale.disconnect(note)
    assert not stale


@pytest.fixture
def people() -> dict[str, User]:
    users = {name: User.objects.create(username=name) for name in ("alice", "bob")}
    users["operator"] = User.objects.create(username="operator", is_staff=True)
    return users


@pytest.fixture
def open_account(people: dict[str, User]) -> OpenAccount:
    """Open an account: `open_account("alice", 500, status="frozen")`."""

    def build(owner: str, balance: int = 1000, **columns: str) -> Account:
        values = {"name": f"{owner}'s account", "currency": "EUR", **columns}
        return Account.objects.create(owner=people[owner], balance=balance, **values)

    return build


@pytest.fixture
def alices(open_account: OpenAccount) -> Account:
    return open_account("alice")


@pytest.fixture
def bobs(open_account: OpenAccount) -> Account:
    return open_account("bob")


@pytest.fixture
def paid(alices: Account, bobs: Account) -> Transfer:
    """A transfer of 100 from alice to bob."""
    return transfer(Order(source=alices.pk, target=bobs.pk, amount=100, currency="EUR"))


@pytest.fixture
def client_of(people: dict[str, User], oidc_issuer: InMemoryIssuer) -> MakeClient:
    """Give the client of a person; by any other name one of a nameless machine."""

    def build(name: str, scope: str = SCOPE) -> APIClient:
        subject = f"subject-of-{name}"
        if name in people:
            ExternalIdentity.objects.get_or_create(
                issuer=oidc_issuer.issuer, subject=subject, user=people[name]
            )
        token = oidc_issuer.signed_token(subject, client_id=subject, scope=scope)
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return build


@pytest.fixture
def alice(client_of: MakeClient) -> APIClient:
    return client_of("alice")


@pytest.fixture
def bob(client_of: MakeClient) -> APIClient:
    return client_of("bob")


@pytest.fixture
def operator(client_of: MakeClient) -> APIClient:
    return client_of("operator")


@pytest.fixture
def history(open_account: OpenAccount) -> list[Transfer]:
    """Six transfers, a day apart: alice, bob and the operator in a ring."""
    names = ("alice", "bob", "operator")
    accounts = [open_account(name) for name in names]
    return [
        Transfer.objects.create(
            source=accounts[n % 3],
            target=accounts[(n + 1) % 3],
            amount=100 - 10 * (n // 2),
            currency="EUR",
            reference=f"{'rent' if n % 2 else 'Invoice'} {n}",
            status="pending" if n == 3 else "settled",
            created=BEGIN + timedelta(days=n),
            settled_at=None if n == 3 else BEGIN + timedelta(days=10 - n),
        )
        for n in range(6)
    ]


@pytest.fixture
def order(alices: Account, bobs: Account) -> dict[str, Any]:
    return {
        "source": alices.pk,
        "target": bobs.pk,
        "amount": 5,
        "currency": "EUR",
        "reference": "fine",
    }
