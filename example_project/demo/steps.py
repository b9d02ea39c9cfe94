"""What the demo shows: each step once, for the curl lines and for `--check` alike."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from demo.editors import two_editors
from demo.exchange import Answer, Request, send
from demo.expectations import (
    BEARER,
    JSON,
    Expectation,
    Step,
    header,
    member,
    problem_document,
    status,
)

__all__ = [
    "QUIET",
    "SCOPE",
    "SHARED",
    "Scene",
    "fetch_etag",
    "fetch_token",
    "make_steps",
    "token_request",
]

SCOPE = "ledger:read ledger:write"

# Accounts of the seeded books: 1 to 4 are alice's, 5 is bob's.
SOURCE, TARGET, POOR, QUIET, SHARED = 1, 5, 2, 3, 4
CURRENCY = "EUR"
AMOUNT = 1050
TOO_MUCH = 9_000_000_000_000
PAGE_SIZE = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """What the steps are played in: addresses, the number of rows, fresh tags."""

    api: str
    rows: int
    etag: str
    shared_etag: str
    key: str = field(default_factory=lambda: f"demo-{secrets.token_hex(8)}")


def token_request(token_endpoint: str, client_id: str, client_secret: str) -> Request:
    """Make the request for an access token (RFC 6749 section 4.4)."""
    basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    return Request(
        "POST",
        token_endpoint,
        {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        urlencode({"grant_type": "client_credentials", "scope": SCOPE}),
    )


def fetch_token(request: Request) -> str:
    """Get an access token; raise OSError when the provider gives none."""
    answer = send(request)
    token = answer.member("access_token")
    if not isinstance(token, str):
        raise OSError(f"No token from the provider: {answer.status} {answer.body}")
    return token


def fetch_etag(api: str, account: int, token: str) -> str:
    """Get the entity tag of an account."""
    request = Request("GET", _account(api, account), BEARER)
    return send(request, token).headers.get("etag", "")


def make_steps(scene: Scene) -> tuple[Step, ...]:
    """Give all the steps, in the order in which they are told."""
    return (
        _page(scene),
        _problem(scene),
        _not_modified(scene),
        _precondition_failed(scene),
        *two_editors(_account(scene.api, SHARED), scene.shared_etag),
        *_replay(scene),
        _rejected(scene),
    )


def _page(scene: Scene) -> Step:
    query = urlencode({"ordering": "-amount", "page_size": PAGE_SIZE})
    more = scene.rows > PAGE_SIZE
    return Step(
        "A keyset page with its total",
        Request("GET", f"{scene.api}/api/transfers/?{query}", BEARER),
        (
            status(200),
            member("count", scene.rows),
            member("count_relation", "exact"),
            Expectation(
                "Link leads to the last page",
                lambda answer, _: 'rel="last"' in answer.headers.get("link", ""),
            ),
            Expectation(
                "next leads on" if more else "next is null",
                lambda answer, _: bool(answer.member("next")) == more,
            ),
            Expectation(
                "results are sorted, the largest amount first",
                lambda answer, _: _sorted_page(answer, scene.rows),
            ),
        ),
    )


def _problem(scene: Scene) -> Step:
    order = {"source": POOR, "target": TARGET, "amount": TOO_MUCH}
    return Step(
        "A problem document: more money than there is",
        _order_request(scene, order, f"{scene.key}-poor"),
        (
            *problem_document(409, "insufficient-funds"),
            member("required", TOO_MUCH),
        ),
    )


def _not_modified(scene: Scene) -> Step:
    return Step(
        "A 304: the account has not changed",
        Request(
            "GET",
            _account(scene.api, QUIET),
            {**BEARER, "If-None-Match": scene.etag},
        ),
        (
            status(304),
            header("ETag", scene.etag),
            Expectation("no body", lambda answer, _: not answer.body),
        ),
    )


def _precondition_failed(scene: Scene) -> Step:
    return Step(
        "An If-Match refusal: somebody else was faster",
        Request(
            "PATCH",
            _account(scene.api, QUIET),
            {**BEARER, **JSON, "If-Match": '"an-older-version"'},
            json.dumps({"name": "Holidays"}),
        ),
        (*problem_document(412, "precondition-failed"), header("ETag", scene.etag)),
    )


def _replay(scene: Scene) -> tuple[Step, ...]:
    order = {"source": SOURCE, "target": TARGET, "amount": AMOUNT}
    request = _order_request(scene, order, scene.key)
    first = Step(
        "A transfer, with an Idempotency-Key",
        request,
        (status(201), member("amount", AMOUNT), member("status", "settled")),
    )
    second = Step(
        "The same once more: an idempotent replay, no money moves",
        request,
        (
            status(201),
            header("Idempotent-Replayed", "true"),
            Expectation(
                "the same body as before",
                lambda answer, before: (
                    before is not None and answer.body == before.body
                ),
            ),
        ),
    )
    third = Step(
        "The same key for another amount: refused, since it is used",
        _order_request(scene, {**order, "amount": 2 * AMOUNT}, scene.key),
        problem_document(422, "idempotency-key-reused"),
    )
    return first, second, third


def _rejected(scene: Scene) -> Step:
    return Step(
        "A rejected token: its signature is wrong",
        Request(
            "GET",
            f"{scene.api}/api/accounts/",
            {"Authorization": f"{BEARER['Authorization']}x"},
        ),
        (
            *problem_document(401, "invalid-token"),
            Expectation(
                'WWW-Authenticate has error="invalid_token"',
                lambda answer, _: (
                    'error="invalid_token"'
                    in answer.headers.get("www-authenticate", "")
                ),
            ),
        ),
    )


def _account(api: str, pk: int) -> str:
    return f"{api}/api/accounts/{pk}/"


def _order_request(scene: Scene, order: Mapping[str, Any], key: str) -> Request:
    return Request(
        "POST",
        f"{scene.api}/api/transfers/",
        {**BEARER, **JSON, "Idempotency-Key": key},
        json.dumps({**order, "currency": CURRENCY, "reference": "demo"}),
    )


def _sorted_page(answer: Answer, rows: int) -> bool:
    results = answer.member("results") or []
    amounts = [row["amount"] for row in results]
    return len(amounts) == min(PAGE_SIZE, rows) and amounts == sorted(
        amounts, reverse=True
    )
