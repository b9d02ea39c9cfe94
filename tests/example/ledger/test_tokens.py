"""The ledger's own tokens, beside those of the provider: what people meet."""

import json
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from pytest_django import Settings
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from ledger.environment import first_party, own_issuer
from ledger.models import Account
from ledger.urls import urlpatterns as usual
from mobile import CLIENT_ID

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.example.ledger.test_tokens"),
]
LEDGER: Final = "https://ledger.test"
PASSWORD: Final = "correct horse"
SCOPES: Final = ("ledger:read", "ledger:write")
TOKEN: Final = "/api/token/"
SESSIONS: Final = "/api/sessions/"
ACCOUNTS: Final = "/api/accounts/"

urlpatterns = [path("", include("ledger.token_urls")), *usual]


@pytest.fixture(autouse=True)
def _issuing(
    settings: Settings, people: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENS_ISSUER", LEDGER)
    monkeypatch.setenv("TOKENS_AUDIENCE", LEDGER)
    tokens = first_party(SCOPES)
    settings.DRF_APIKIT = {
        **settings.DRF_APIKIT,
        "TOKENS": tokens,
        "AUTHENTICATION": {"ISSUERS": own_issuer(tokens)},
    }
    for user in people.values():
        user.set_password(PASSWORD)
        user.save()
    cache.clear()


def log_in(username: str = "alice", **changes: str) -> Any:
    body = {"username": username, "password": PASSWORD, "client_id": CLIENT_ID}
    return _anyone().post(TOKEN, {**body, **changes}, format="json")


def renew(tokens: dict[str, str]) -> Any:
    body = {"refresh": tokens["refresh"]}
    return _anyone().post(f"{TOKEN}refresh/", body, format="json")


def client_with(access: str) -> APIClient:
    client = _anyone()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def _anyone() -> APIClient:
    return APIClient(raise_request_exception=False)


def test_a_password_opens_the_api(alices: Account, bobs: Account) -> None:
    answer = log_in()
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    phone = client_with(answer.json()["access"])
    rows = phone.get(ACCOUNTS).json()["results"]
    assert [row["id"] for row in rows] == [alices.pk]
    order = {"source": alices.pk, "target": bobs.pk, "amount": 5, "currency": "EUR"}
    paid = phone.post(
        "/api/transfers/", order, format="json", headers={"Idempotency-Key": "k"}
    )
    assert paid.status_code == 201


def test_both_issuers_open_the_same_accounts(alices: Account, client_of: Any) -> None:
    provider, phone = client_of("alice"), client_with(log_in().json()["access"])
    for client in (provider, phone):
        rows = client.get(ACCOUNTS).json()["results"]
        assert [row["id"] for row in rows] == [alices.pk]


def test_an_app_may_ask_for_less(alices: Account) -> None:
    phone = client_with(log_in(scope="ledger:read").json()["access"])
    assert phone.get(ACCOUNTS).status_code == 200
    changed = phone.patch(f"{ACCOUNTS}{alices.pk}/", {"name": "x"}, format="json")
    assert_problem(changed, 403, "insufficient-scope")


@pytest.mark.parametrize(
    ("changes", "status", "slug"),
    [
        ({"password": "wrong"}, 401, "invalid-credentials"),
        ({"username": "nobody"}, 401, "invalid-credentials"),
        ({"client_id": "another"}, 400, "validation-error"),
        ({"scope": "ledger:admin"}, 400, "validation-error"),
    ],
    ids=["password", "name", "client", "scope"],
)
def test_what_is_refused(changes: dict[str, str], status: int, slug: str) -> None:
    assert_problem(log_in(**changes), status, slug)


def test_an_address_may_try_few_passwords(settings: Settings) -> None:
    rate = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]["password"]
    assert rate == "10/min"
    refused = [log_in(password="wrong").status_code for _ in range(10)]
    assert refused == [401] * 10
    answer = log_in()
    assert_problem(answer, 429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 60


def test_a_made_up_address_gives_no_further_tries() -> None:
    body = {"username": "alice", "password": "wrong", "client_id": CLIENT_ID}
    statuses = [
        _anyone()
        .post(TOKEN, body, format="json", headers={"X-Forwarded-For": f"10.0.0.{n}"})
        .status_code
        for n in range(11)
    ]
    assert statuses == [401] * 10 + [429]


def test_people_see_and_end_their_own_sessions() -> None:
    phone, tablet, bobs = log_in().json(), log_in().json(), log_in("bob").json()
    alice = client_with(phone["access"])
    rows = alice.get(SESSIONS).json()
    assert sorted(row["current"] for row in rows) == [False, True]
    other = next(row["id"] for row in rows if not row["current"])
    assert client_with(bobs["access"]).delete(f"{SESSIONS}{other}/").status_code == 404
    assert alice.delete(f"{SESSIONS}{other}/").status_code == 204
    assert_problem(renew(tablet), 401, "refresh-token-refused")
    assert renew(phone).status_code == 200


def test_people_end_all_sessions_but_the_one_that_asks() -> None:
    phone, tablet, bobs = log_in().json(), log_in().json(), log_in("bob").json()
    assert client_with(phone["access"]).delete(SESSIONS).status_code == 204
    statuses = [renew(each).status_code for each in (phone, tablet, bobs)]
    assert statuses == [200, 401, 200]


def test_another_password_ends_the_sessions(people: dict[str, User]) -> None:
    phone = log_in().json()
    people["alice"].set_password("another")
    people["alice"].save()
    assert_problem(renew(phone), 401, "refresh-token-refused")


def test_the_staff_sees_sessions_and_none_of_their_tokens(
    client: Client, people: dict[str, User]
) -> None:
    log_in()
    people["operator"].is_superuser = True
    people["operator"].save()
    client.force_login(people["operator"])
    page = client.get("/admin/drf_apikit_tokens/tokensession/")
    assert page.status_code == 200
    assert CLIENT_ID in page.content.decode()
    assert "akr1_" not in page.content.decode()


def test_a_token_of_the_provider_ends_no_session(client_of: Any) -> None:
    log_in()
    assert client_of("alice").get(SESSIONS).status_code == 403


def test_anybody_can_have_the_keys() -> None:
    log_in()
    answer = _anyone().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    (key,) = answer.json()["keys"]
    assert not {"d", "p", "q", "k"} & key.keys()
    metadata = _anyone().get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == LEDGER
    assert metadata["jwks_uri"] == f"{LEDGER}/.well-known/jwks.json"


def test_the_schema_has_them_without_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [
        "--urlconf",
        "tests.example.ledger.test_tokens",
        "--format",
        "openapi-json",
    ]
    call_command("spectacular", "--validate", "--fail-on-warn", *words)
    paths = json.loads(capsys.readouterr().out)["paths"]
    operations = {(path, method) for path in paths for method in paths[path]}
    assert operations >= {
        (TOKEN, "post"),
        (f"{TOKEN}refresh/", "post"),
        (f"{TOKEN}blacklist/", "post"),
        (SESSIONS, "get"),
        (SESSIONS, "delete"),
        (f"{SESSIONS}{{id}}/", "delete"),
    }
