"""Projects that give out tokens of their own."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.issuers import PROBE
from drf_apikit.jose import KeySet, parse_key_set
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import current_ring, forget
from drf_apikit.tokens.models import SigningKeyRecord
from tests.checks.deployment.conftest import PRIVATE
from tests.jose.minting import public_jwk

pytestmark = pytest.mark.django_db

ISSUER: Final = "https://own.test"
SOURCE: Final = "drf_apikit.tokens.keyring.local_keys"
OLD: Final = "2026-01-01T00:00:00Z"
OTHER: Final = "a key that only this test has, of more than fifty octets"


def own(source: str = SOURCE, members: Any = None, **tokens: Any) -> dict[str, Any]:
    issuer = {"AUDIENCE": "ledger", "USERS": "local", "KEY_SOURCE": source}
    return {
        "TOKENS": {"ISSUER": ISSUER, "AUDIENCE": "ledger", **tokens},
        "AUTHENTICATION": {"ISSUERS": {ISSUER: {**issuer, **(members or {})}}},
    }


@pytest.fixture(autouse=True)
def _no_ring_of_others(settings: Any) -> Iterator[None]:
    settings.DRF_APIKIT = own()
    forget()
    yield
    forget()


def told(*databases: str) -> list[Finding]:
    """Look in this thread, whose transaction has what the test has written."""
    context = Context(databases or (DEFAULT_DB_ALIAS,))
    return [one for each in PROBE.examinations(context) for one in each.run()]


def signing(*databases: str) -> list[Finding]:
    return [one for one in told(*databases) if one.id == "issuers.signing_keys"]


def source() -> Finding:
    (found,) = [one for one in told() if one.id == "issuers.keys"]
    assert found.subject == ISSUER
    return found


def kids() -> list[str]:
    return [key.kid for key in current_ring().entries()]


# The keys that the resource server judges by.


def test_a_source_is_asked_and_no_url(database: str) -> None:
    current_ring().rotate()
    # No Provider is there to be asked for a discovery document.
    assert [(one.id, str(one.status)) for one in told()] == [
        ("issuers.discovery", "skipped"),
        ("issuers.keys", "ok"),
        ("issuers.signing_keys", "ok"),
    ]
    assert source().seen == f"1 usable keys of {SOURCE}, for RS256."
    assert database


def test_before_the_first_token_there_is_nothing_wrong() -> None:
    seen = f"{SOURCE} has none yet: the first key is made when it is needed."
    assert (source().seen, source().status) == (seen, "ok")
    (found,) = signing()
    assert found.status == "ok"
    assert found.seen == "No key signs yet: it is made when it is needed."
    assert not SigningKeyRecord.objects.exists()


def test_an_algorithm_that_is_not_accepted(settings: Any) -> None:
    settings.DRF_APIKIT = own(members={"ALGORITHMS": ["ES256"]})
    current_ring().rotate()
    assert source().status == "risk"
    assert source().seen.endswith(" None is for access tokens by ES256.")


def no_keys() -> Any:
    """Be a source of a project without keys."""
    return Given(KeySet(()))


def no_good_keys() -> Any:
    return Given(parse_key_set({"keys": [public_jwk("RSA-1024")]}))


def no_word() -> Any:
    return Given(KeysUnavailableError(ISSUER, 1, "the vault is away"))


def raising() -> Any:
    raise LookupError("nobody knows")


class Given:
    def __init__(self, given: KeySet | Exception) -> None:
        self._given = given

    def keys(self) -> KeySet:
        if isinstance(self._given, Exception):
            raise self._given
        return self._given


@pytest.mark.parametrize(
    ("name", "tokens", "seen"),
    [
        ("no_keys", {"ISSUER": "https://else.test"}, "0 usable keys of "),
        ("no_keys", {"KEYS": {"k": {"ENV": "TESTS_HAVE_NONE"}}}, "0 usable keys of "),
        ("no_good_keys", {}, "too weak, or not for signatures."),
        ("no_word", {}, ".no_word: KeysUnavailableError: the vault is away"),
        ("raising", {}, ".raising: LookupError: nobody knows"),
    ],
)
def test_a_source_without_keys(
    settings: Any, name: str, tokens: dict[str, Any], seen: str
) -> None:
    settings.DRF_APIKIT = own(f"{__name__}.{name}", **tokens)
    found = source()
    assert found.status == "risk"
    assert seen in found.seen
    assert found.remedy


# The keys that sign.


def test_keys_that_sign(database: str) -> None:
    ring = current_ring()
    ring.rotate(now=True)
    (first,) = kids()
    (found,) = signing()
    assert (found.subject, found.seen) == ("TOKENS", f"{first} signs.")
    ring.rotate()
    (found,) = signing()
    assert found.seen == f"{first} signs; {kids()[1]} is next."
    assert database


def test_keys_that_nobody_can_decrypt(settings: Any) -> None:
    current_ring().rotate(now=True)
    settings.SECRET_KEY = OTHER
    (found,) = signing()
    assert found.status == "risk"
    seen = f"The database has the key {kids()[0]!r}, and nobody can sign with it."
    assert found.seen == seen
    assert "apikit_keys rotate --now" in found.remedy


def test_keys_of_the_settings(settings: Any) -> None:
    keys: dict[str, Any] = {"old": {"PRIVATE_KEY": PRIVATE}}
    settings.DRF_APIKIT = own(KEYS=keys)
    # No database is asked for them.
    assert [one.seen for one in signing("elsewhere")] == ["old signs."]
    settings.DRF_APIKIT = own(KEYS={"old": {**keys["old"], "DEAD_FROM": OLD}})
    (found,) = signing()
    assert found.status == "risk"
    assert found.seen == "None of KEYS signs now: no token can be given out."
    settings.DRF_APIKIT = own(KEYS={**keys, "new": {"ENV": "TESTS_HAVE_NONE"}})
    (found,) = signing()
    assert found.status == "risk"
    assert "The private key of 'new' cannot be used" in found.seen
    assert "PRIVATE KEY-" not in str(told())


def test_a_database_that_nobody_named() -> None:
    (found,) = signing("elsewhere")
    assert found.status == "skipped"
    assert found.seen == "The keys are in the database 'default', which nobody named."


def test_a_database_that_says_nothing() -> None:
    def fail(*_: Any) -> Any:
        raise DatabaseError("no such table: of a test")

    with connection.execute_wrapper(fail):
        (found,) = signing()
    assert found.status == "risk"
    assert found.seen == "DatabaseError: no such table: of a test"
    assert "manage.py migrate" in found.remedy


@pytest.mark.parametrize("section", [{}, {"TOKENS": {}}])
def test_a_project_that_gives_out_none(settings: Any, section: Any) -> None:
    settings.DRF_APIKIT = section
    assert told() == []


def test_a_project_without_the_app(settings: Any) -> None:
    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name != "drf_apikit.tokens"
    ]
    settings.DRF_APIKIT = {"TOKENS": own()["TOKENS"]}
    assert told() == []
