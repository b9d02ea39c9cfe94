"""Settings of the development OpenID provider.

DEVELOPMENT ONLY. Its passwords and secrets are printed by the demo, it hashes them
cheaply, and it has no rate limits, no second factor and no account recovery. In
production point the API at a real provider and leave this package out.

Environment variables: see `identity.environment`.
"""

from typing import Any

import dj_database_url

from identity import environment
from identity.keys import derived_secret, signing_key_pem
from identity.scopes import ALL_SCOPES

IDENTITY = environment.current()
_SIGNING_KEY = signing_key_pem(IDENTITY.signing_key_file)

DEBUG = False
SECRET_KEY = IDENTITY.secret_key or derived_secret(_SIGNING_KEY)
ALLOWED_HOSTS = [IDENTITY.host, "localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "identity",
    "oauth2_provider",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "identity.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "identity.urls"
WSGI_APPLICATION = "identity.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(dj_database_url.parse(IDENTITY.database_url, conn_max_age=60))
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A token request reads before it writes: only a transaction that takes the
    # write lock at once waits for the others instead of failing.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
PASSWORD_HASHERS = ["identity.hashers.DevelopmentPasswordHasher"]

# Cookies know no ports: without names of their own, signing in at the provider
# would sign out of an API on the same host.
SESSION_COOKIE_NAME = "identity_sessionid"
CSRF_COOKIE_NAME = "identity_csrftoken"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IDENTITY.is_secure
# Swagger UI opens the sign-in in a window that has to reach back.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
CSRF_FAILURE_VIEW = "identity.views.pages.csrf_failure"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # Otherwise errors go to the administrators by mail, and there are none.
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}

_GRANT_TYPES = ["authorization_code", "client_credentials", "refresh_token"]
_CLIENT_AUTHENTICATION = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "none",
]

OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": IDENTITY.issuer,
    "OIDC_RSA_PRIVATE_KEY": _SIGNING_KEY,
    "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": _GRANT_TYPES,
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": _CLIENT_AUTHENTICATION,
    "OAUTH2_VALIDATOR_CLASS": "identity.validators.IdentityValidator",
    "ACCESS_TOKEN_GENERATOR": "identity.tokens.generate_access_token",
    # Without it, refresh tokens would come from the generator above.
    "REFRESH_TOKEN_GENERATOR": "identity.tokens.generate_refresh_token",
    "RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR": "identity.validators.accept_audience",
    "ACCESS_TOKEN_EXPIRE_SECONDS": IDENTITY.access_token_seconds,
    "ID_TOKEN_EXPIRE_SECONDS": 3600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 86400,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "REQUEST_APPROVAL_PROMPT": "auto",
    "PKCE_REQUIRED": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "SCOPES_BACKEND_CLASS": "identity.policies.ClientScopes",
    "SCOPES": ALL_SCOPES,
}
