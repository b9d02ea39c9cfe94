"""Kinds of failures of a login, as programs are told of them."""

from drf_apikit.problem_types import (
    LOGIN_FAILED,
    LOGIN_REFUSED,
    LOGIN_UNAVAILABLE,
    SESSION_EXPIRED,
)

__all__ = ["LOGIN_FAILED", "LOGIN_REFUSED", "LOGIN_UNAVAILABLE", "SESSION_EXPIRED"]
