"""drf-spectacular: what our classes look like in an OpenAPI document.

Loaded by the app where drf-spectacular is installed; there is nothing to
configure.
"""

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

__all__ = ["JWTBearerScheme"]

if TYPE_CHECKING:
    # Its `__init_subclass__` has no annotations.
    _Extension = object
else:
    _Extension = OpenApiAuthenticationExtension


class JWTBearerScheme(_Extension):
    """`JWTBearerAuthentication` and its subclasses as an HTTP bearer scheme."""

    target_class = "drf_apikit.authentication.bearer.JWTBearerAuthentication"
    name = "bearer"
    match_subclasses = True

    def get_security_definition(self, _auto_schema: Any) -> dict[str, Any]:
        """Describe the scheme (OpenAPI 3.0, Security Scheme Object)."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
