"""Odd addresses, queries and headers: refused, understood, and never a 5xx."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from ledger.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]

JSON = "application/json"
LONG = "9" * 5000


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
        pytest.param("&".join(f"x{n}=1" for n in range(1500)), 413, id="very-many"),
    ],
)
def test_odd_queries(operator: APIClient, query: str, status: int) -> None:
    response = operator.get(f"/api/transfers/?{query}")
    assert response.status_code == status, response.content


@pytest.mark.parametrize(
    "pk",
    ["0", "-1", "x", "1.0", "9" * 40, LONG, "%00", "%F0%9F%92%A9", "null", "1%20"],
    ids=lambda pk: pk[:12],
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
    ids=lambda value: repr(value[:12]),
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
