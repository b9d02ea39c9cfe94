"""The provider that does wrong and the project that logs in at it."""

from tests.login.conftest import login_settings, provider, stage

__all__ = ["login_settings", "provider", "stage"]
