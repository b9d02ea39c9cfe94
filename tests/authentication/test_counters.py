"""Tokens are counted: those that are good, and why the others are not."""

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.authentication.conftest import SignIn
from tests.counting import of_block, recorded

pytestmark = [pytest.mark.urls("tests.authentication.urls"), pytest.mark.django_db]


def test_a_good_token_is_counted(settings: Settings, sign_in: SignIn) -> None:
    client = sign_in()
    counted = recorded(settings)
    assert client.get("/me/").status_code == 200
    assert of_block("authentication", counted) == [
        ("authentication.token_accepted", {})
    ]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"lifetime": -300}, "expired"),
        ({"aud": "https://other.test"}, "audience"),
        ({"iss": "https://other.test"}, "issuer"),
        ({"sub": "nobody"}, "subject"),
    ],
    ids=str,
)
def test_a_refused_token_is_counted_with_its_reason(
    settings: Settings, sign_in: SignIn, claims: dict[str, object], reason: str
) -> None:
    client = sign_in(**claims)
    counted = recorded(settings)
    assert client.get("/me/").status_code == 401
    found = of_block("authentication", counted)
    assert found == [("authentication.token_rejected", {"reason": reason})]
    # What keeps it does not have to know of enumerations.
    assert type(found[0][1]["reason"]) is str


@pytest.mark.parametrize("header", [None, "Basic YTpi"])
def test_who_sends_no_token_is_not_counted(
    settings: Settings, header: str | None
) -> None:
    counted = recorded(settings)
    headers = {} if header is None else {"Authorization": header}
    assert APIClient().get("/me/", headers=headers).status_code == 401
    assert not of_block("authentication", counted)
