"""drf-spectacular: what our classes look like in an OpenAPI document.

Loaded by the app where drf-spectacular is installed; there is nothing to
configure.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

__all__ = ["JWTBearerScheme"]


class JWTBearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`JWTBearerAuthentication` as an HTTP bearer scheme."""

    target_class = "drf_apikit.authentication.bearer.JWTBearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        """Describe the scheme (OpenAPI 3.0, Security Scheme Object)."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
