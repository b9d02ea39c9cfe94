from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import Error, Tags, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from drf_apikit.checks import check_settings, register

ISSUER = "https://id.example"


def named(**values: Any) -> dict[str, Any]:
    return {"AUTHENTICATION": values}


#: What is in the setting, the id, and what the error must tell.
FAULTS = [
    pytest.param(
        {"PAGINATOIN": {}},
        "drf_apikit.E001",
        "DRF_APIKIT has the unknown key 'PAGINATOIN'.",
        "Did you mean 'PAGINATION'?",
        id="unknown-section",
    ),
    pytest.param(
        {"PAGINATION": {"PAGE_SIZES": 1}},
        "drf_apikit.E001",
        "DRF_APIKIT['PAGINATION'] has the unknown key 'PAGE_SIZES'.",
        "Did you mean 'PAGE_SIZE'?",
        id="unknown-key",
    ),
    pytest.param(
        {"PAGINATION": {"PAGE_SIZE": "many"}},
        "drf_apikit.E002",
        "DRF_APIKIT['PAGINATION']['PAGE_SIZE'] is 'many'.",
        "It must be None, or a whole number from 1 to 10000.",
        id="bad-value",
    ),
    pytest.param(
        [],
        "drf_apikit.E002",
        "DRF_APIKIT is [].",
        "It must be a dict of sections.",
        id="no-dict",
    ),
    pytest.param(
        named(ISSUERS={ISSUER: {}}),
        "drf_apikit.E003",
        "DRF_APIKIT['AUTHENTICATION']['ISSUERS']['https://id.example']['AUDIENCE']"
        " is missing.",
        "Set AUDIENCE, or a token for another API would do here.",
        id="missing",
    ),
    pytest.param(
        {"IDEMPOTENCY": {"TENANT": "nowhere.at_all"}},
        "drf_apikit.E004",
        "DRF_APIKIT['IDEMPOTENCY']['TENANT'] names 'nowhere.at_all', which cannot be"
        " imported.",
        "Name a function by its module and name.",
        id="module-is-not-there",
    ),
    pytest.param(
        named(PRINCIPAL_RESOLVER="drf_apikit.authentication.nobody"),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['PRINCIPAL_RESOLVER'] names"
        " 'drf_apikit.authentication.nobody', which cannot be imported.",
        "Name a function by its module and name.",
        id="name-is-not-there",
    ),
    pytest.param(
        named(TRANSPORT="drf_apikit.oidc.transport.nobody"),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['TRANSPORT'] names"
        " 'drf_apikit.oidc.transport.nobody', which cannot be imported.",
        "Name a function by its module and name.",
        id="transport-is-not-there",
    ),
    pytest.param(
        named(TRANSPORT="drf_apikit.oidc.fetch.fetch_json"),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['TRANSPORT'] names"
        " 'drf_apikit.oidc.fetch.fetch_json', which cannot be called: too many"
        " positional arguments.",
        "Take (method, url, *, headers, body, timeout, max_size, proxies).",
        id="transport-takes-something-else",
    ),
    pytest.param(
        named(PRINCIPAL_RESOLVER="drf_apikit.__version__"),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['PRINCIPAL_RESOLVER'] names"
        " 'drf_apikit.__version__', which cannot be imported.",
        "Name a function by its module and name.",
        id="no-function",
    ),
    pytest.param(
        named(CACHE="memory"),
        "drf_apikit.E005",
        "DRF_APIKIT['AUTHENTICATION']['CACHE'] is 'memory', which is no cache.",
        "Name one of default, other.",
        id="cache-is-not-there",
    ),
    pytest.param(
        {"IDEMPOTENCY": {"CACHE": "memory"}},
        "drf_apikit.E005",
        "DRF_APIKIT['IDEMPOTENCY']['CACHE'] is 'memory', which is no cache.",
        "Name one of default, other.",
        id="cache-of-answers-is-not-there",
    ),
    pytest.param(
        {"METRICS": {"COUNTER": "nowhere.at_all"}},
        "drf_apikit.E004",
        "DRF_APIKIT['METRICS']['COUNTER'] names 'nowhere.at_all', which cannot be"
        " imported.",
        "Name a function by its module and name.",
        id="counter-is-not-there",
    ),
    pytest.param(
        {"TOKENS": {"CLAIMS": "nowhere.at_all"}},
        "drf_apikit.E004",
        "DRF_APIKIT['TOKENS']['CLAIMS'] names 'nowhere.at_all', which cannot be"
        " imported.",
        "Name a function by its module and name.",
        id="claims-are-not-there",
    ),
    pytest.param(
        named(
            ISSUERS={
                "https://id.example": {"AUDIENCE": "a", "KEY_SOURCE": "no.such_keys"}
            }
        ),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['ISSUERS']['https://id.example']['KEY_SOURCE']"
        " names 'no.such_keys', which cannot be imported.",
        "Name a function by its module and name.",
        id="key-source-is-not-there",
    ),
    pytest.param(
        named(PRINCIPAL_RESOLVER="django.contrib.sites.models.Site"),
        "drf_apikit.E004",
        "DRF_APIKIT['AUTHENTICATION']['PRINCIPAL_RESOLVER'] names"
        " 'django.contrib.sites.models.Site', which cannot be imported.",
        "Name a function by its module and name.",
        id="app-is-not-installed",
    ),
]


