"""The request seam: where blocks stand around a view's handler.

DRF calls `initial()` (authentication, permissions, throttles), then the
handler, then `finalize_response()`, then renders. A block that must stand
between `initial()` and the handler is a `Layer`. However a view names its
layers, by mixins in any order, by decorators in any order or by both, they run
in the order of `Position`. A layer that opens a transaction calls
`Call.finish()` inside it, so that what the client gets and what is committed
are decided together.
"""

import enum
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from django.http import HttpResponseBase
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.views import APIView

__all__ = [
    "Call",
    "Layer",
    "LayeredView",
    "Position",
    "Proceed",
    "called_handlers",
    "declared_layers",
    "layered",
]

F = TypeVar("F", bound=Callable[..., Any])

#: Where a decorated handler keeps the layer of a position. One attribute for each,
#: so that decorators above ours, which carry attributes outwards, merge them.
_LAYER = "drf_apikit_layer_{}"
#: What DRF's own handlers call.
_CALLED: Final = {
    "post": "create",
    "put": "update",
    "patch": "partial_update",
    "partial_update": "update",
    "delete": "destroy",
}
_OF_DRF: Final = frozenset({"rest_framework.generics", "rest_framework.mixins"})
#: Where a view instance keeps the positions that are being run.
_RUNNING = "_drf_apikit_running"


class Position(enum.IntEnum):
    """The order of the layers, from the outside to the inside."""

    IDEMPOTENCY = 100
    PRECONDITION = 200


@dataclass(slots=True)
class Call:
    """One call of a handler: who is asked, with what, and what came back."""

    view: APIView
    request: Request
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    _finished: HttpResponseBase | None = None

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        """Run `finalize_response()` and render, once for each response.

        DRF's later call of `finalize_response()` gets the finished response
        back, so that an override of it runs once as well.
        """
        if response is not self._finished:
            finalize = self.view.finalize_response
            # DRF takes any HttpResponseBase; its stubs say Response.
            plain = cast("Response", response)
            # It takes Vary out of them, and a refusal may come after it.
            headers = dict(self.view.headers)
            final = finalize(self.request, plain, *self.args, **self.kwargs)
            self.view.headers = headers
            render = getattr(final, "render", None)
            self._finished = render() if callable(render) else final
            self._shadow(finalize)
        return cast("HttpResponseBase", self._finished)

    def _shadow(self, finalize: Callable[..., Any]) -> None:
        def finalize_once(request: Request, response: Any, *a: Any, **kw: Any) -> Any:
            if response is self._finished:
                return response
            return finalize(request, response, *a, **kw)

        vars(self.view)["finalize_response"] = finalize_once


#: Runs the inner layers and the handler.
Proceed = Callable[[], HttpResponseBase]


