"""System checks that keep this provider out of production."""

from typing import Any

from django.core import checks

from identity import environment

__all__ = ["check_deployment", "check_guard"]


def check_guard(**_options: Any) -> list[checks.CheckMessage]:
    """Report `identity.E001` when the provider must not serve (see `wsgi`)."""
    refusal: str | None = environment.current().refusal
    return [checks.Error(refusal, id="identity.E001")] if refusal else []


def check_deployment(**_options: Any) -> list[checks.CheckMessage]:
    """Report `identity.W001` whenever a deployment is checked."""
    return [
        checks.Warning(
            "This OpenID provider is for development only.",
            hint="Point the API's issuer setting at a real provider instead.",
            id="identity.W001",
        )
    ]
