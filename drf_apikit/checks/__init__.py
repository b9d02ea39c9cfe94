"""System checks; each has an id, the setting, what is wrong and the remedy."""

from django.core import checks

from drf_apikit.checks.authentication import (
    check_authentication,
    check_deployed_authentication,
    check_groups,
)
from drf_apikit.checks.clients import check_deployed_clients
from drf_apikit.checks.conditional import check_conditional
from drf_apikit.checks.deployment import (
    check_deployed_endpoints,
    check_deployed_oidc,
    check_deployed_packages,
    check_deployed_simplejwt,
    check_deployed_tokens,
)
from drf_apikit.checks.idempotency import check_idempotency
from drf_apikit.checks.login import (
    check_deployed_login,
    check_login,
    check_login_views,
)
from drf_apikit.checks.pagination import check_pagination
from drf_apikit.checks.scopes import check_scopes
from drf_apikit.checks.settings import check_settings
from drf_apikit.checks.wiring import check_cors, check_problems

__all__ = [
    "check_authentication",
    "check_conditional",
    "check_cors",
    "check_deployed_authentication",
    "check_deployed_clients",
    "check_deployed_endpoints",
    "check_deployed_login",
    "check_deployed_oidc",
    "check_deployed_packages",
    "check_deployed_simplejwt",
    "check_deployed_tokens",
    "check_groups",
    "check_idempotency",
    "check_login",
    "check_login_views",
    "check_pagination",
    "check_problems",
    "check_scopes",
    "check_settings",
    "register",
]


def register() -> None:
    """Add all checks to Django's registry."""
    checks.register(check_settings, checks.Tags.security)
    checks.register(check_problems, checks.Tags.urls)
    checks.register(check_pagination, checks.Tags.urls)
    checks.register(check_conditional, checks.Tags.urls)
    checks.register(check_idempotency, checks.Tags.urls)
    checks.register(check_authentication, checks.Tags.security)
    checks.register(check_deployed_authentication, checks.Tags.security, deploy=True)
    checks.register(check_login, checks.Tags.security)
    checks.register(check_login_views, checks.Tags.urls)
    checks.register(check_deployed_login, checks.Tags.security, deploy=True)
    checks.register(check_deployed_clients, checks.Tags.security, deploy=True)
    checks.register(check_deployed_simplejwt, checks.Tags.security, deploy=True)
    checks.register(check_deployed_oidc, checks.Tags.security, deploy=True)
    checks.register(check_deployed_endpoints, checks.Tags.security, deploy=True)
    checks.register(check_deployed_tokens, checks.Tags.security, deploy=True)
    checks.register(check_deployed_packages, checks.Tags.security, deploy=True)
    checks.register(check_groups, checks.Tags.database)
    checks.register(check_scopes, checks.Tags.urls)
    checks.register(check_cors, checks.Tags.compatibility)
