"""Whatever is sent to the ledger, it answers for it: no 5xx, and no money lost."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.db.models import Sum
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from ledger.models import MAX_AMOUNT, Account, Transfer

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


@pytest.fixture
def order(alices: Account, bobs: Account) -> dict[str, Any]:
    return {
        "source": alices.pk,
        "target": bobs.pk,
        "amount": 5,
        "currency": "EUR",
        "reference": "fine",
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
    if response.status_code >= 400 and kind != "too-large":
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


VALUES = {
    "text": "x",
    "nul": "\0",
    "float": "1.5",
    "negative": "-1",
    "googol": "1" + "0" * 100,
    "endless": LONG,
    "nan": "NaN",
    "list": "1,2",
    "sql": "1' OR '1'='1",
    "surrogate": "%ED%A0%80",
    "not-utf-8": "%FF",
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(
    "name",
    [
        "account",
        "status",
        "created_after",
        "created_before",
        "amount_min",
        "amount_max",
        "ordering",
        "cursor",
        "page_size",
    ],
)
def test_filters_refuse_what_they_do_not_understand(
    operator: APIClient, name: str, kind: str
) -> None:
    value = VALUES[kind] if kind in {"surrogate", "not-utf-8"} else quote(VALUES[kind])
    response = operator.get(f"/api/transfers/?{name}={value}")
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param(
            "created_after=0001-01-01T00:00:00%2B14:00", 400, id="before-time"
        ),
        pytest.param("created_before=9999-12-31T23:59:59-14:00", 400, id="after-time"),
        pytest.param("created_after=2026-02-30T00:00:00Z", 400, id="no-such-day"),
        pytest.param("created_after=2026-01-01", 200, id="a-day"),
        pytest.param("amount_min=9007199254740992", 400, id="beyond-json"),
        pytest.param("account=9223372036854775808", 400, id="beyond-64-bits"),
        pytest.param("search=" + "x" * 140, 200, id="long-search"),
        pytest.param("search=" + "x" * 141, 400, id="longer-search"),
        pytest.param("search=" + "x+" * 70, 200, id="many-words"),
        pytest.param("search=%00", 400, id="search-nul"),
        pytest.param("search=%22", 200, id="search-open-quote"),
        pytest.param("search=%5C", 200, id="search-backslash"),
        pytest.param("ordering=created,created", 200, id="ordering-twice"),
        pytest.param("ordering=created,-amount,settled_at", 200, id="ordering-three"),
        pytest.param("ordering=--created", 400, id="ordering-signs"),
        pytest.param("ordering=source__owner__password", 400, id="ordering-through"),
        pytest.param("ordering=,", 400, id="ordering-of-nothing"),
        pytest.param("ordering=", 200, id="ordering-empty"),
        pytest.param("account=&status=&amount_min=", 200, id="all-empty"),
        pytest.param("status=settled&status=pending", 200, id="status-twice"),
        pytest.param("unknown=1", 200, id="unknown-parameter"),
        pytest.param("&".join(f"x{n}=1" for n in range(1500)), 400, id="very-many"),
    ],
)
def test_odd_queries(operator: APIClient, query: str, status: int) -> None:
    response = operator.get(f"/api/transfers/?{query}")
    assert response.status_code == status, response.content


@pytest.mark.parametrize(
    "pk", ["0", "-1", "x", "1.0", "9" * 40, LONG, "%00", "%F0%9F%92%A9", "null", "1%20"]
)
@pytest.mark.parametrize("collection", ["accounts", "transfers"])
def test_odd_addresses(operator: APIClient, collection: str, pk: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = operator.generic(
            method, f"/api/{collection}/{pk}/", "{}", JSON, HTTP_IDEMPOTENCY_KEY="k"
        )
        expected = {200, 404} if method == "OPTIONS" else {404, 405}
        assert response.status_code in expected, method


@pytest.mark.parametrize(
    "header",
    [
        "HTTP_AUTHORIZATION",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_ACCEPT",
        "HTTP_ACCEPT_LANGUAGE",
    ],
)
@pytest.mark.parametrize(
    "value",
    ["", " ", "\0", '"', '"a', "*", "Bearer", "Bearer ", "Bearer a.b.c", "\xff", LONG],
    ids=repr,
)
def test_odd_headers(
    alice: APIClient, alices: Account, order: dict[str, Any], header: str, value: str
) -> None:
    address = f"/api/accounts/{alices.pk}/"
    send: Any = alice.generic
    for method, path, body in (
        ("GET", address, ""),
        ("PATCH", address, "{}"),
        ("POST", "/api/transfers/", json.dumps(order)),
    ):
        response = send(method, path, body, JSON, **{header: value})
        assert response.status_code < 500, (method, response.content)


def _post(client: APIClient, body: str) -> Any:
    return client.generic(
        "POST", "/api/transfers/", body, JSON, HTTP_IDEMPOTENCY_KEY="key"
    )


def _nothing_happened() -> bool:
    total = Account.objects.aggregate(total=Sum("balance"))["total"]
    versions = set(Account.objects.values_list("version", flat=True))
    return total == 2000 and versions == {1} and not Transfer.objects.exists()
