"""What of a request is read once, so that tag and answer are of the same rows."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Model
from django.http import Http404
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.views import APIView

from drf_apikit.conditional.dependencies import Dependencies
from drf_apikit.conditional.validators import BodyHash, Validator
from drf_apikit.handlers import LayeredView

__all__ = ["BYTES", "HoldingMixin", "Listed"]

#: What a view must not have under the same name, such as an action: it would be
#: taken for the mixin's own.
OURS = frozenset(
    {"body_tag", "dependencies", "generation", "held_for", "held_object", "held_state"}
    | {"hold_object", "is_asked", "is_detail", "is_given", "is_second_attempt"}
    | {"is_writable", "last_modified", "last_written", "listed", "make_tag"}
    | {"needs_primary", "read_again", "reading", "row_tag", "row_validator_of"}
    | {"selected", "set_validators", "shown_serializer_class", "shows"}
)
#: What decides where nothing is declared.
BYTES = BodyHash()

if TYPE_CHECKING:
    _View = GenericAPIView[Any]
else:
    _View = object


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows that a list shows, and whether they are a page of more."""

    rows: Sequence[Any]
    is_page: bool


class HoldingMixin(LayeredView, _View):
    """Keep the object or the rows of a request, with the rows they depend on.

    Raises:
        TypeError: when a class is no generic view, or has a name of ours.

    """

    #: Paths, as for `prefetch_related()`, to the related rows that an answer shows.
    #: Each stands for the rows at its end, not for those on the way.
    depends_on: ClassVar[Sequence[str]] = ()

    #: The object that the conditions were judged by, once it has been read.
    held_object: Model | None = None
    #: The arguments of the URL that it was read for.
    held_for: Mapping[str, Any] | None = None
    #: Whether the handler has got it already.
    is_given: bool = False
    #: The state of that object when it was read; nothing where nobody needs it.
    held_state: str = ""
    #: What `paginate_queryset()` has given last.
    listed: Listed | None = None
    #: What makes the tag of the answer to this request.
    reading: Validator = BYTES

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        if APIView in order and GenericAPIView not in order:
            raise TypeError(
                f"{cls.__name__} needs a GenericAPIView, which finds objects"
            )
        taken = OURS & set(vars(cls))
        if taken and not cls.__module__.startswith("drf_apikit."):
            raise TypeError(
                f"{cls.__name__}: {', '.join(sorted(taken))} is the mixin's"
            )
        if "get_object" in vars(cls) and not _asks_for_nothing(cls.get_object):
            raise TypeError(f"{cls.__name__}.get_object() must do without arguments")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let all who ask for the object, of whatever class, get the same one."""
        vars(self)["get_object"] = functools.partial(self._once, self.get_object)
        super().initial(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> Any:
        """Note what is listed, and load with it what it depends on."""
        page = super().paginate_queryset(queryset)
        if self.reading.records_rows:
            rows = list(queryset if page is None else page)
            self.dependencies.load(rows)
            self.listed = Listed(rows, is_page=page is not None)
        return page

    @functools.cached_property
    def dependencies(self) -> Dependencies:
        """The related rows that shape the answer."""
        return Dependencies(self.depends_on)

    def hold_object(self) -> Model:
        """Read the object, which checks permissions, with what it depends on."""
        row: Model = self.get_object() if self.held_object is None else self.held_object
        self.is_given = False
        self.dependencies.load([row])
        return row

    def _once(self, get_object: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Give the handler the very object that was judged; read again after that."""
        if any("\0" in str(value) for value in self.kwargs.values()):
            # PostgreSQL stores no such text, and raises where it is asked for one.
            raise Http404
        known = self.held_object is not None and self.held_for == self.kwargs
        if not known or self.is_given:
            self.held_object = get_object(*args, **kwargs)
            self.held_for = dict(self.kwargs)
        self.is_given = True
        return self.held_object


def _asks_for_nothing(get_object: Callable[..., Any]) -> bool:
    """Tell whether the mixin can call it, before the handler does."""
    _self, *others = inspect.signature(get_object).parameters.values()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(
        each.default is not each.empty or each.kind in optional for each in others
    )
