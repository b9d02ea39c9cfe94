"""The pytest plugin; pytest finds it through the entry point `pytest11`."""

from typing import Any

import pytest

from drf_apikit.testing.issuer import InMemoryIssuer

__all__ = ["oidc_issuer"]


@pytest.fixture
def oidc_issuer(settings: Any) -> InMemoryIssuer:
    """Give an issuer that the API trusts for the length of one test."""
    issuer = InMemoryIssuer()
    current = getattr(settings, "DRF_APIKIT", {})
    section = current.get("AUTHENTICATION", {})
    issuers = {**section.get("ISSUERS", {}), issuer.issuer: issuer.settings}
    settings.DRF_APIKIT = {
        **current,
        "AUTHENTICATION": {**section, "ISSUERS": issuers},
    }
    return issuer
