"""The mixin for reads, and its layer."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from django.db.models import Model, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request, clone_request

from drf_apikit.conditional.conditions import NO_CONDITIONS, conditions_of
from drf_apikit.conditional.holding import BYTES, HoldingMixin
from drf_apikit.conditional.locking import alias_of
from drf_apikit.conditional.modification import UNSETTLED, last_modified
from drf_apikit.conditional.reads import body_digest, read
from drf_apikit.conditional.refusals import count_refusal
from drf_apikit.conditional.routes import is_detail
from drf_apikit.conditional.rows import whole
from drf_apikit.conditional.tags import FORMAT, digest, join
from drf_apikit.conditional.validators import (
    Generation,
    RowDigest,
    RowValidator,
    UpdatedAt,
    Validator,
    VersionField,
)
from drf_apikit.conditional.variants import is_pure, names_of_variant, variant_parts
from drf_apikit.counters import count
from drf_apikit.exceptions import Problem
from drf_apikit.handlers import Call, Layer, Position, Proceed
from drf_apikit.http.dates import format_http_date
from drf_apikit.http.etags import EntityTag
from drf_apikit.http.preconditions import Selected
from drf_apikit.models import VersionedModel

__all__ = ["READS", "ConditionalGetLayer", "ConditionalGetMixin"]

READS: Final = frozenset({"GET", "HEAD"})


class ConditionalGetMixin(HoldingMixin):
    """Conditional GET and HEAD for a generic view or view set.

    Every answer gets an `ETag`, and is a 304 where the client has it already.
    What is compared is declared: a validator for one object and one for lists.
    Where none is declared, for `@action` methods and HTML pages it is the bytes.

    Raises:
        PreconditionFailed: 412, If-Match or If-Unmodified-Since does not hold.

    """

    #: Of one object: `VersionField`, `UpdatedAt`, `RowDigest`, `Generation` or
    #: `BodyHash`.
    validator: ClassVar[Validator | None] = None
    #: Of a list: `PageDigest`, `Aggregate`, `Generation` or `BodyHash`.
    list_validator: ClassVar[Validator | None] = None
    #: The column behind `Last-Modified`, to name where the row alone shapes the bytes:
    #: a date knows of nothing else. None: that of an `UpdatedAt`, or of a versioned
    #: model, if nothing is depended on and `per_user` is off. "": none.
    last_modified_field: ClassVar[str | None] = None
    #: Whether two callers may get different bytes.
    per_user: ClassVar[bool] = True
    #: Request headers that shape the answer, besides those that DRF looks at.
    variant_headers: ClassVar[Sequence[str]] = ()
    #: `Cache-Control` of authenticated answers that have none. None: none.
    cache_control: ClassVar[str | None] = "private, no-cache"

    #: The generation at the beginning of the request, where one is declared.
    generation: str | None = None

    def get_validator(self) -> Validator:
        """Give the validator of one object."""
        return self.validator or BYTES

    def get_list_validator(self) -> Validator:
        """Give the validator of a list."""
        return self.list_validator or BYTES

    def get_variant(self) -> Iterable[object]:
        """Name what else shapes the bytes, such as a feature flag or a tenant."""
        return ()

    def get_handler_layers(self) -> list[Layer]:
        """Add the precondition layer."""
        return [*super().get_handler_layers(), ConditionalGetLayer()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Note the generation before anything else is read."""
        if request.method in READS:
            self.reading = self._choose()
            if isinstance(self.reading, Generation):
                self.generation = self.reading.current()
        super().initial(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        """Read from the database that is written to where that decides."""
        queryset = super().filter_queryset(queryset)
        if not isinstance(queryset, QuerySet):
            # Some views list what is in no database.
            return queryset
        listing = self.reading.records_rows
        judge = self.reading if listing else self.row_validator_of(queryset.model)
        queryset = whole(queryset, judge.columns(queryset.model))
        return queryset.using(alias_of(queryset)) if self.needs_primary else queryset

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Say what the answer varies by, and who may keep it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if request.method in READS and response.status_code in {200, 304}:
            patch_vary_headers(response, names_of_variant(self))
            known = request.auth or getattr(request.user, "is_authenticated", False)
            if known and self.cache_control is not None:
                response.headers.setdefault("Cache-Control", self.cache_control)
        return response

    @property
    def is_detail(self) -> bool:
        """Whether the route is that of one object."""
        return is_detail(self)

    @property
    def is_asked(self) -> bool:
        """Whether the client has sent any condition that this method looks at."""
        sent = conditions_of(self.request)
        if self.request.method not in READS:
            sent = replace(sent, if_modified_since=None)
        return sent != NO_CONDITIONS

    def read_again(self) -> EntityTag | None:
        """Give the tag as it is by now, whatever was read before."""
        self.held_object = self.listed = None
        if isinstance(self.reading, Generation):
            self.generation = self.reading.current()
        return self.reading.before(self)

    def row_validator_of(self, model: type[Model]) -> RowValidator:
        """Give what makes the state of an object."""
        validator: Any = self.get_validator()
        if isinstance(validator, RowValidator):
            return validator
        versioned = issubclass(model, VersionedModel)
        given: RowValidator | None = validator.of
        return given or (VersionField() if versioned else RowDigest())

    def make_tag(self, state: str, *others: object) -> EntityTag:
        """Make a tag of a state, and of what else shapes the bytes."""
        return join(state, digest([*variant_parts(self), *others]))

    def row_tag(self, row: Model) -> EntityTag:
        """Make the tag of an object: without the variant where the bytes tell it."""
        validator = self.row_validator_of(type(row))
        if not isinstance(self.get_validator(), RowValidator):
            return join(validator.state(row))
        return self.make_tag(validator.state(row), self.dependencies.state(row))

    def body_tag(self, response: HttpResponse) -> EntityTag:
        """Make the tag of some bytes; of one object's with its state."""
        row, state = self.held_object, self.held_state
        if not state and isinstance(row, Model) and self.shows("retrieve"):
            state = self.row_validator_of(type(row)).state(row)
        body = body_digest(response)
        return join(state, body) if state else join(f"{FORMAT}-{body}")

    def selected(self, tag: EntityTag) -> Selected:
        """Give what the conditions are judged by."""
        row = self.held_object
        dated = isinstance(row, Model) and self.shows("retrieve")
        return Selected(tag, self.last_modified(row) if row and dated else None)

    def set_validators(
        self, response: HttpResponseBase, selected: Selected
    ) -> HttpResponseBase:
        """Set `ETag` and `Last-Modified`, unless the view has done so itself."""
        response.headers.setdefault("ETag", str(selected.tag))
        if selected.modified not in {None, UNSETTLED}:
            text = format_http_date(selected.modified)
            response.headers.setdefault("Last-Modified", text)
        return response

    def shows(self, action: str) -> bool:
        """Tell an own action of the object's or the list's route from others."""
        own: bool = getattr(self, "action", action) == action
        return own and self.is_detail is (action not in {"list", "create"})

    def shown_serializer_class(self) -> Any:
        """Give the class that GET answers with, if there is any."""
        own = type(self).get_serializer_class is not GenericAPIView.get_serializer_class
        if not own:
            return self.serializer_class
        try:
            with self._as_retrieve():
                return self.get_serializer_class()
        except LookupError:
            # It knows of no such action.
            return self.get_serializer_class()

    def last_modified(self, row: Model) -> datetime | None:
        """Give the date that reads tell, unless more than the row shapes the bytes."""
        declared = self.last_modified_field is not None
        if not declared and (self.depends_on or self.per_user):
            return None
        return self.last_written(row)

    def last_written(self, row: Model) -> datetime | None:
        """Give the date that writes are judged by; see `modification`."""
        return last_modified(row, self._date_column(row))

    @property
    def is_writable(self) -> bool:
        """Whether writes go to this URL as well, which compare the state."""
        return False

    @property
    def needs_primary(self) -> bool:
        """Whether to read from the database that is written to."""
        return self.reading.needs_primary

    def _choose(self) -> Validator:
        if self.shows("retrieve"):
            return self.get_validator()
        return self.get_list_validator() if self.shows("list") else BYTES

    def _date_column(self, row: Model) -> str | None:
        if self.last_modified_field is not None:
            return self.last_modified_field
        validator = self.get_validator()
        if isinstance(validator, UpdatedAt):
            return validator.name
        timed = isinstance(validator, VersionField) and isinstance(row, VersionedModel)
        return "updated_at" if timed else None

    @contextmanager
    def _as_retrieve(self) -> Iterator[None]:
        """Ask as GET would: a view may answer by its action, or by the method."""
        request, action = self.request, getattr(self, "action", None)
        if request.method not in READS:
            self.request = clone_request(request, "GET")
            if action is not None:
                self.action = "retrieve"
        try:
            yield
        finally:
            self.request = request
            if action is not None:
                self.action = action


class ConditionalGetLayer(Layer):
    """Decide about reads before, or by, what the handler answers."""

    position = Position.PRECONDITION

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Leave everything but GET and HEAD alone."""
        view = call.view
        if not isinstance(view, ConditionalGetMixin):
            raise TypeError(f"{type(view).__name__} is no ConditionalGetMixin")
        if call.request.method not in READS:
            return proceed()
        if not is_pure(call.request):
            view.reading = BYTES
        try:
            response = read(view, call, proceed)
        except Problem as refusal:
            count_refusal(refusal)
            raise
        if response.status_code == 304:
            kind = "object" if view.is_detail else "list"
            count("conditional.not_modified", kind=kind)
        return response
