"""Warnings about a block that is in use but not wired everywhere."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ViewDoesNotExist
from django.urls import Resolver404, get_resolver, get_script_prefix, resolve
from rest_framework.settings import api_settings

from drf_apikit.conf import apikit_settings
from drf_apikit.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS
from drf_apikit.problems import django_handlers
from drf_apikit.problems.handler import exception_handler
from drf_apikit.problems.registry import find_conflicts
from drf_apikit.problems.views import type_detail

__all__ = ["check_cors", "check_problems"]

_CSRF: Final = "drf_apikit.problems.django_handlers.csrf_failure"

#: What django-cors-headers lets through where its settings are not set.
_CORS_DEFAULTS: Final = {
    "CORS_EXPOSE_HEADERS": (),
    "CORS_ALLOW_HEADERS": ("authorization", "content-type"),
}


def check_problems(**_: Any) -> list[checks.CheckMessage]:
    """See that all three ways into problem details are open.

    `E006` two types with one slug; `W001` an error view of Django's that is not
    ours; `W002` the CSRF view likewise; `W003` type URIs that lead nowhere.
    Only for projects that use our exception handler.
    """
    found: list[checks.CheckMessage] = [
        checks.Error(text, hint="Give one of them another slug.", id="drf_apikit.E006")
        for text in find_conflicts()
    ]
    # A faulty setting has an error of its own.
    sound = getattr(settings, "ROOT_URLCONF", None) and not apikit_settings.faults()
    if sound and api_settings.EXCEPTION_HANDLER is exception_handler:
        found += [*_views(), *_csrf(), *_pages()]
    return found


def check_cors(**_: Any) -> list[checks.CheckMessage]:
    """`W004`: django-cors-headers hides our headers from scripts."""
    if not apps.is_installed("corsheaders"):
        return []
    pairs = (
        ("CORS_EXPOSE_HEADERS", EXPOSED_HEADERS, "EXPOSED_HEADERS"),
        ("CORS_ALLOW_HEADERS", ALLOWED_HEADERS, "ALLOWED_HEADERS"),
    )
    return [
        checks.Warning(
            f"{name} lacks {', '.join(missing)}.",
            hint=f"Add drf_apikit.http.cors.{constant} to it.",
            id="drf_apikit.W004",
        )
        for name, wanted, constant in pairs
        if (missing := _missing(wanted, getattr(settings, name, _CORS_DEFAULTS[name])))
    ]


def _views() -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"The error view for {status} is not the one of drf_apikit.problems, so"
            " some failures are no problem documents.",
            hint=f"Import handler{status} from drf_apikit.problems.django_handlers"
            f" in {settings.ROOT_URLCONF}.",
            id="drf_apikit.W001",
        )
        for status in (400, 403, 404, 500)
        if _view_for(status) is not getattr(django_handlers, f"handler{status}")
    ]


def _view_for(status: int) -> Any:
    """Give the error view; a name that leads nowhere is Django's to complain of."""
    with suppress(ImportError, ViewDoesNotExist):
        return get_resolver().resolve_error_handler(status)
    return None


def _csrf() -> list[checks.CheckMessage]:
    if settings.CSRF_FAILURE_VIEW == _CSRF or not _uses_csrf():
        return []
    return [
        checks.Warning(
            "CSRF failures are answered with a page, not with a problem document.",
            hint=f"Set CSRF_FAILURE_VIEW = {_CSRF!r}.",
            id="drf_apikit.W002",
        )
    ]


def _uses_csrf() -> bool:
    return any(name.endswith("CsrfViewMiddleware") for name in settings.MIDDLEWARE)


def _pages() -> list[checks.CheckMessage]:
    """Look behind a path; a base on another host is looked after there."""
    base = apikit_settings.problems.type_base
    try:
        # A path that a proxy strips is no part of the URL configuration.
        path = base.removeprefix(get_script_prefix().rstrip("/"))
        found = resolve(f"{path}not-found").func is type_detail
    except Resolver404:
        found = False
    if found or not base.startswith("/"):
        return []
    return [
        checks.Warning(
            f"The `type` URIs of problems begin with {base}, where there is no page.",
            hint=f"Add path({base.lstrip('/')!r}, include('drf_apikit.problems.urls'))"
            " to the root URL configuration.",
            id="drf_apikit.W003",
        )
    ]


def _missing(wanted: Iterable[str], given: Iterable[str]) -> list[str]:
    known = {name.lower() for name in given}
    return [name for name in wanted if name not in known]
