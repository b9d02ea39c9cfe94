"""Whatever is sent to the ledger, it answers for it: no 5xx, and no money lost."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Sum
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from ledger import settings as ledger_settings
from ledger.models import MAX_AMOUNT, Account, Transfer

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

JSON = "application/json"
LONG = "9" * 5000
HOSTILE: dict[str, Any] = {
    "null": None,
    "true": True,
    "text": "1",
    "empty-text": "",
    "float": 1.0,
    "half": 1.5,
    "negative": -1,
    "zero": 0,
    "beyond-json": 2**53,
    "beyond-64-bits": 2**63,
    "googol": 10**100,
    "list": [1],
    "object": {"id": 1},
    "nul": "\0",
    "surrogate": "\ud800",
    "long": "x" * 20_000,
    "nested": [[[[[[[[[[]]]]]]]]]],
}
FINE = {
    ("reference", "empty-text"),
    ("reference", "text"),
    ("name", "text"),
}


@pytest.mark.parametrize(
    "name", ["source", "target", "amount", "currency", "reference"]
)
@pytest.mark.parametrize("kind", HOSTILE)
def test_members_of_an_order(
    alice: APIClient, order: dict[str, Any], name: str, kind: str
) -> None:
    response = _post(alice, json.dumps({**order, name: HOSTILE[kind]}))
    if (name, kind) in FINE:
        assert response.status_code == 201
        return
    problem = assert_problem(response, 400, "validation-error")
    assert {error["pointer"] for error in problem["errors"]} == {f"#/{name}"}
    assert _nothing_happened()


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["name", "status"])
def test_members_of_an_account(
    alice: APIClient, alices: Account, name: str, kind: str
) -> None:
    response = alice.patch(
        f"/api/accounts/{alices.pk}/",
        json.dumps({name: HOSTILE[kind]}),
        content_type=JSON,
    )
    if (name, kind) in FINE:
        assert response.status_code == 200
        return
    problem = assert_problem(response, 400, "validation-error")
    assert {error["pointer"] for error in problem["errors"]} == {f"#/{name}"}
    alices.refresh_from_db()
    assert (alices.name, alices.version) == ("alice's account", 1)


@pytest.mark.parametrize(
    "name", ["source", "target", "amount", "currency"], ids="without-{}".format
)
def test_an_order_is_complete(
    alice: APIClient, order: dict[str, Any], name: str
) -> None:
    del order[name]
    problem = assert_problem(_post(alice, json.dumps(order)), 400, "validation-error")
    assert [error["code"] for error in problem["errors"]] == ["required"]


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"ammount": 5}, id="misspelt"),
        pytest.param({"status": "settled"}, id="not-the-client's"),
        pytest.param({"": 1}, id="nameless"),
        pytest.param({"\0/~": 1}, id="odd-name"),
        pytest.param({f"x{n}": n for n in range(2000)}, id="two-thousand"),
    ],
)
def test_an_order_has_no_other_members(
    alice: APIClient, order: dict[str, Any], extra: dict[str, int]
) -> None:
    response = _post(alice, json.dumps({**order, **extra}))
    problem = assert_problem(response, 400, "validation-error")
    assert {error["code"] for error in problem["errors"]} == {"unknown"}
    assert _nothing_happened()


def test_the_largest_order_is_understood(
    alice: APIClient, order: dict[str, Any]
) -> None:
    order |= {"amount": MAX_AMOUNT, "reference": "x" * 140}
    assert_problem(_post(alice, json.dumps(order)), 409, "insufficient-funds")


BODIES: dict[str, Any] = {
    "empty": "",
    "blank": "  ",
    "null": "null",
    "number": "5",
    "text": '"order"',
    "list": "[]",
    "list-of-orders": '[{"amount": 1}]',
    "object": "{}",
    "cut-off": '{"amount": 1',
    "nan": '{"amount": NaN}',
    "infinity": '{"amount": Infinity}',
    "endless-number": f'{{"amount": {LONG}}}',
    "deep-list": "[" * 30_000,
    "deep-object": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "not-utf-8": b'{"amount": "\xff"}',
    "bom": b"\xef\xbb\xbf{}",
    "too-large": '{"reference": "' + "x" * 200_000 + '"}',
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/api/transfers/", id="order"),
        pytest.param("PATCH", "/api/accounts/{account}/", id="patch"),
        pytest.param("PUT", "/api/accounts/{account}/", id="put"),
        pytest.param("POST", "/api/transfers/{transfer}/refund/", id="refund"),
    ],
)
def test_whole_bodies(
    bob: APIClient, paid: Transfer, method: str, path: str, kind: str
) -> None:
    response = bob.generic(
        method,
        path.format(account=paid.target_id, transfer=paid.pk),
        BODIES[kind],
        JSON,
        HTTP_IDEMPOTENCY_KEY="key",
    )
    assert response.status_code < 500, response.content
    if kind == "too-large":
        assert_problem(response, 413, "content-too-large")
    elif response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json"
    # An empty PATCH and a refund without words are the only ones that make sense.
    fine = {"PATCH": {"empty", "object"}, "POST": {"empty", "object"}}
    understood = kind in fine.get(method, ()) and path != "/api/transfers/"
    assert (response.status_code < 300) is understood, response.content


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "?"],
)
def test_other_media_types_are_refused(
    alice: APIClient, order: dict[str, Any], media_type: str
) -> None:
    response = alice.generic(
        "POST",
        "/api/transfers/",
        json.dumps(order),
        media_type,
        HTTP_IDEMPOTENCY_KEY="k",
    )
    assert_problem(response, 415, "unsupported-media-type")
    assert _nothing_happened()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/nowhere/", id="unknown"),
        pytest.param("/api/accounts/1/nowhere/", id="below-an-account"),
        pytest.param("/api/accounts/one/more/", id="two-parts"),
        pytest.param("/api/%00/", id="nul"),
        pytest.param("/api/%ED%A0%80/", id="surrogate"),
        pytest.param("/api/%0D%0AX:%20y/", id="line-break"),
    ],
)
def test_unmatched_addresses_of_the_api(
    alice: APIClient, method: str, path: str
) -> None:
    response = alice.generic(method, path, "{}", JSON)
    assert_problem(response, 404, "not-found")
    page = alice.generic(method, path, "{}", JSON, HTTP_ACCEPT="text/html,*/*;q=0.1")
    assert page.status_code == 404
    assert page["Content-Type"] == "text/html; charset=utf-8"


def test_outside_of_the_api_visitors_get_pages(
    alice: APIClient, settings: "Settings"
) -> None:
    settings.DRF_APIKIT = ledger_settings.DRF_APIKIT
    response = alice.get("/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"] == "text/html; charset=utf-8"


def _post(client: APIClient, body: str) -> Any:
    return client.generic(
        "POST", "/api/transfers/", body, JSON, HTTP_IDEMPOTENCY_KEY="key"
    )


def _nothing_happened() -> bool:
    total = Account.objects.aggregate(total=Sum("balance"))["total"]
    versions = set(Account.objects.values_list("version", flat=True))
    return total == 2000 and versions == {1} and not Transfer.objects.exists()
