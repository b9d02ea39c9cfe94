"""The view mixin and its layer."""

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpResponse, HttpResponseBase, HttpResponseNotModified
from rest_framework.request import Request

from drf_apikit.conditional.validators import body_tag, row_tag
from drf_apikit.conditional.writes import claim, write_alias
from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import EditConflict, PreconditionFailed, PreconditionRequired
from drf_apikit.handlers import Call, Layer, LayeredView, Position, Proceed
from drf_apikit.http.etags import EntityTag
from drf_apikit.http.preconditions import Decision, Preconditions, evaluate

__all__ = ["ConditionalMixin"]

_READS: Final = frozenset({"GET", "HEAD"})
_WRITES: Final = frozenset({"PUT", "PATCH", "DELETE"})
_FIELDS: Final = ("If-Match", "If-None-Match")
#: What describes the content that a 304 does not have (RFC 9110 section 15.4.5).
_OF_CONTENT: Final = (
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Last-Modified",
)
#: How often a write without If-Match starts anew when another one was faster.
_ATTEMPTS: Final = 5

if TYPE_CHECKING:
    from rest_framework.generics import GenericAPIView

    _View = GenericAPIView[Any]
else:
    _View = object


class ConditionalMixin(LayeredView, _View):
    """Conditional reads and writes for a generic view or view set.

    Reads of one object answer with an ETag made from `version_field`, and with
    304 when the client has that already; a list's tag is a digest of its
    bytes. PUT, PATCH and DELETE check If-Match and move the version by one in
    the very transaction of the write, so that of two writers with one tag one
    gets 412. So does POST on a detail route that comes with a precondition.
    Object permissions come first, always.

    Raises:
        PreconditionFailed: 412, the object is not what the client has seen.
        PreconditionRequired: 428, a write without If-Match where one is needed.
        EditConflict: 409, a write without If-Match lost to others repeatedly.

    """

    #: An integer column that every write of the row moves.
    version_field: ClassVar[str] = "version"
    #: None asks the setting `CONDITIONAL["REQUIRE_PRECONDITIONS"]`.
    require_preconditions: ClassVar[bool | None] = None

    #: The object that the precondition was judged by, once it has been read.
    held_object: Model | None = None

    def get_handler_layers(self) -> list[Layer]:
        """Add the precondition layer."""
        return [*super().get_handler_layers(), PreconditionLayer()]

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Read what decides a write from the database that is written to."""
        queryset = super().filter_queryset(queryset)
        if self.request.method in _READS:
            return queryset
        return queryset.using(write_alias(queryset.model))

    def get_object(self) -> Any:
        """Give the handler the very object that the precondition judged."""
        if self.held_object is None:
            return super().get_object()
        return self.held_object


class PreconditionLayer(Layer):
    """Object permission, then precondition, then the handler."""

    position = Position.PRECONDITION

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Decide by method and route."""
        view, method = call.view, call.request.method
        if not isinstance(view, ConditionalMixin):
            raise TypeError(f"{type(view).__name__} is no ConditionalMixin")
        detail = (view.lookup_url_kwarg or view.lookup_field) in call.kwargs
        if method in _READS:
            own = detail and _is_own(view, "retrieve")
            return (_read_row if own else _read_body)(view, call, proceed)
        headers = call.request.headers
        asked = method == "POST" and any(name in headers for name in _FIELDS)
        if detail and (method in _WRITES or asked):
            return _write(view, call, proceed)
        return proceed()


def _read_row(view: ConditionalMixin, call: Call, proceed: Proceed) -> HttpResponseBase:
    """Decide by the version, before anything is serialised."""
    tag = _hold(view, call.request)
    if _judge(call, tag) is Decision.NOT_MODIFIED:
        return _tag(HttpResponseNotModified(), tag)
    response = proceed()
    return _tag(response, tag) if response.status_code == 200 else response


def _read_body(_: ConditionalMixin, call: Call, proceed: Proceed) -> HttpResponseBase:
    """Decide by the bytes, where nothing cheaper is known."""
    response = call.finish(proceed())
    if not isinstance(response, HttpResponse) or response.status_code != 200:
        return response
    if "ETag" in response:
        return response
    tag = body_tag(response.content)
    if _judge(call, tag) is Decision.NOT_MODIFIED:
        _empty(response)
    return _tag(response, tag)


def _write(view: ConditionalMixin, call: Call, proceed: Proceed) -> HttpResponseBase:
    """Judge, then claim and write in one transaction; anew if another won."""
    for _ in range(_ATTEMPTS):
        tag = _hold(view, call.request)
        _require(view, call.request)
        _judge(call, tag)
        response = _claim_and_write(view, call, proceed)
        if response is not None:
            return response
        view.held_object = None
    raise EditConflict(headers={"Retry-After": "1"})


def _claim_and_write(
    view: ConditionalMixin, call: Call, proceed: Proceed
) -> HttpResponseBase | None:
    """Write in one transaction with the claim; None where another was faster."""
    row = cast("Model", view.held_object)
    alias = write_alias(type(row))
    # With ATOMIC_REQUESTS a refusal rolls the whole request back anyway.
    savepoint = not transaction.get_connection(alias).settings_dict["ATOMIC_REQUESTS"]
    with transaction.atomic(using=alias, savepoint=savepoint):
        if not claim(row, view.version_field, alias):
            return None
        response = proceed()
        # No validator after PUT: RFC 9110 section 9.3.4.
        own = call.request.method == "PATCH" and _is_own(view, "partial_update")
        if own and response.status_code == 200:
            _tag(response, _row_tag(view, call.request))
        response = call.finish(response)
        spoilt = transaction.get_rollback(using=alias)
    if spoilt and transaction.get_connection(alias).in_atomic_block:
        # The view has given its work up: whatever this is part of must not keep
        # an answer that says otherwise.
        transaction.set_rollback(True, using=alias)
    return response


def _is_own(view: ConditionalMixin, action: str) -> bool:
    """Tell the object's own route from an action's, which answers otherwise."""
    return getattr(view, "action", action) == action


def _hold(view: ConditionalMixin, request: Request) -> EntityTag:
    """Read the object, which checks permissions, and make its tag."""
    view.held_object = view.get_object()
    return _row_tag(view, request)


def _row_tag(view: ConditionalMixin, request: Request) -> EntityTag:
    return row_tag(getattr(view.held_object, view.version_field), request)


def _require(view: ConditionalMixin, request: Request) -> None:
    """RFC 6585 section 3."""
    required = view.require_preconditions
    if required is None:
        required = apikit_settings.conditional.require_preconditions
    if required and "If-Match" not in request.headers:
        raise PreconditionRequired


def _judge(call: Call, tag: EntityTag) -> Decision:
    """Decide; a failed precondition is raised as 412."""
    headers = call.request.headers
    fields = Preconditions(*(headers.get(name) for name in _FIELDS))
    decision = evaluate(str(call.request.method), fields, tag)
    if decision is Decision.FAILED:
        raise PreconditionFailed(headers={"ETag": str(tag)})
    return decision


def _empty(response: HttpResponse) -> None:
    """Make a finished response a 304; what is not about its content stays."""
    response.status_code = 304
    response.content = b""
    for name in _OF_CONTENT:
        response.headers.pop(name, None)


def _tag(response: HttpResponseBase, tag: EntityTag) -> HttpResponseBase:
    """Set the tag, unless the view has set one itself."""
    response.headers.setdefault("ETag", str(tag))
    return response
