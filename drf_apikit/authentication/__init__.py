"""Authentication: a resource server for OpenID Connect access tokens.

In the settings:

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "drf_apikit.authentication.JWTBearerAuthentication",
        ],
    }
    DRF_APIKIT = {
        "AUTHENTICATION": {
            "ISSUERS": {"https://id.example": {"AUDIENCE": "https://api.example"}},
        },
    }
"""

from drf_apikit.authentication.bearer import JWTBearerAuthentication
from drf_apikit.authentication.permissions import HasScopes, any_of
from drf_apikit.authentication.principals import ClientPrincipal
from drf_apikit.authentication.token import AccessToken

__all__ = [
    "AccessToken",
    "ClientPrincipal",
    "HasScopes",
    "JWTBearerAuthentication",
    "any_of",
]
