"""Which operations of a view class are protected, as far as it is declared."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from drf_apikit.handlers import called_handlers, declared_layers
from drf_apikit.idempotency.decorator import IdempotencyMixin
from drf_apikit.idempotency.layer import IdempotencyLayer
from drf_apikit.idempotency.options import Options, of_actions

__all__ = ["ProtectedHandler", "named_options", "operations"]


class ProtectedHandler(NamedTuple):
    """A handler that is protected, and one of the methods that it answers.

    `layer` is None where the mixin names it.
    """

    method: str
    name: str
    options: Options
    layer: IdempotencyLayer | None


def operations(
    cls: Any, given: Mapping[str, Any], actions: Mapping[str, str] | None
) -> Iterator[ProtectedHandler]:
    """Find the protected operations of one route.

    `given` is what `as_view()` was given, `actions` what a view set does for each
    method, None for any other view.

    Raises:
        TypeError, ValueError: `idempotent_actions` cannot be read.

    """
    allowed = given.get("http_method_names", cls.http_method_names)
    named = named_options(cls, given)
    routes = {name: name for name in allowed} if actions is None else actions
    for method, name in routes.items():
        handler = getattr(cls, name, None)
        if handler is None or method not in allowed:
            continue
        called = called_handlers(cls, handler)
        layers = [layer for one in called for layer in declared_layers(one)]
        layer = next((one for one in layers if isinstance(one, IdempotencyLayer)), None)
        # The decorator is nearer to the handler.
        options = named.get(name) if layer is None else layer.options
        if options is not None:
            yield ProtectedHandler(method, name, options, layer)


def named_options(cls: Any, given: Mapping[str, Any]) -> Mapping[str, Options]:
    """Read what the mixin names.

    Raises:
        TypeError, ValueError: as `of_actions` does.

    """
    if not issubclass(cls, IdempotencyMixin):
        return {}
    return of_actions(given.get("idempotent_actions", cls.idempotent_actions))
