"""What a login has come to, as the backend leaves it for the view."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_apikit.oidc.token_endpoint import TokenAnswer

__all__ = ["LoginResult"]


@dataclass(frozen=True, slots=True)
class LoginResult:
    """What the provider has given for a code; `claims` are those of the ID token."""

    tokens: TokenAnswer
    claims: Mapping[str, Any]
