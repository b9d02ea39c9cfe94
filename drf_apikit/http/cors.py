"""Header names that a browser must be told about, for CORS settings.

Importable from a settings module, for example with django-cors-headers:

    CORS_EXPOSE_HEADERS = EXPOSED_HEADERS
    CORS_ALLOW_HEADERS = (*default_headers, *ALLOWED_HEADERS)
"""

from typing import Final

__all__ = ["ALLOWED_HEADERS", "EXPOSED_HEADERS"]

#: What scripts may read of an answer (`Access-Control-Expose-Headers`).
EXPOSED_HEADERS: Final = (
    "etag",
    "idempotent-replayed",
    "link",
    "location",
    "retry-after",
    "www-authenticate",
)

#: What scripts may send (`Access-Control-Allow-Headers`).
ALLOWED_HEADERS: Final = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "traceparent",
)
