"""A security scheme with which Swagger UI and other tools sign people in."""

from typing import Any, ClassVar, Final

from drf_spectacular.settings import spectacular_settings

from drf_apikit.contrib.spectacular.security import JWTBearerScheme

__all__ = ["OAuth2Scheme"]

#: The flows that ask people, and those that ask for tokens, elsewhere.
_AUTHORIZING: Final = frozenset({"implicit", "authorizationCode"})
_TOKEN_GIVING: Final = frozenset({"password", "clientCredentials", "authorizationCode"})


class OAuth2Scheme(JWTBearerScheme):
    """`JWTBearerAuthentication` as an `oauth2` scheme, and as `bearer` beside it.

    It describes our authentication where drf-spectacular's own setting
    `OAUTH2_FLOWS` names flows; their URLs and scopes are in `OAUTH2_*` too. The
    bearer scheme stays, for who has a token already.
    """

    priority: ClassVar[int] = 0

    @classmethod
    def _matches(cls, target: Any) -> bool:
        flows: Any = spectacular_settings.OAUTH2_FLOWS
        return bool(flows) and bool(super()._matches(target))

    @property
    def name(self) -> Any:
        """What security requirements call the two schemes."""
        bearer = super().name
        return ["oauth2" if bearer == "bearer" else f"{bearer}OAuth2", bearer]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Describe both, in the order of their names."""
        flows = {flow: _flow(flow) for flow in spectacular_settings.OAUTH2_FLOWS}
        oauth2 = {"type": "oauth2", "flows": flows}
        return [oauth2, super().get_security_definition(auto_schema)]


def _flow(kind: str) -> dict[str, Any]:
    """Describe a flow (OpenAPI 3.0, OAuth Flow Object)."""
    described: dict[str, Any] = {"scopes": spectacular_settings.OAUTH2_SCOPES or {}}
    if kind in _AUTHORIZING:
        described["authorizationUrl"] = spectacular_settings.OAUTH2_AUTHORIZATION_URL
    if kind in _TOKEN_GIVING:
        described["tokenUrl"] = spectacular_settings.OAUTH2_TOKEN_URL
    if spectacular_settings.OAUTH2_REFRESH_URL:
        described["refreshUrl"] = spectacular_settings.OAUTH2_REFRESH_URL
    return described
