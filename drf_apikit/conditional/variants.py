"""What shapes the bytes of an answer besides the rows: the variant of a tag."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import get_language
from rest_framework import renderers
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, ListSerializer

from drf_apikit.callers import principal_of
from drf_apikit.conf import apikit_settings

if TYPE_CHECKING:
    from drf_apikit.conditional.get import ConditionalGetMixin

__all__ = ["is_pure", "names_of_variant", "schema_of", "variant_parts"]

#: Renderers whose pages have more in them than the data.
_PAGES: Final = (
    renderers.BrowsableAPIRenderer,
    renderers.HTMLFormRenderer,
    renderers.TemplateHTMLRenderer,
)
_LOCALE: Final = "django.middleware.locale.LocaleMiddleware"


def is_pure(request: Request) -> bool:
    """Tell whether the renderer shows the data and nothing else."""
    return not isinstance(request.accepted_renderer, _PAGES)


def variant_parts(view: "ConditionalGetMixin") -> Iterator[Any]:
    """Give what a representation depends on, besides the rows."""
    request = view.request
    yield request.accepted_media_type
    yield get_language()
    yield timezone.get_current_timezone_name()
    yield request.META.get("QUERY_STRING", "")
    yield request.version
    yield apikit_settings.conditional.revision
    serializer = view.shown_serializer_class()
    yield None if serializer is None else schema_of(serializer)
    # An absent one is told from any text.
    yield from (repr(request.headers.get(name)) for name in view.variant_headers)
    if view.per_user:
        yield from _caller(request)
    yield from view.get_variant()


def names_of_variant(view: "ConditionalGetMixin") -> list[str]:
    """Name the request headers that the variant is made of, for Vary."""
    names = ["Accept", *view.variant_headers]
    if settings.USE_I18N and _LOCALE in settings.MIDDLEWARE:
        names.append("Accept-Language")
    if view.per_user:
        ways: Any = view.request.authenticators
        found = {name for way in ways for name in _read_by(way)}
        names += sorted(found, reverse=True)
    return names


def _read_by(way: Any) -> Sequence[str]:
    """Name the headers that an authenticator reads; of one unknown, all that may be."""
    declared: Sequence[str] | None = getattr(way, "vary_on_headers", None)
    if declared is not None:
        return declared
    if isinstance(way, SessionAuthentication):
        return ("Cookie",)
    known = isinstance(way, BasicAuthentication | TokenAuthentication)
    return ("Authorization",) if known else ("Authorization", "Cookie")


@functools.lru_cache(maxsize=1024)
def schema_of(serializer: type[BaseSerializer[Any]]) -> str:
    """Describe the fields that a serializer class declares, nested ones too."""
    return repr(list(_describe(serializer, frozenset())))


def _describe(serializer: Any, above: frozenset[type]) -> Iterator[Any]:
    yield f"{serializer.__module__}.{serializer.__qualname__}"
    if serializer in above:
        return
    meta = getattr(serializer, "Meta", None)
    for name in ("fields", "exclude", "depth", "extra_kwargs", "read_only_fields"):
        value = getattr(meta, name, None)
        yield value if isinstance(value, str | int | None) else sorted(map(str, value))
    model = getattr(meta, "model", None)
    if isinstance(model, type) and issubclass(model, Model):
        yield [f"{f.name}:{type(f).__name__}" for f in model._meta.get_fields()]
    for name, field in getattr(serializer, "_declared_fields", {}).items():
        inner = field.child if isinstance(field, ListSerializer) else field
        yield f"{name}:{field.source}:{field.write_only}:{type(inner).__qualname__}"
        if isinstance(inner, BaseSerializer):
            yield from _describe(type(inner), above | {serializer})


def _caller(request: Request) -> Iterator[Any]:
    """Tell who asks, and what of that commonly decides about fields."""
    user = request.user
    yield principal_of(request)
    yield getattr(user, "is_staff", False)
    yield getattr(user, "is_superuser", False)
    scopes = getattr(request.auth, "scopes", None)
    yield sorted(map(str, scopes)) if isinstance(scopes, Iterable) else ""
