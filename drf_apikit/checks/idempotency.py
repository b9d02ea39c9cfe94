"""What leaves operations unprotected that a view declares to be protected.

No view is called and no database is connected to: what a class declares is all
that is looked at.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.urls import get_resolver
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from drf_apikit.checks.caches import is_private
from drf_apikit.checks.conditional import check_conditional
from drf_apikit.checks.views import RoutedView, routed_views
from drf_apikit.conf import apikit_settings
from drf_apikit.idempotency.declared import (
    ProtectedHandler,
    named_options,
    operations,
)
from drf_apikit.idempotency.layer import SAFE
from drf_apikit.models import IdempotencyRecord

__all__ = ["check_idempotency"]

logger = logging.getLogger(__name__)

_ACTIONS: Final = ("list", "create", "retrieve", "update", "partial_update", "destroy")
_WRITING: Final = ("IMMEDIATE", "EXCLUSIVE")


def check_idempotency(**_: Any) -> list[checks.CheckMessage]:
    """See that what is declared to be protected is.

    `E011` a declaration that protects nothing; `E012` a database that does not
    exist; `W011` effects in another database than the record; `W012` SQLite
    transactions that begin as readers; `W013` a cache of answers that processes
    do not share.
    """
    # A faulty setting has an error of its own.
    if apikit_settings.faults():
        return []
    resolver = get_resolver() if getattr(settings, "ROOT_URLCONF", None) else None
    views = [] if resolver is None else list(routed_views(resolver, APIView))
    found: list[checks.CheckMessage] = []
    aliases: dict[str, str] = {}
    for view in views:
        try:
            found += _look_at(view, [one for one in views if one.cls is view.cls])
            aliases.update(dict.fromkeys(_aliases(view), str(view)))
        except Exception:
            # Whatever a project's own routers and querysets may raise.
            logger.exception("The idempotency of %s could not be checked.", view)
    once = {(message.id, message.msg): message for message in found}
    return [*once.values(), *_sqlite(aliases), *_cache()]


def _look_at(
    view: RoutedView, routes: Sequence[RoutedView]
) -> list[checks.CheckMessage]:
    """Check a view; `routes` are all that lead to its class."""
    try:
        named = named_options(view.cls, view.given)
    except (TypeError, ValueError) as error:
        hint = "Name actions or methods, or give a dict to arguments of `idempotent`."
        return [_error(view, f"idempotent_actions cannot be used: {error}.", hint)]
    found = [*_names(view, named, routes), *_safe(view, routes)]
    for operation in _of(view):
        if operation.method not in SAFE:
            found += _databases(view, operation)
    return found


def _of(view: RoutedView) -> Iterator[ProtectedHandler]:
    return operations(view.cls, view.given, view.actions)


def _error(view: RoutedView, problem: str, hint: str) -> checks.CheckMessage:
    return checks.Error(f"{view}: {problem}", hint=hint, id="drf_apikit.E011")


def _names(
    view: RoutedView, named: Collection[str], routes: Sequence[RoutedView]
) -> Iterator[checks.CheckMessage]:
    """Give the names of `idempotent_actions` that the view has not."""
    known = _known(view, routes)
    kind = "actions" if issubclass(view.cls, ViewSetMixin) else "methods"
    for name in named:
        if name not in known:
            yield _error(
                view,
                f"idempotent_actions names {name!r}, which is none of its {kind}.",
                f"It has {', '.join(sorted(known)) or 'none'}.",
            )


def _known(view: RoutedView, routes: Sequence[RoutedView]) -> Collection[str]:
    cls = view.cls
    if not issubclass(cls, ViewSetMixin):
        allowed = view.get("http_method_names")
        return {name for name in allowed if hasattr(cls, name)}
    known = {name for name in _ACTIONS if hasattr(cls, name)}
    for extra in cls.get_extra_actions():
        known |= {extra.__name__, *extra.mapping.values()}
    return known.union(*((route.actions or {}).values() for route in routes))


def _safe(
    view: RoutedView, routes: Sequence[RoutedView]
) -> Iterator[checks.CheckMessage]:
    """Give the handlers that are reached by safe methods alone."""
    reached: dict[Any, list[ProtectedHandler]] = {}
    for route in routes:
        for operation in operations(route.cls, view.given, route.actions):
            mark = operation.layer or operation.name
            reached.setdefault(mark, []).append(operation)
    for several in reached.values():
        methods = {operation.method for operation in several}
        if methods <= SAFE:
            names = ", ".join(sorted({operation.name for operation in several}))
            answered = ", ".join(sorted(methods)).upper()
            yield _error(
                view,
                f"{names} only answers {answered}, so that nothing is protected.",
                "Protect what has an effect, on POST, PUT, PATCH or DELETE.",
            )


def _databases(
    view: RoutedView, operation: ProtectedHandler
) -> Iterator[checks.CheckMessage]:
    """Compare where the record and where the effects are written."""
    alias = _alias(operation)
    if alias not in connections:
        yield checks.Error(
            f"{view}: {operation.name} keeps its answers in {alias!r}, which is no"
            " database.",
            hint=f"Give `using` one of {', '.join(sorted(connections))}.",
            id="drf_apikit.E012",
        )
        return
    rows = view.rows
    effects = alias if rows is None else router.db_for_write(rows.model)
    if effects != alias:
        yield checks.Warning(
            f"{view}: {operation.name} keeps its answers in the database {alias!r},"
            f" and writes its rows to {effects!r}: a crash in between commits one of"
            " the two alone.",
            hint=f"Declare it with using={effects!r}.",
            id="drf_apikit.W011",
        )


def _alias(operation: ProtectedHandler) -> str:
    return operation.options.using or router.db_for_write(IdempotencyRecord)


def _aliases(view: RoutedView) -> list[str]:
    """Give the databases that exist and have records of the view."""
    try:
        used = [_alias(one) for one in _of(view) if one.method not in SAFE]
    except (TypeError, ValueError):
        return []
    return [alias for alias in used if alias in connections]


def _sqlite(aliases: dict[str, str]) -> list[checks.CheckMessage]:
    """Warn of readers that cannot become writers, unless `W009` does."""
    deferred = {alias: mode for alias in aliases if (mode := _reading_mode(alias))}
    hints = {
        alias: f"Set 'transaction_mode': 'IMMEDIATE' in DATABASES[{alias!r}]"
        "['OPTIONS'], or ATOMIC_REQUESTS to False."
        for alias in deferred
    }
    # They are few, and on no server: so this is not often asked.
    told = {message.hint for message in check_conditional()} if deferred else set()
    return [
        checks.Warning(
            f"Requests to {aliases[alias]} read before they claim their key, in a"
            f" {mode} transaction of the database {alias!r}: those at the same time"
            " are refused with 409 where they could have waited.",
            hint=hints[alias],
            id="drf_apikit.W012",
        )
        for alias, mode in deferred.items()
        if hints[alias] not in told
    ]


def _reading_mode(alias: str) -> str | None:
    """Give how transactions begin, if that is as a reader, before the claim."""
    connection = connections[alias]
    options = connection.settings_dict.get("OPTIONS") or {}
    mode = str(options.get("transaction_mode") or "DEFERRED").upper()
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    wrong = connection.vendor == "sqlite" and atomic and mode not in _WRITING
    return mode if wrong else None


def _cache() -> Iterator[checks.CheckMessage]:
    name, alias = (
        "DRF_APIKIT['IDEMPOTENCY']['CACHE']",
        apikit_settings.idempotency.cache,
    )
    backend = settings.CACHES.get(alias, {}).get("BACKEND") if alias else None
    if backend is not None and is_private(backend):
        yield checks.Warning(
            f"{name} is {alias!r}, which is not shared: what one process replays, the"
            " others ask the database for, and what is released in the admin is"
            " replayed on by those that have it.",
            hint=f"Set {name} to a cache that all processes share, such as Redis, or"
            " to None.",
            id="drf_apikit.W013",
        )
