"""Secrets that no answer may tell; every one bears the same mark."""

from typing import Final

__all__ = ["KINDS", "MARK", "PLANTED", "plant"]

MARK: Final = "xq7"
KINDS: Final = frozenset(
    {
        "bad_request_text",
        "basic_credentials",
        "cause_text",
        "column",
        "context_text",
        "cookie",
        "database_host",
        "duplicate_value",
        "exception_note",
        "exception_text",
        "file",
        "function",
        "group_member",
        "group_text",
        "host",
        "http404_text",
        "key_error",
        "local",
        "middleware_text",
        "missing_row",
        "object_in_params",
        "object_repr",
        "password_in_body",
        "permission_text",
        "protected_object",
        "protected_text",
        "query_string",
        "renderer_text",
        "restricted_text",
        "secret_key",
        "sql",
        "suspicious_text",
        "table",
        "timeout_text",
        "token",
    }
)
#: Those that were in place in this run.
PLANTED: Final[set[str]] = set()


def plant(kind: str) -> str:
    """Give the secret of a kind, a valid SQL name too, and remember that it is out."""
    PLANTED.add(kind)
    return f"{MARK}_{kind}"
