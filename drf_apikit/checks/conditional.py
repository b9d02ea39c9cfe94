"""What makes conditional requests fail, useless or wrong, told before a request.

No view is called and no database is connected to: what a class declares is all
that is looked at.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.urls import get_resolver

from drf_apikit.checks.caches import is_private
from drf_apikit.checks.conditional_declarations import (
    is_of_one,
    model_of,
    wrong_declarations,
)
from drf_apikit.checks.conditional_related import uncovered_rows
from drf_apikit.checks.views import (
    NoConnectionError,
    RoutedView,
    disconnected,
    routed_views,
)
from drf_apikit.conditional import ConditionalGetMixin, ConditionalMixin
from drf_apikit.conf import apikit_settings

__all__ = ["check_conditional"]

logger = logging.getLogger(__name__)

_GZIP: Final = "django.middleware.gzip.GZipMiddleware"
_WRITING: Final = ("IMMEDIATE", "EXCLUSIVE")
#: Where one view is told of for all.
_ONCE: Final = frozenset({"drf_apikit.W008", "drf_apikit.W009"})


def check_conditional(**_: Any) -> list[checks.CheckMessage]:
    """See that conditional requests can work, and that no 304 is stale.

    `E009` a declaration of a view that cannot work; `E010` a model of `GENERATIONS`
    that does not exist; `W007` related rows that a validator does not look at;
    `W008` tags that come back weak, `W009` SQLite transactions that begin as
    readers, `W010` generations that processes do not share (`E005`: no cache).
    """
    # A faulty setting has an error of its own.
    if apikit_settings.faults():
        return []
    found: dict[Any, checks.CheckMessage] = {}
    resolver = get_resolver() if getattr(settings, "ROOT_URLCONF", None) else None
    for view in () if resolver is None else routed_views(resolver):
        if issubclass(view.cls, ConditionalGetMixin):
            for message in _look_at(view):
                told = message.hint if message.id in _ONCE else message.msg
                found.setdefault((message.id, told), message)
    return [*_generations(), *found.values()]


def _look_at(view: RoutedView) -> list[checks.CheckMessage]:
    """Check a view; one that cannot be understood is left alone."""
    looks = [wrong_declarations, uncovered_rows]
    if _writes(view):
        looks += [_gzip, _sqlite]
    try:
        with ExitStack() as stack:
            for alias in connections:
                stack.enter_context(disconnected(alias))
            return list(chain.from_iterable(look(view) for look in looks))
    except NoConnectionError:
        pass
    except Exception:
        # Whatever a project's own managers and serializers may raise.
        logger.exception("The conditional requests of %s could not be checked.", view)
    return []


def _writes(view: RoutedView) -> bool:
    """Tell whether the mixin protects writes that reach the view."""
    if not issubclass(view.cls, ConditionalMixin):
        return False
    allowed = set(view.get("http_method_names") or ())
    methods = allowed & {"put", "patch", "delete"}
    if view.actions is None:
        return any(hasattr(view.cls, method) for method in methods)
    methods |= allowed & {"post"}
    return any(
        method in methods and is_of_one(view, action)
        for method, action in view.actions.items()
    )


def _gzip(view: RoutedView) -> Iterator[checks.CheckMessage]:
    accepted = apikit_settings.conditional.accept_weak_if_match
    if _GZIP in settings.MIDDLEWARE and not accepted:
        yield checks.Warning(
            f"GZipMiddleware makes tags weak, and the If-Match of {view} takes no weak"
            " ones: clients that send back what they were given get 412.",
            hint="Set DRF_APIKIT['CONDITIONAL']['ACCEPT_WEAK_IF_MATCH'] = True, or"
            " compress nothing that has a tag.",
            id="drf_apikit.W008",
        )


def _sqlite(view: RoutedView) -> Iterator[checks.CheckMessage]:
    rows = view.rows
    if rows is None:
        return
    alias = router.db_for_write(rows.model)
    connection = connections[alias]
    options = connection.settings_dict.get("OPTIONS") or {}
    mode = str(options.get("transaction_mode") or "DEFERRED").upper()
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    if connection.vendor == "sqlite" and atomic and mode not in _WRITING:
        yield checks.Warning(
            f"Requests to {view} read before they write, in a {mode} transaction of"
            f" the database {alias!r}: writers at the same time are refused with 412"
            " and 409 where they could have waited.",
            hint=f"Set 'transaction_mode': 'IMMEDIATE' in DATABASES[{alias!r}]"
            "['OPTIONS'], or ATOMIC_REQUESTS to False.",
            id="drf_apikit.W009",
        )


def _generations() -> Iterator[checks.CheckMessage]:
    labels = sorted(apikit_settings.conditional.generations)
    name = "DRF_APIKIT['CONDITIONAL']"
    for label in labels:
        if model_of(label) is None:
            yield checks.Error(
                f"{name}['GENERATIONS'] has {label!r}, which is no model.",
                hint="Name models of installed apps by their labels, as 'auth.User'.",
                id="drf_apikit.E010",
            )
    if labels:
        yield from _cache(name, apikit_settings.conditional.cache)


def _cache(name: str, alias: str) -> Iterator[checks.CheckMessage]:
    if alias not in settings.CACHES:
        yield checks.Error(
            f"{name}['CACHE'] is {alias!r}, which is no cache.",
            hint=f"Name one of {', '.join(sorted(settings.CACHES))}.",
            id="drf_apikit.E005",
        )
    elif is_private(settings.CACHES[alias].get("BACKEND")):
        yield checks.Warning(
            f"{name}['GENERATIONS'] is set, and the cache {alias!r} is not shared: each"
            " process has generations of its own, so that a 304 can be stale.",
            hint=f"Set {name}['CACHE'] to a cache that all processes share, such as"
            " Redis.",
            id="drf_apikit.W010",
        )
