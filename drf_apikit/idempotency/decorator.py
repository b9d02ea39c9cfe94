"""`@idempotent` and `IdempotencyMixin`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, TypeVar, overload

from rest_framework.request import Request

from drf_apikit.handlers import Layer, LayeredView, layered
from drf_apikit.idempotency.layer import IdempotencyLayer
from drf_apikit.idempotency.options import Options, of_actions

__all__ = ["IdempotencyMixin", "idempotent"]

F = TypeVar("F", bound=Callable[..., Any])


@overload
def idempotent(handler: F, /) -> F: ...


@overload
def idempotent(
    *,
    required: bool | None = None,
    using: str | None = None,
    ttl: int | None = None,
    key_scope: Callable[[Request], str | None] | None = None,
    fingerprint: Callable[[Request], Any] | None = None,
    max_body: int | None = None,
    rollback_on: Callable[[Any], bool] | None = None,
) -> Callable[[F], F]: ...


def idempotent(handler: Any = None, /, **options: Any) -> Any:
    """Protect a view method, an `@action` or a function under `@api_view`.

    The handler runs in one transaction with the record of its answer: an answer
    is stored if and only if the transaction that holds its effects commits. A
    retry with the same key gets the stored answer; anything raised, and any
    returned answer of 500 and above, is rolled back and leaves the key usable.

    - `required`: whether a request without a key is refused; by default the
      setting `REQUIRED`.
    - `using`: the alias of the database that has the effects, and so the record;
      by default where the router sends the record.
    - `ttl`: seconds for which the answer is kept; by default `TTL`.
    - `key_scope`: gets the request and names whose keys these are, where that is
      neither the user nor the client of the token: an account of several users,
      the session of a guest. None or an empty text is nobody.
    - `fingerprint`: gets the request and gives what of its payload counts; see
      `ignoring`.
    - `max_body`: octets of the longest answer that is kept; by default `MAX_BODY`.
    - `rollback_on`: gets the finished response and tells whether to roll back
      and keep nothing, instead of doing so from 500 on.

    Raises:
        IdempotencyKeyMissing: 400, no header where one is required.
        IdempotencyKeyMalformed: 400, the header is not a key.
        IdempotencyKeyAnonymous: 400, nobody is known to keep the answer for.
        IdempotencyInProgress: 409, the first request has not finished.
        IdempotencyResponseNotKept: 409, it has, but there is no answer to send.
        IdempotencyKeyReused: 422, the same key with another payload.
        IdempotencyUnavailable: 503, the database cannot be asked.
        TypeError, ValueError: on anything but a handler of a DRF view, or with
            an option that is none.

    """
    decorate = layered(IdempotencyLayer(Options(**options)))
    return decorate if handler is None else decorate(handler)


class IdempotencyMixin(LayeredView):
    """Protect the actions, or HTTP methods in lower case, that are named.

    `idempotent_actions` is a list of names, or a dict from names to the
    arguments that `idempotent` takes.

    Raises:
        TypeError, ValueError: when a class names them otherwise.

    """

    idempotent_actions: ClassVar[Collection[str] | Mapping[str, Mapping[str, Any]]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        of_actions(cls.idempotent_actions)

    def get_handler_layers(self) -> list[Layer]:
        """Add the layer where this request's action is named."""
        layers = super().get_handler_layers()
        action = getattr(self, "action", None) or str(self.request.method).lower()
        options = of_actions(self.idempotent_actions).get(action)
        return layers if options is None else [*layers, IdempotencyLayer(options)]
