"""Checks of `check --deploy`: what makes tokens and logins unsafe.

Each is told of with the setting, its value (never a key), the remedy, and the section
of the standard that says so; and only where the project uses what it is about.
"""

from drf_apikit.checks.deployment.endpoints import check_deployed_endpoints
from drf_apikit.checks.deployment.first_party import check_deployed_tokens
from drf_apikit.checks.deployment.mozilla import check_deployed_oidc
from drf_apikit.checks.deployment.packages import check_deployed_packages
from drf_apikit.checks.deployment.pitfalls import SECTIONS
from drf_apikit.checks.deployment.simplejwt import check_deployed_simplejwt

__all__ = [
    "SECTIONS",
    "check_deployed_endpoints",
    "check_deployed_oidc",
    "check_deployed_packages",
    "check_deployed_simplejwt",
    "check_deployed_tokens",
]
