"""The views of the URL configuration, as far as they are declared.

None of them is called, and no database is connected to.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.views import APIView

__all__ = ["NoConnectionError", "RoutedView", "disconnected", "routed_views"]


@dataclass(frozen=True, slots=True)
class RoutedView:
    """A view class, what `as_view()` was given, and which method does what.

    `actions` is None where the class is no view set.
    """

    cls: Any
    given: Mapping[str, Any]
    actions: Mapping[str, str] | None

    def get(self, name: str, default: Any = None) -> Any:
        """Give an attribute as an instance would have it; None for a property."""
        value = self.given.get(name, getattr(self.cls, name, default))
        return None if isinstance(value, property) else value

    def knows(self, name: str) -> bool:
        """Tell whether an attribute is the same for all instances."""
        value = self.given.get(name, getattr(self.cls, name, None))
        return not hasattr(type(value), "__get__")

    def __str__(self) -> str:
        name = self.cls.__qualname__
        # What `@api_view` makes has the name of the function elsewhere.
        if name == "WrappedAPIView":
            name = self.cls.__name__
        return f"{self.cls.__module__}.{name}"

    @property
    def handlers(self) -> Collection[str]:
        """The methods that may answer."""
        return dir(self.cls) if self.actions is None else self.actions.values()

    @property
    def rows(self) -> QuerySet[Any] | None:
        """The rows as far as they are declared."""
        queryset = self.get("queryset")
        if isinstance(queryset, QuerySet):
            return queryset.all()
        meta = getattr(self.get("serializer_class"), "Meta", None)
        model = getattr(meta, "model", None)
        manager = getattr(model, "_default_manager", None)
        return None if manager is None else manager.all()


class NoConnectionError(Exception):
    """A check wanted to ask a server."""


def routed_views(
    resolver: Any, kind: type[APIView] = GenericAPIView
) -> Iterator[RoutedView]:
    """Find the views of a kind, however deep they are included."""
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from routed_views(pattern, kind)
            continue
        callback = getattr(pattern, "callback", None)
        cls = getattr(callback, "cls", None)
        if isinstance(cls, type) and issubclass(cls, kind):
            given = getattr(callback, "initkwargs", {})
            yield RoutedView(cls, given, getattr(callback, "actions", None))


@contextmanager
def disconnected(alias: str) -> Iterator[None]:
    """Refuse to connect, and to ask what is connected to already.

    Some expressions are written as the server's version asks.
    """

    def refuse(*_: Any) -> Any:
        raise NoConnectionError

    own = vars(connections[alias])
    before = {name: own[name] for name in ("connect",) if name in own}
    own["connect"] = refuse
    try:
        with connections[alias].execute_wrapper(refuse):
            yield
    finally:
        del own["connect"]
        own.update(before)
