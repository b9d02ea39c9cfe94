"""drf-spectacular: what our classes look like in an OpenAPI document.

Loaded by the app where drf-spectacular is installed; there is nothing to
configure.
"""

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

__all__ = ["JWTBearerScheme"]

if TYPE_CHECKING:

    class _Extension:
        """What of theirs is used here; `__init_subclass__` has no annotations."""

        target: Any
        target_class: Any

else:
    _Extension = OpenApiAuthenticationExtension


class JWTBearerScheme(_Extension):
    """`JWTBearerAuthentication` as the HTTP bearer scheme `bearer`.

    A subclass gets a scheme under its own name, since one name must not stand
    for two classes.
    """

    target_class: Any = "drf_apikit.authentication.bearer.JWTBearerAuthentication"
    match_subclasses = True

    @property
    def name(self) -> str:
        """What security requirements call the scheme."""
        actual = type(self.target)
        return "bearer" if actual is self.target_class else actual.__name__

    def get_security_definition(self, _auto_schema: Any) -> dict[str, Any]:
        """Describe the scheme (OpenAPI 3.0, Security Scheme Object)."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