class Layer(ABC):
    """Something that a block does around a handler."""

    position: ClassVar[Position]

    @abstractmethod
    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Answer, or let the inner layers and the handler do so by `proceed()`.

        An exception goes on outwards to DRF's exception handler.
        """


if TYPE_CHECKING:
    from rest_framework.response import Response

    _View = APIView
else:
    _View = object


class LayeredView(_View):
    """Base of the mixins that bring layers to a view.

    Raises:
        TypeError: when a class names it after a view class, whose `initial()`
            would then hide this one and leave the view unprotected.

    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        if APIView in order and order.index(APIView) < order.index(LayeredView):
            raise TypeError(f"{cls.__name__}: mixins go before the view class")

    def get_handler_layers(self) -> list[Layer]:
        """Name the layers of this view; extend what `super()` names."""
        return []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Put the layers around the handler that DRF is going to ask for."""
        super().initial(request, *args, **kwargs)
        name = str(request.method).lower()
        handler = getattr(self, name, None)
        if handler is None or name not in self.http_method_names:
            return
        layers = self.get_handler_layers()
        for called in called_handlers(self, handler):
            layers = [*layers, *_declared(called)]
        vars(self)[name] = functools.partial(_run, self, layers, handler)


def layered(layer: Layer) -> Callable[[F], F]:
    """Put a layer around one handler.

    Works on methods of any DRF view class, on `@action` methods, under
    `@api_view` and through `method_decorator`.

    Raises:
        TypeError: when put on anything that is no function, on what `as_view()`
            or `@api_view` has made, or when called by anything that is no DRF
            view, or from within a layer that stands further inside: then the
            method that overrides or calls this one needs the decorator.

    """

    def decorate(function: F) -> F:
        if not _is_handler(function):
            raise TypeError(f"{layer!r} goes on a view method, not on {function!r}")

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            view, request, rest = _caller(args)
            own = () if view is not args[0] else (view,)
            handler = functools.partial(function, *own)
            running = vars(view).get(_RUNNING, ())
            if layer.position in running:
                return handler(request, *rest, **kwargs)
            if any(position > layer.position for position in running):
                raise TypeError(f"{layer!r} is on a method that an inner layer calls")
            return _run(view, layers, handler, request, *rest, **kwargs)

        layers = [layer, *_declared(function)]
        # Where an inner decorator has the position already, its layer stays.
        vars(wrapper).setdefault(_LAYER.format(layer.position.value), layer)
        return cast("F", wrapper)

    return decorate


def called_handlers(view: Any, handler: Any) -> Iterator[Any]:
    """Give a handler of a view or its class, and those that it calls for DRF.

    A generic view's `post()` only calls `create()`, and `partial_update()` calls
    `update()`: a decorator may be on either.
    """
    while handler is not None:
        yield handler
        own = getattr(handler, "__module__", None) in _OF_DRF
        name = getattr(handler, "__name__", "")
        handler = getattr(view, _CALLED.get(name, ""), None) if own else None


def declared_layers(handler: Callable[..., Any]) -> list[Layer]:
    """List the layers that decorators have put on a handler of a view class.

    `@api_view` makes handlers that carry nothing of the function behind them.
    """
    made = inspect.unwrap(handler)
    if getattr(made, "__module__", None) == api_view.__module__:
        variables = inspect.getclosurevars(made).nonlocals
        handler = variables.get("func", handler)
    return _declared(handler)


def _is_handler(function: Any) -> bool:
    """Tell a handler from a class, a finished view, and what DRF does not call."""
    made = hasattr(function, "view_class") or hasattr(function, "cls")
    bound = isinstance(function, staticmethod | classmethod)
    waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
        function
    )
    kind = made or bound or waits or inspect.isclass(function)
    return callable(function) and not kind


def _declared(handler: Callable[..., Any]) -> list[Layer]:
    """List the layers that decorators have left on a handler."""
    names = [_LAYER.format(position.value) for position in Position]
    return [getattr(handler, name) for name in names if hasattr(handler, name)]


def _caller(args: Sequence[Any]) -> tuple[APIView, Request, Sequence[Any]]:
    """Find view, request and the other arguments of a decorated handler."""
    match args:
        case [APIView() as view, Request() as request, *rest]:
            return view, request, rest
        case [Request() as request, *rest] if request.parser_context:
            return request.parser_context["view"], request, rest
        case _:
            raise TypeError("only a handler of a DRF view can be protected")


def _run(
    view: APIView,
    layers: Iterable[Layer],
    handler: Callable[..., HttpResponseBase],
    request: Request,
    *args: Any,
    **kwargs: Any,
) -> HttpResponseBase:
    """Call the handler inside the layers that are not running already.

    Where two layers claim one position, the one named last, which is the one
    nearest to the handler, wins.
    """
    running: set[Position] = vars(view).setdefault(_RUNNING, set())
    chosen = {
        layer.position: layer for layer in layers if layer.position not in running
    }
    call = Call(view, request, args, kwargs)
    proceed: Proceed = functools.partial(handler, request, *args, **kwargs)
    for position in sorted(chosen, reverse=True):
        proceed = functools.partial(chosen[position], call, proceed)
    running.update(chosen)
    try:
        return proceed()
    finally:
        running.difference_update(chosen)
