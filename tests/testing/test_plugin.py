from importlib.metadata import entry_points
from typing import Any

import pytest

from drf_apikit.conf import apikit_settings
from drf_apikit.testing import InMemoryIssuer, plugin

OTHER = "https://other.test"


def trusted() -> set[str]:
    return set(apikit_settings.authentication.issuers)


def test_pytest_finds_the_plugin(pytestconfig: pytest.Config) -> None:
    (found,) = entry_points(group="pytest11", name="drf_apikit")
    assert found.load() is plugin
    assert pytestconfig.pluginmanager.has_plugin("drf_apikit")


def test_the_issuer_is_trusted(oidc_issuer: InMemoryIssuer) -> None:
    assert isinstance(oidc_issuer, InMemoryIssuer)
    assert trusted() == {oidc_issuer.issuer}


def test_the_issuer_is_trusted_no_longer_than_the_test() -> None:
    assert trusted() == set()


@pytest.fixture
def _own_settings(settings: Any) -> None:
    settings.DRF_APIKIT = {
        "PAGINATION": {"PAGE_SIZE": 7},
        "AUTHENTICATION": {
            "REALM": "ledger",
            "ISSUERS": {OTHER: InMemoryIssuer(OTHER).settings},
        },
    }


@pytest.mark.usefixtures("_own_settings")
def test_the_settings_of_a_project_stay(request: pytest.FixtureRequest) -> None:
    issuer = request.getfixturevalue("oidc_issuer")
    assert trusted() == {OTHER, issuer.issuer}
    assert apikit_settings.authentication.realm == "ledger"
    assert apikit_settings.pagination.page_size == 7


def test_a_project_needs_no_settings(
    settings: Any, request: pytest.FixtureRequest
) -> None:
    del settings.DRF_APIKIT
    issuer = request.getfixturevalue("oidc_issuer")
    assert trusted() == {issuer.issuer}
