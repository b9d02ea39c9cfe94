from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.authentication import AccessToken
from drf_apikit.exceptions import IdempotencyKeyMalformed
from drf_apikit.idempotency.keys import (
    digest,
    read_key,
    resolve_principal,
    route_of,
)
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.idempotency.calls import Call, caller, machine, outcome, person
from tests.idempotency.views import Script

DRAFT = "draft-ietf-httpapi-idempotency-key-header"

pytestmark = pytest.mark.urls("tests.idempotency.urls")

MALFORMED = {
    "empty": "",
    "blank": "  ",
    "empty string": '""',
    "no end": '"abc',
    "no begin": 'abc"',
    "two members": "abc,def",
    "two strings": '"abc", "def"',
    "parameter": '"abc";a=1',
    "escape": '"a\\bc"',
    "space": "abc def",
    "control": "abc\tdef",
    "latin-1": "ä",
    "latin-1 string": '"ä"',
    "too long": "k" * 256,
    "too long a string": f'"{"k" * 256}"',
}
KEYS = {
    "bare": ("abc", "abc"),
    "string": ('"abc"', "abc"),
    "spaces around": (' "abc" ', "abc"),
    "space inside": ('"a b"', "a b"),
    "comma inside": ('"a,b"', "a,b"),
    "escapes": (r'"a\"b\\c"', r'a"b\c'),
    "uuid": ("8e03978e-40d5-43e8-bc93-6894a57f9324",) * 2,
    "longest": ("k" * 255, "k" * 255),
    "longest string": (f'"{"k" * 255}"', "k" * 255),
}


def asking(value: str | None) -> Request:
    headers = {} if value is None else {"Idempotency-Key": value}
    return Request(APIRequestFactory().post("/effects/", headers=headers))


@pytest.mark.compliance(DRAFT, "2.1")
@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(IdempotencyKeyMalformed):
        read_key(asking(value))


@pytest.mark.compliance(DRAFT, "2.1")
@pytest.mark.parametrize(("value", "key"), KEYS.values(), ids=KEYS)
def test_what_a_key_is(value: str, key: str) -> None:
    assert read_key(asking(value)) == key


def test_no_key() -> None:
    assert read_key(asking(None)) is None


@pytest.mark.django_db
def test_a_malformed_key_is_refused_before_anything_else(post: Call) -> None:
    assert_problem(post(key="a,b"), 400, "idempotency-key-malformed")
    assert_problem(post("/optional/", key=""), 400, "idempotency-key-malformed")
    assert not Article.objects.exists()


@pytest.mark.compliance(DRAFT, "2.1")
@pytest.mark.django_db
def test_bare_and_quoted_are_one_key(post: Call) -> None:
    assert outcome(post(key="abc")) == outcome(post(key='"abc"'))
    assert Article.objects.count() == 1


@pytest.mark.compliance(DRAFT, "2.2")
@pytest.mark.django_db
def test_whoever_asks_for_something_else_has_a_scope_of_its_own(
    script: type[Script],
) -> None:
    ada, eve = person("ada"), person("eve")
    own_id = machine(str(ada.pk))
    calls = [
        caller(ada)("/effects/"),
        caller(eve)("/effects/"),
        machine("client-1")("/effects/"),
        machine("client-2")("/effects/"),
        machine("client-1", "https://other.test")("/effects/"),
        own_id("/effects/"),
        caller(ada, method="patch")("/effects/"),
        caller(ada)("/others/"),
        caller(ada)("/effects/a/"),
        caller(ada)("/effects/b/"),
    ]
    assert {call.status_code for call in calls} == {201}
    assert not [call for call in calls if "Idempotent-Replayed" in call]
    assert len(script.entered) == IdempotencyRecord.objects.count() == len(calls)
    assert caller(ada)("/effects/")["Idempotent-Replayed"] == "true"
    assert machine("client-1")("/effects/")["Idempotent-Replayed"] == "true"


def tenant_of(request: Request) -> str:
    return str(request.headers["Tenant"])


@pytest.mark.django_db
def test_each_tenant_has_a_scope_of_its_own(post: Call, settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"TENANT": f"{__name__}.tenant_of"}}
    north, south, again = (
        post(headers={"Tenant": tenant}) for tenant in ("north", "south", "north")
    )
    assert "Idempotent-Replayed" not in south
    assert outcome(again) == outcome(north)
    assert Article.objects.count() == 2


@pytest.mark.parametrize(
    "claims", [{"iss": "https://issuer.test"}, {"client_id": "client"}]
)
def test_half_a_client_is_nobody(claims: dict[str, str]) -> None:
    request = asking("key")

    class Half:
        issuer = claims.get("iss")
        client_id = claims.get("client_id")

    vars(request).update(_user=None, _auth=Half())
    assert resolve_principal(request) is None
    token = AccessToken({"iss": "https://issuer.test", "client_id": "client"})
    request.auth = token
    assert resolve_principal(request) is not None


def test_a_user_of_any_kind_is_somebody() -> None:
    class Robot:
        def __init__(self, pk: int) -> None:
            self.pk = pk

    class Android(Robot):
        pass

    scopes = set()
    for user in (Robot(1), Robot(2), Android(1)):
        request = asking("key")
        vars(request).update(_user=user, _auth=None)
        scopes.add(resolve_principal(request))
    assert len(scopes) == 3
    assert None not in scopes


def test_a_request_without_a_route_is_named_by_its_path() -> None:
    assert route_of(asking("key")) == "/effects/"


def test_parts_never_run_together() -> None:
    lists = [["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], ["abc", ""], []]
    assert len({digest(parts) for parts in lists}) == len(lists)
    assert digest([b"ab"]) == digest(["ab"])
    assert len(digest(["\ud800"])) == 64
