"""Scopes as permissions."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from drf_apikit.authentication.challenges import challenge
from drf_apikit.authentication.operators import Combinable
from drf_apikit.exceptions import InsufficientScope

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

__all__ = ["AnyOf", "HasScopes", "any_of", "read_scopes", "scopes_for"]

logger = logging.getLogger(__name__)

#: RFC 6749 section 3.3, `scope-token`.
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Scopes of which one is enough."""

    scopes: frozenset[str]


def any_of(*scopes: str) -> AnyOf:
    """Ask for one of several scopes."""
    return AnyOf(frozenset(scopes))


class HasScopes(BasePermission, metaclass=Combinable):
    """Ask the token for the scopes in the view's `required_scopes`.

    `required_scopes` is a list of scopes (all are needed) or `any_of(...)`, for
    the whole view, or a dict from action names and HTTP methods to these. An
    action's name wins over the method; HEAD and OPTIONS count as GET. A view or
    method without an entry, or with one that cannot be used, refuses everybody,
    and says so in the log; what the view does not have is left to be a 405.

    Whoever came in without a token, as by a session, has no scopes and is
    refused. A subclass with `needs_token = False` lets them in: their rights
    are a matter of other permissions then.

    Raises:
        InsufficientScope: 403 with the scopes that are needed (RFC 6750
            section 3.1).

    """

    #: Whether a user without any token is refused where scopes are needed.
    needs_token: ClassVar[bool] = True

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Compare the token's scopes with what this action needs."""
        if not getattr(request.user, "is_authenticated", False):
            return False
        required = _required(request, view)
        if required is None:
            # What is not there is a 405, and no matter of scopes.
            return request.method not in view.allowed_methods
        auth: Any = request.auth
        if auth is None and not self.needs_token:
            return True
        held = _held(auth)
        if isinstance(required, AnyOf):
            needed, enough = required.scopes, not held.isdisjoint(required.scopes)
        else:
            needed, enough = required, required <= held
        if not enough:
            raise _insufficient(needed, has_token=auth is not None)
        return True


def scopes_for(view: Any, method: str) -> AnyOf | frozenset[str] | None:
    """Give what one action of a view needs; None where nothing is said.

    Raises:
        ValueError: what is said cannot be used.

    """
    declared = getattr(view, "required_scopes", None)
    if isinstance(declared, Mapping):
        names = _names(view, method)
        declared = next((declared[name] for name in names if name in declared), None)
    return read_scopes(declared)


def read_scopes(declared: Any) -> AnyOf | frozenset[str] | None:
    """Read what is declared for one action: a list of scopes, or `any_of`.

    Raises:
        ValueError: it is something else, or has what cannot be a scope.

    """
    if declared is None:
        return None
    scopes = declared.scopes if isinstance(declared, AnyOf) else declared
    if isinstance(scopes, str):
        scopes = [scopes]
    if not isinstance(scopes, list | tuple | set | frozenset):
        raise ValueError("it is neither a list of scopes nor any_of(...)")
    if isinstance(declared, AnyOf) and not scopes:
        raise ValueError("any_of() of no scopes lets nobody in")
    for scope in scopes:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise ValueError(f"{scope!r} is no scope (RFC 6749 section 3.3)")
    return declared if isinstance(declared, AnyOf) else frozenset(scopes)


def _held(auth: Any) -> frozenset[str]:
    """Give the scopes of a token, also of one of another package."""
    scopes = getattr(auth, "scopes", None) or ()
    return frozenset(scopes.split() if isinstance(scopes, str) else scopes)


def _required(request: Request, view: "APIView") -> AnyOf | frozenset[str] | None:
    """Give what is needed; None, and a line in the log, where that is not known."""
    if request.method not in view.allowed_methods:
        return None
    problem = f"names no required_scopes for {request.method}"
    try:
        found = scopes_for(view, str(request.method))
    except ValueError as error:
        found, problem = None, f"has required_scopes that cannot be used: {error}"
    if found is None:
        logger.error("%s %s", type(view).__name__, problem)
    return found


def _names(view: Any, method: str) -> Iterator[str | None]:
    """Give the names under which an action may be declared, the nearest first."""
    actions = getattr(view, "action_map", None) or {}
    action = getattr(view, "action", None)
    if action == "metadata" and method != "OPTIONS":
        # DRF asks on behalf of a method what OPTIONS may tell of it.
        action = actions.get(method.lower())
    yield from (action, method)
    if method in {"HEAD", "OPTIONS"}:
        yield from (actions.get("get"), "GET")


def _insufficient(needed: frozenset[str], *, has_token: bool) -> InsufficientScope:
    scope = " ".join(sorted(needed))
    detail = None if has_token else _NO_TOKEN
    # RFC 6750 section 3: no error code where no token was sent.
    error = "insufficient_scope" if has_token else None
    refusal = InsufficientScope(detail, scope=scope)
    # Both exception handlers, DRF's and ours, make WWW-Authenticate of it.
    vars(refusal)["auth_header"] = challenge(error, needed)
    return refusal


_NO_TOKEN: Final = _(
    "An access token with a scope is needed here. This request came in without one."
)
