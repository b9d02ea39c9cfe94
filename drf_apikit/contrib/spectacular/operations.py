"""What the blocks add to the operations of a view."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.plumbing import get_class
from rest_framework.views import APIView

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.contrib.spectacular import idempotency, security, tokens
from drf_apikit.contrib.spectacular.components import Refusal, add_refusals
from drf_apikit.idempotency.declared import operations
from drf_apikit.idempotency.layer import SAFE
from drf_apikit.idempotency.options import Options

__all__ = ["DescribedOperations"]

#: What a class in place of a view has of it.
_KEPT: Final = ("__doc__", "__module__", "__qualname__")

if TYPE_CHECKING:

    class _Extension:
        """What of theirs is used here; `__init_subclass__` has no annotations."""

        target: Any
        target_class: Any
        target_callback: Any

    class _Schema:
        """What of their schemas is extended here."""

        view: Any

        def get_operation(self, *arguments: Any) -> dict[str, Any] | None: ...

        def get_operation_id(self) -> str: ...

        def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any: ...

else:
    _Extension = OpenApiViewExtension
    _Schema = object


class DescribedOperations(_Extension):
    """The key, the scopes and the refusals of operations that are protected.

    What the view says of a status itself stays. A project's own extension for a
    view comes before this one.
    """

    target_class: Any = "rest_framework.views.APIView"
    match_subclasses = True
    priority = -100

    def view_replacement(self) -> Any:
        """Give the view with schemas of ours around those of its handlers."""
        view, given = self.target, self.target_callback.initkwargs
        actions = getattr(self.target_callback, "actions", None)
        protected = {
            one.name: one.options
            for one in operations(view, given, actions)
            if one.method not in SAFE
        }
        names = set(protected)
        if _may_take_tokens(view, given) or tokens.possible_problems(view):
            names |= _handlers(view, actions)
        if not names:
            return view
        options = tuple((name, protected.get(name)) for name in sorted(names))
        return _replacement(view, get_class(view.schema), options)


@functools.lru_cache(maxsize=256)
def _replacement(
    view: Any, schema: type, handlers: tuple[tuple[str, Options | None], ...]
) -> Any:
    """Make a class once: each method of each route asks for it, in each document."""
    own = {name: getattr(view, name) for name in _KEPT}
    described = {
        name: _described(view, schema, name, options) for name, options in handlers
    }
    return type(view)(view.__name__, (view,), {**own, **described})


def _may_take_tokens(view: Any, given: Any) -> bool:
    """Leave it to the instance where it is not known of the class."""
    classes = given.get("authentication_classes", view.authentication_classes)
    if isinstance(classes, property):
        return True
    ours = any(
        isinstance(one, type) and issubclass(one, JWTBearerAuthentication)
        for one in classes
    )
    return ours or view.get_authenticators is not APIView.get_authenticators


def _handlers(view: Any, actions: Any) -> set[str]:
    names = view.http_method_names if actions is None else actions.values()
    return {name for name in names if hasattr(view, name)}


def _described(
    view: Any, schema: type, name: str, options: Options | None
) -> Callable[..., Any]:
    """Copy a handler; the copy has a schema of its own, as by `@extend_schema`."""
    handler = getattr(view, name)

    @functools.wraps(handler)
    def copied(*arguments: Any, **named: Any) -> Any:
        return handler(*arguments, **named)

    given = getattr(handler, "kwargs", {})
    base = get_class(given.get("schema") or schema)
    own = type(base.__name__, (_DescribedSchema, base), {"options": options})
    vars(copied)["kwargs"] = {**given, "schema": own}
    return copied


class _DescribedSchema(_Schema):
    """Goes before a schema class."""

    options: Options | None

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        """Add to the operation what the blocks do."""
        operation = super().get_operation(
            path, path_regex, path_prefix, method, registry
        )
        if operation is None:
            return None
        refusals: list[Refusal] = []
        if self.options is not None and method.lower() not in SAFE:
            parameters = operation.setdefault("parameters", [])
            idempotency.add_key(parameters, self.options, registry)
            idempotency.add_header(operation["responses"], registry)
            refusals += idempotency.REFUSALS
        if security.is_secured(self.view):
            refusals += security.secure(operation, self.view, method.upper())
        refusals += tokens.refusals(self.view)
        add_refusals(operation["responses"], refusals, registry)
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Say which members an answer may leave out."""
        schema = super()._map_basic_serializer(serializer, direction)
        return tokens.without_left_out(serializer, schema)

    def get_operation_id(self) -> str:
        """Tell apart what has one method and nearly one path."""
        return tokens.operation_id(self.view, super().get_operation_id())
