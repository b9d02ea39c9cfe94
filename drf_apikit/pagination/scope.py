"""What a cursor is bound to, and for whom its total was counted."""

import base64
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.settings import api_settings

from drf_apikit.callers import principal_of
from drf_apikit.pagination.declared import belongs, declared_parameters

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

__all__ = ["scope_of", "witness_of"]


def scope_of(
    request: Request,
    view: "APIView | None",
    own: Iterable[str | None],
    rows: Any,
    more: Any = None,
) -> str:
    """Tell one list from another: by the URL's arguments, the filters, and `more`.

    The paginator's `own` parameters are no filters, whatever their names.
    """
    # A paginator that is used by hand may be given no view.
    context = request.parser_context or {}
    view = view or context.get("view")
    given = getattr(view, "kwargs", None) or context.get("kwargs") or {}
    arguments: dict[str, Any] = dict(given)
    arguments.pop(api_settings.FORMAT_SUFFIX_KWARG or "", None)
    declared = declared_parameters(view, rows)
    filters = [
        (name, values)
        for name, values in sorted(request.query_params.lists())
        if name not in own and belongs(name, declared)
    ]
    return repr((sorted((k, str(v)) for k, v in arguments.items()), filters, more))


def witness_of(
    request: Request, own: Iterable[str | None], strategy: tuple[Any, ...]
) -> str:
    """Tell who asked for what, so that a total is not taken for another's.

    All parameters count but the paginator's `own`, since a view may filter by one
    that no backend declares; so do host and path, which may have lists of the same
    model. Empty where it cannot be told who asks.
    """
    principal = principal_of(request)
    if principal is None and _is_somebody(request):
        return ""
    ignored = {*own, api_settings.URL_FORMAT_OVERRIDE}
    parameters = [
        (name, values)
        for name, values in sorted(request.query_params.lists())
        if name not in ignored
    ]
    where = request.build_absolute_uri(request.path)
    text = repr((principal, where, parameters, strategy))
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=9).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _is_somebody(request: Request) -> bool:
    """Tell a caller whom we cannot name from anybody."""
    known = getattr(request.user, "is_authenticated", False)
    return bool(known) or request.auth is not None