@pytest.fixture(autouse=True)
def _two_caches(settings: Any) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {"other": memory, "default": memory}


@pytest.mark.parametrize(("value", "code", "message", "hint"), FAULTS)
def test_a_fault_is_an_error_with_an_id_and_a_remedy(
    value: Any, code: str, message: str, hint: str
) -> None:
    with override_settings(DRF_APIKIT=value):
        assert check_settings() == [Error(message, hint=hint, id=code)]


@pytest.mark.parametrize(("value", "code", "message", "hint"), FAULTS)
def test_manage_py_check_fails_and_tells_why(
    value: Any, code: str, message: str, hint: str
) -> None:
    with (
        override_settings(DRF_APIKIT=value),
        pytest.raises(SystemCheckError) as raised,
    ):
        call_command("check", tags=["security"], stdout=StringIO())
    told = str(raised.value)
    assert f"({code}) {message}\n\tHINT: {hint}" in told


@pytest.mark.django_db
def test_good_settings_have_no_errors() -> None:
    value = {
        "IDEMPOTENCY": {"TENANT": "tests.checks.test_settings.named"},
        "AUTHENTICATION": {"CACHE": "other", "ISSUERS": {ISSUER: {"AUDIENCE": "api"}}},
    }
    with override_settings(DRF_APIKIT=value):
        assert check_settings() == []
        call_command("check", stdout=StringIO())


def test_a_fault_hides_no_other() -> None:
    value = {"A": 1, "PAGINATION": 1, "AUTHENTICATION": {"ISSUERS": {ISSUER: {}}}}
    with override_settings(DRF_APIKIT=value):
        found = {message.id for message in check_settings()}
    assert found == {"drf_apikit.E001", "drf_apikit.E002", "drf_apikit.E003"}


def test_paths_and_caches_are_checked_together() -> None:
    value = {
        "IDEMPOTENCY": {"TENANT": "nowhere.at_all"},
        "AUTHENTICATION": {"CACHE": "memory", "PRINCIPAL_RESOLVER": "nowhere.at_all"},
    }
    with override_settings(DRF_APIKIT=value):
        found = [message.id for message in check_settings()]
    assert found == ["drf_apikit.E004", "drf_apikit.E004", "drf_apikit.E005"]


def test_an_issuer_without_its_app_is_an_error() -> None:
    value = {"TOKENS": {"ISSUER": ISSUER, "AUDIENCE": "api"}}
    others = [app for app in settings.INSTALLED_APPS if app != "drf_apikit.tokens"]
    with override_settings(DRF_APIKIT=value):
        assert check_settings() == []
        with override_settings(INSTALLED_APPS=others):
            (found,) = check_settings()
        with override_settings(INSTALLED_APPS=others, DRF_APIKIT={}):
            assert check_settings() == []
    assert found.id == "drf_apikit.E041"
    assert "INSTALLED_APPS lacks 'drf_apikit.tokens'" in found.msg


def test_the_check_is_registered_with_the_app() -> None:
    register()
    with override_settings(DRF_APIKIT={"A": 1}):
        assert [m.id for m in run_checks(tags=[Tags.security])] == ["drf_apikit.E001"]
