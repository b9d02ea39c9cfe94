"""The public interface, pinned: what is added or taken away is seen here."""

import importlib
from typing import Final

import pytest

PUBLIC: Final = {
    "drf_apikit": {"__version__"},
    "drf_apikit.authentication": {
        "AccessToken",
        "ClientPrincipal",
        "HasScopes",
        "JWTBearerAuthentication",
        "any_of",
    },
    "drf_apikit.clients": {"ClientCredentials", "TokenUnavailableError"},
    "drf_apikit.conditional": {
        "Aggregate",
        "BodyHash",
        "ConditionalGetMixin",
        "ConditionalMixin",
        "Generation",
        "PageDigest",
        "RowDigest",
        "RowValidator",
        "UpdatedAt",
        "Validator",
        "VersionField",
    },
    "drf_apikit.conditional.generations": {
        "current",
        "install",
        "invalidate",
        "tracked",
    },
    "drf_apikit.counters": {"EVENTS", "Event", "count"},
    "drf_apikit.idempotency": {"IdempotencyMixin", "idempotent", "ignoring"},
    "drf_apikit.login": {
        "Ending",
        "LoginError",
        "OIDCAuthenticationBackend",
        "OIDCAuthenticationCallbackView",
        "OIDCAuthenticationRequestView",
        "OIDCLogoutView",
        "Reason",
        "SessionRefresh",
    },
    "drf_apikit.login.browsable_urls": {"app_name", "urlpatterns"},
    "drf_apikit.login.urls": {"urlpatterns"},
    "drf_apikit.models": {
        "ExternalIdentity",
        "IdempotencyRecord",
        "UpdateTime",
        "VersionNumber",
        "VersionedManager",
        "VersionedModel",
        "VersionedQuerySet",
        "claimed",
    },
    "drf_apikit.keyset": {
        "STRATEGIES",
        "Cursor",
        "CursorError",
        "Ordering",
        "OrderingError",
        "Relation",
        "Slice",
        "Term",
        "Total",
        "count_rows",
        "decode",
        "each_once",
        "encode",
        "items_of",
        "keyset_iterator",
        "ordered",
        "ordering_of",
        "plan",
        "read_slice",
        "resolve_ordering",
    },
    "drf_apikit.pagination": {
        "CursorPagination",
        "EnvelopePagination",
        "LimitOffsetPagination",
        "PageNumberPagination",
    },
    "drf_apikit.problems": {
        "MEDIA_TYPE",
        "ParameterError",
        "Problem",
        "ProblemResponse",
        "ProblemType",
        "exception_handler",
        "problem_response",
    },
    "drf_apikit.problems.django_handlers": {
        "csrf_failure",
        "handler400",
        "handler403",
        "handler404",
        "handler500",
    },
    "drf_apikit.problems.urls": {"app_name", "urlpatterns"},
    "drf_apikit.http.cors": {"ALLOWED_HEADERS", "EXPOSED_HEADERS"},
    "drf_apikit.logs": {
        "INSTANCE_ATTRIBUTE",
        "ProblemInstanceFilter",
        "django_request",
    },
    "drf_apikit.signals": {
        "idempotency_conflicted",
        "idempotency_executed",
        "idempotency_mismatched",
        "idempotency_released",
        "idempotency_replayed",
        "key_rotated",
        "keys_refreshed",
        "login_failed",
        "login_succeeded",
        "refresh_token_reused",
        "session_ended",
        "session_renewed",
        "signing_key_rotated",
        "token_accepted",
        "token_rejected",
        "token_session_ended",
        "validator_found_stale",
    },
    "drf_apikit.testing": {"InMemoryIssuer", "assert_problem", "walk_pages"},
}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_gives_these_names(module: str) -> None:
    loaded = importlib.import_module(module)
    assert set(loaded.__all__) == PUBLIC[module]
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []
