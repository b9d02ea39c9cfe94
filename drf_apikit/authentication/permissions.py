"""Scopes as permissions."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from drf_apikit.authentication.challenges import challenge
from drf_apikit.exceptions import InsufficientScope

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

__all__ = ["AnyOf", "HasScopes", "any_of", "scopes_for"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Scopes of which one is enough."""

    scopes: frozenset[str]


def any_of(*scopes: str) -> AnyOf:
    """Ask for one of several scopes."""
    return AnyOf(frozenset(scopes))


class HasScopes(BasePermission):
    """Ask the token for the scopes in the view's `required_scopes`.

    `required_scopes` is a list of scopes (all are needed) or `any_of(...)`, for
    the whole view, or a dict from action names and HTTP methods to these. An
    action's name wins over the method; HEAD and OPTIONS count as GET. A view or
    method without an entry refuses everybody, and says so in the log; what the
    view does not have is left to be a 405.

    Raises:
        InsufficientScope: 403 with the scopes that are needed (RFC 6750
            section 3.1).

    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Compare the token's scopes with what this action needs."""
        if not getattr(request.user, "is_authenticated", False):
            return False
        required = scopes_for(view, str(request.method))
        if required is None:
            return _is_undefined(request, view)
        held: frozenset[str] = getattr(request.auth, "scopes", frozenset())
        if isinstance(required, AnyOf):
            needed, enough = required.scopes, not held.isdisjoint(required.scopes)
        else:
            needed, enough = required, required <= held
        if not enough:
            raise _insufficient(needed)
        return True


def _is_undefined(request: Request, view: "APIView") -> bool:
    """Tell a method that the view does not have from a forgotten declaration."""
    if request.method not in view.allowed_methods:
        return True
    logger.error("%s names no required_scopes", type(view).__name__)
    return False


def _insufficient(needed: frozenset[str]) -> InsufficientScope:
    refusal = InsufficientScope(scope=" ".join(sorted(needed)))
    # Both exception handlers, DRF's and ours, make WWW-Authenticate of it.
    vars(refusal)["auth_header"] = challenge("insufficient_scope", needed)
    return refusal


def scopes_for(view: "APIView", method: str) -> AnyOf | frozenset[str] | None:
    """Give what one action of a view needs; None where nothing is said."""
    declared: Any = getattr(view, "required_scopes", None)
    if isinstance(declared, Mapping):
        names: Iterable[Any] = (getattr(view, "action", None), method)
        if method in {"HEAD", "OPTIONS"}:
            names = (*names, "GET")
        declared = next((declared[n] for n in names if n in declared), None)
    if declared is None or isinstance(declared, AnyOf):
        return declared
    return frozenset([declared] if isinstance(declared, str) else declared)
