from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from drf_apikit.checks import check_settings
from drf_apikit.tokens.checks import (
    check_given_keys,
    check_stored_keys,
    check_user_claim,
    register,
)
from drf_apikit.tokens.keyring import current_ring, forget
from drf_apikit.tokens.models import SigningKeyRecord
from drf_apikit.tokens.tokens import AccessToken
from tests.checks.deployment.conftest import PRIVATE, pems

SECRET: Final = "a key that only this test has, of more than fifty octets"
PRESENT: Final = "DRF_APIKIT_KEY_OF_A_TEST"


def issuing(**values: Any) -> dict[str, Any]:
    own = {"ISSUER": "https://shop.example", "AUDIENCE": "ledger", **values}
    return {"TOKENS": own}


@pytest.fixture(autouse=True)
def _no_ring_of_others(settings: Any) -> Any:
    settings.DRF_APIKIT = issuing()
    forget()
    yield
    forget()


# E038: keys of the settings.


def test_keys_that_can_be_used(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.pem").write_text(PRIVATE)
    monkeypatch.setenv(PRESENT, PRIVATE)
    file = {"FILE": str(tmp_path / "key.pem")}
    keys = {"a": {"PRIVATE_KEY": PRIVATE}, "b": {"ENV": PRESENT}, "c": file}
    settings.DRF_APIKIT = issuing(KEYS=keys)
    assert check_given_keys() == []
    assert check_settings() == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"PRIVATE_KEY": pems(1024)[0]}, "it is "),
        ({"FILE": "/nowhere/key.pem"}, "FILE '/nowhere/key.pem' cannot be read"),
        ({"ENV": "DRF_APIKIT_OF_NOBODY"}, "the environment has no 'DRF_APIKIT_OF_NO"),
    ],
    ids=["weak", "file", "environment"],
)
def test_keys_that_cannot(settings: Any, entry: dict[str, str], said: str) -> None:
    keys = {"good": {"PRIVATE_KEY": PRIVATE}, "bad": entry}
    settings.DRF_APIKIT = issuing(KEYS=keys)
    (found,) = check_given_keys()
    assert found.id == "drf_apikit.E038"
    start = "DRF_APIKIT['TOKENS']['KEYS']: The private key of 'bad' cannot be used: "
    assert found.msg.startswith(f"{start}{said}")
    assert "(RFC 7518 section 3.3)." in f"{found.hint}"
    assert "-----" not in repr(found)


@pytest.mark.parametrize("value", [{}, {"TOKENS": {"ISSUER": 7}}])
def test_without_tokens_nothing_is_said(settings: Any, value: Any) -> None:
    settings.DRF_APIKIT = value
    settings.SIMPLE_JWT = {"USER_ID_CLAIM": "sub", "USER_ID_FIELD": "email"}
    assert check_given_keys() == check_stored_keys(databases=["default"]) == []
    assert check_user_claim() == []


# E044: the claim of simplejwt that says who it is.


@pytest.mark.parametrize("name", ["sub", "sid", "client_id"])
@pytest.mark.parametrize("field", ["username", "email"])
def test_a_claim_of_ours_for_something_else(
    settings: Any, name: str, field: str
) -> None:
    settings.SIMPLE_JWT = {"USER_ID_CLAIM": name, "USER_ID_FIELD": field}
    (found,) = check_user_claim()
    assert found.id == "drf_apikit.E044"
    assert found.msg.startswith(f"SIMPLE_JWT['USER_ID_CLAIM'] is {name!r}, with ")
    assert f"USER_ID_FIELD {field!r}" in found.msg
    assert "(RFC 9068 section 2.2)." in f"{found.hint}"
    # What it tells of.
    user = get_user_model()(pk=7, username="ada", email="ada@shop.example")
    with pytest.raises(ImproperlyConfigured):
        str(AccessToken.for_user(user))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"USER_ID_CLAIM": "sub"},
        {"USER_ID_CLAIM": "sub", "USER_ID_FIELD": "pk"},
        {"USER_ID_CLAIM": "name", "USER_ID_FIELD": "username"},
        {"USER_ID_FIELD": "username"},
    ],
    ids=str,
)
def test_a_claim_that_says_who_it_is(settings: Any, values: dict[str, Any]) -> None:
    settings.SIMPLE_JWT = values
    assert check_user_claim() == []


# E039: keys of the database.


@pytest.mark.django_db
def test_a_key_that_can_be_decrypted() -> None:
    assert check_stored_keys(databases=["default"]) == []
    current_ring().rotate()
    assert SigningKeyRecord.objects.exists()
    assert check_stored_keys(databases=["default"]) == []


@pytest.mark.django_db
def test_a_key_that_cannot_be_decrypted_any_more(settings: Any) -> None:
    ring = current_ring()
    ring.rotate(now=True)
    ring.rotate()
    active, following = (key.kid for key in ring.entries())
    settings.SECRET_KEY = SECRET
    found = check_stored_keys(databases=["default"])
    assert [message.id for message in found] == ["drf_apikit.E039"] * 2
    assert [message.msg for message in found] == [
        f"The database has the key {kid!r}, and nobody can sign with it."
        for kid in (active, following)
    ]
    assert "SECRET_KEY" in f"{found[0].hint}"
    assert "apikit_keys rotate --now (OpenID" in f"{found[0].hint}"


@pytest.mark.django_db
@pytest.mark.parametrize("databases", [None, [], ["elsewhere"]])
def test_the_database_is_asked_where_somebody_wants_it(
    settings: Any, databases: Any
) -> None:
    current_ring().rotate(now=True)
    settings.SECRET_KEY = SECRET
    assert check_stored_keys(databases=databases) == []


@pytest.mark.django_db
def test_keys_of_the_settings_need_no_table(settings: Any) -> None:
    current_ring().rotate(now=True)
    settings.SECRET_KEY = SECRET
    settings.DRF_APIKIT = issuing(KEYS={"a": {"PRIVATE_KEY": PRIVATE}})
    assert check_stored_keys(databases=["default"]) == []


@pytest.mark.django_db
def test_before_the_first_migration_there_is_nothing_to_ask() -> None:
    table = connection.ops.quote_name(SigningKeyRecord._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    assert check_stored_keys(databases=["default"]) == []


@pytest.mark.django_db
def test_they_are_registered(settings: Any) -> None:
    register()
    keys = {"a": {"ENV": "DRF_APIKIT_OF_NOBODY"}}
    settings.DRF_APIKIT = issuing(KEYS=keys)
    settings.SIMPLE_JWT = {"USER_ID_CLAIM": "sub", "USER_ID_FIELD": "email"}
    assert "drf_apikit.E038" not in {message.id for message in run_checks()}
    deployed = {message.id for message in run_checks(include_deployment_checks=True)}
    assert {"drf_apikit.E038", "drf_apikit.E044"} <= deployed
    settings.DRF_APIKIT = issuing()
    current_ring().rotate(now=True)
    settings.SECRET_KEY = SECRET
    asked = {message.id for message in run_checks(databases=["default"])}
    assert "drf_apikit.E039" in asked
