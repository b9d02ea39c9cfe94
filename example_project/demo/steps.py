"""What the demo shows: each step once, for the curl lines and for `--check` alike."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from demo.exchange import TOKEN, Answer, Request, send

__all__ = ["Expectation", "Scene", "Step", "fetch_token", "make_steps", "token_request"]

JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SCOPE = "ledger:read ledger:write"
PROBLEM = "application/problem+json"

# Accounts of the seeded books: 1 to 4 are alice's, 5 is bob's.
SOURCE, TARGET, POOR, QUIET = 1, 5, 2, 3
CURRENCY = "EUR"
AMOUNT = 1050
TOO_MUCH = 9_000_000_000_000
PAGE_SIZE = 3


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that has to be so; `holds` gets this answer and the one before."""

    text: str
    holds: Callable[[Answer, Answer | None], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """A request, and what makes its answer the right one."""

    title: str
    request: Request
    expectations: Sequence[Expectation]


@dataclass(frozen=True, slots=True)
class Scene:
    """What the steps are played in: addresses, the number of rows, a fresh tag."""

    api: str
    rows: int
    etag: str
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


def fetch_etag(api: str, token: str) -> str:
    """Get the entity tag of the account that no step changes."""
    return send(account_request(api), token).headers.get("etag", "")


def account_request(api: str, **headers: str) -> Request:
    """Make the request that reads that account."""
    return Request("GET", f"{api}/api/accounts/{QUIET}/", {**BEARER, **headers})


def make_steps(scene: Scene) -> tuple[Step, ...]:
    """Give all the steps, in the order in which they are told."""
    return (
        _page(scene),
        _problem(scene),
        _not_modified(scene),
        _precondition_failed(scene),
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
            _status(200),
            _member("count", scene.rows),
            _member("count_relation", "exact"),
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
            *_problem_document(409, "insufficient-funds"),
            _member("required", TOO_MUCH),
        ),
    )


def _not_modified(scene: Scene) -> Step:
    return Step(
        "A 304: the account has not changed",
        account_request(scene.api, **{"If-None-Match": scene.etag}),
        (
            _status(304),
            _header("ETag", scene.etag),
            Expectation("no body", lambda answer, _: not answer.body),
        ),
    )


def _precondition_failed(scene: Scene) -> Step:
    return Step(
        "An If-Match refusal: somebody else was faster",
        Request(
            "PATCH",
            f"{scene.api}/api/accounts/{QUIET}/",
            {**BEARER, **JSON, "If-Match": '"an-older-version"'},
            json.dumps({"name": "Holidays"}),
        ),
        (*_problem_document(412, "precondition-failed"), _header("ETag", scene.etag)),
    )


def _replay(scene: Scene) -> tuple[Step, Step]:
    order = {"source": SOURCE, "target": TARGET, "amount": AMOUNT}
    request = _order_request(scene, order, scene.key)
    first = Step(
        "A transfer, with an Idempotency-Key",
        request,
        (_status(201), _member("amount", AMOUNT), _member("status", "settled")),
    )
    second = Step(
        "The same once more: an idempotent replay, no money moves",
        request,
        (
            _status(201),
            _header("Idempotent-Replayed", "true"),
            Expectation(
                "the same body as before",
                lambda answer, before: (
                    before is not None and answer.body == before.body
                ),
            ),
        ),
    )
    return first, second


def _rejected(scene: Scene) -> Step:
    return Step(
        "A rejected token: its signature is wrong",
        Request(
            "GET",
            f"{scene.api}/api/accounts/",
            {"Authorization": f"{BEARER['Authorization']}x"},
        ),
        (
            *_problem_document(401, "invalid-token"),
            Expectation(
                'WWW-Authenticate has error="invalid_token"',
                lambda answer, _: (
                    'error="invalid_token"'
                    in answer.headers.get("www-authenticate", "")
                ),
            ),
        ),
    )


def _order_request(scene: Scene, order: Mapping[str, Any], key: str) -> Request:
    return Request(
        "POST",
        f"{scene.api}/api/transfers/",
        {**BEARER, **JSON, "Idempotency-Key": key},
        json.dumps({**order, "currency": CURRENCY, "reference": "demo"}),
    )


def _status(status: int) -> Expectation:
    return Expectation(f"status {status}", lambda answer, _: answer.status == status)


def _header(name: str, value: str) -> Expectation:
    return Expectation(
        f"{name} is {value}",
        lambda answer, _: answer.headers.get(name.lower()) == value,
    )


def _member(name: str, value: Any) -> Expectation:
    return Expectation(
        f"{name} is {value:,}" if isinstance(value, int) else f"{name} is {value}",
        lambda answer, _: answer.member(name) == value,
    )


def _problem_document(status: int, slug: str) -> tuple[Expectation, ...]:
    return (
        _status(status),
        Expectation(PROBLEM, lambda answer, _: answer.media_type == PROBLEM),
        Expectation(
            f"type ends in {slug}",
            lambda answer, _: str(answer.member("type")).endswith(f"/{slug}"),
        ),
    )


def _sorted_page(answer: Answer, rows: int) -> bool:
    results = answer.member("results") or []
    amounts = [row["amount"] for row in results]
    return len(amounts) == min(PAGE_SIZE, rows) and amounts == sorted(
        amounts, reverse=True
    )
