"""Settings of the ledger API, all from the environment.

| variable | meaning |
|---|---|
| `SECRET_KEY` | required unless `DEBUG` |
| `DATABASE_URL` | `postgresql://...`, `mysql://...`; a SQLite file when unset |
| `REDIS_URL` | shared cache; memory of each process when unset |
| `OIDC_ISSUER`, `OIDC_AUDIENCE` | whose tokens are accepted, and this API's name |
| `OIDC_RP_CLIENT_ID`, `OIDC_RP_CLIENT_SECRET` | people log in there: the web page |
| `TOKENS_ISSUER`, `TOKENS_AUDIENCE` | the ledger's own tokens, for the mobile app |
| `SWAGGER_CLIENT_ID` | a public client with PKCE: "Authorize" in the documentation |
| `SWAGGER_AUTHORIZE_URL`, `SWAGGER_TOKEN_URL` | the provider's endpoints for that |
| `ALLOWED_HOSTS`, `CSRF_TRUSTED_ORIGINS` | comma separated |
| `BEHIND_PROXY` | trust `X-Forwarded-Proto`, `-Host` and the last one of `-For` |
| `SERVE_STATIC` | serve the admin's and Swagger's files without a web server |
| `INSECURE_HTTP` | cookies and a loopback issuer without TLS: development only |
| `DEBUG` | off by default |
"""

import os
from pathlib import Path
from typing import Any

from django.utils.crypto import get_random_string

from ledger.environment import (
    caches,
    databases,
    first_party,
    flag,
    issuers,
    login,
    own_issuer,
    sign_in,
    words,
)

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = flag("DEBUG")
INSECURE_HTTP = flag("INSECURE_HTTP", default=DEBUG)
SERVE_STATIC = flag("SERVE_STATIC", default=DEBUG)
SECRET_KEY = os.environ.get("SECRET_KEY") or (get_random_string(50) if DEBUG else "")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,127.0.0.1" if DEBUG else "")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")

DATABASES = databases(BASE_DIR)
CACHES = caches()
LOGIN = login(insecure_http=INSECURE_HTTP)
SCOPES = {
    "ledger:read": "See your accounts and transfers",
    "ledger:write": "Make transfers and change accounts",
}
TOKENS = first_party(SCOPES)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_apikit",
    "drf_apikit.tokens",
    "ledger",
    "ledger.web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "ledger.urls"
WSGI_APPLICATION = "ledger.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")

SESSION_COOKIE_SECURE = not INSECURE_HTTP
CSRF_COOKIE_SECURE = not INSECURE_HTTP
SECURE_CONTENT_TYPE_NOSNIFF = True
# Browsers come by TLS alone, after the first time. What redirects them then is the
# proxy: an API that does would hide from a client that its tokens went in the clear.
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 30 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Lists of browsers take whole domains, and that is for the domain's owner to say.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W021"]
BEHIND_PROXY = flag("BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True
# The largest order is a few hundred bytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "drf_apikit.authentication.JWTBearerAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["drf_apikit.authentication.HasScopes"],
    "DEFAULT_PAGINATION_CLASS": "drf_apikit.pagination.CursorPagination",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_apikit.problems.exception_handler",
    # Passwords that one address may try; counted in the cache, for all processes.
    "DEFAULT_THROTTLE_RATES": {"password": "10/min"},
    # Whose address it is: the proxy's word alone, never that of who calls.
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,
}

DRF_APIKIT: dict[str, Any] = {
    "PAGINATION": {"PAGE_SIZE": 25, "MAX_PAGE_SIZE": 100},
    "PROBLEMS": {
        # The admin site keeps its own pages.
        "PATHS": ["/api/", "/problems/"],
        # Who retries is told when.
        "DATABASE_ERRORS_AS_503": True,
    },
    "AUTHENTICATION": {
        "ISSUERS": {**issuers(insecure_http=INSECURE_HTTP), **own_issuer(TOKENS)}
    },
}
if TOKENS:
    DRF_APIKIT["TOKENS"] = TOKENS
if LOGIN:
    DRF_APIKIT["LOGIN"] = LOGIN
    OIDC_RP_CLIENT_ID = os.environ["OIDC_RP_CLIENT_ID"]
    OIDC_RP_CLIENT_SECRET = os.environ.get("OIDC_RP_CLIENT_SECRET")
    OIDC_RP_SCOPES = "openid profile email"
    LOGIN_URL = "oidc_authentication_init"
    LOGIN_REDIRECT_URL = "/accounts/"
    LOGOUT_REDIRECT_URL = "/"
    AUTHENTICATION_BACKENDS = [
        "drf_apikit.login.backend.OIDCAuthenticationBackend",
        # The staff's passwords, at the admin site.
        "django.contrib.auth.backends.ModelBackend",
    ]
    _SESSION = "django.contrib.auth.middleware.AuthenticationMiddleware"
    MIDDLEWARE.insert(
        MIDDLEWARE.index(_SESSION) + 1, "drf_apikit.login.middleware.SessionRefresh"
    )
    # A browser with a session uses the API as it does the pages: with all that the
    # person may do. Scopes limit what people let applications do for them.
    REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].append(
        "rest_framework.authentication.SessionAuthentication"
    )
    REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] = ["ledger.permissions.ScopesOfTokens"]
    REST_FRAMEWORK["DEFAULT_RENDERER_CLASSES"].append(
        "rest_framework.renderers.BrowsableAPIRenderer"
    )
CSRF_FAILURE_VIEW = "drf_apikit.problems.django_handlers.csrf_failure"

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Payments ledger",
    "DESCRIPTION": "Accounts, and transfers of money between them.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "GET_LIB_DOC_EXCLUDES": "drf_apikit.contrib.spectacular.get_lib_doc_excludes",
    # Swagger UI out of the installed package: no outside host.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    **sign_in(SCOPES),
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "%(asctime)s %(levelname)s %(name)s %(problem_instance)s"
            " %(message)s"
        }
    },
    # The id that the client has in the problem document.
    "filters": {"instance": {"()": "drf_apikit.logs.ProblemInstanceFilter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["instance"],
        }
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
}
