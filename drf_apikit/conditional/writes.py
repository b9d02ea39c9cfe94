"""PUT, PATCH, DELETE and actions: judge, take the row, write, in one transaction."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from django.db import OperationalError, connections, router, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponseBase

from drf_apikit.conditional.creation import create
from drf_apikit.conditional.locking import alias_of, begin_write, lock, rows_of
from drf_apikit.conditional.new_tags import set_new_validators
from drf_apikit.conditional.refusals import (
    WRITES,
    is_required,
    lost,
    refuse_unjudged,
    require,
    verdict,
)
from drf_apikit.conditional.routes import model_of
from drf_apikit.conditional.validators import RowValidator, VersionField
from drf_apikit.contention import is_contention
from drf_apikit.handlers import Call, Proceed
from drf_apikit.models import claimed

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["write"]

#: How often a write is judged: again where another transaction was in the way.
_ATTEMPTS: Final = 2


def write(view: "ConditionalMixin", call: Call, proceed: Proceed) -> HttpResponseBase:
    """Protect a write of one object; give the answer to a new one its tag."""
    if view.is_detail:
        written = call.request.method in WRITES
        if written or view.is_asked or is_required(view, call):
            return _change(view, call, proceed)
        return proceed()
    refuse_unjudged(view)
    if call.request.method == "POST" and view.shows("create"):
        return _create_member(view, call, proceed)
    return proceed()


def _change(view: "ConditionalMixin", call: Call, proceed: Proceed) -> HttpResponseBase:
    """Judge and write; anew, once, where another writer was faster.

    Within a transaction that was open before, such as that of ATOMIC_REQUESTS,
    what a database refuses cannot be tried again.
    """
    opened = connections.all(initialized_only=True)
    last_chance = any(connection.in_atomic_block for connection in opened)
    for number in range(_ATTEMPTS):
        view.held_object, view.is_second_attempt = None, number > 0
        try:
            response = _attempt(view, call, proceed)
        except OperationalError as error:
            if not is_contention(error):
                raise
            if last_chance:
                break
            continue
        if response is not None:
            return response
    raise lost(view)


def _attempt(
    view: "ConditionalMixin", call: Call, proceed: Proceed
) -> HttpResponseBase | None:
    """Judge what is there; None where it was another one's when it was to be taken."""
    try:
        row = view.held_object = view.get_object()
    except Http404:
        if call.request.method != "PUT" or not view.put_creates:
            raise
        return create(view, call)
    view.is_given = False
    verdict(view, call, row)
    require(view, call, row)
    alias = router.db_for_write(type(row), instance=row)
    # With ATOMIC_REQUESTS a refusal rolls the whole request back anyway.
    savepoint = not connections[alias].settings_dict["ATOMIC_REQUESTS"]
    with transaction.atomic(using=alias, savepoint=savepoint):
        row = _take(view, call, row, alias)
        if row is None:
            return None
        with _claimed(view, row, alias):
            response = call.finish(_proceed(view, call, row, proceed, alias))
        spoilt = transaction.get_rollback(using=alias)
    if spoilt and connections[alias].in_atomic_block:
        # The view has given its work up: whatever this is part of must not keep
        # an answer that says otherwise.
        transaction.set_rollback(True, using=alias)
    return response


def _proceed(
    view: "ConditionalMixin", call: Call, row: Model, proceed: Proceed, alias: str
) -> HttpResponseBase:
    """Run the handler; see that the version is what it was moved to, and tag it."""
    validator = view.row_validator_of(type(row))
    if not isinstance(validator, VersionField):
        return set_new_validators(view, call, proceed(), alias)
    moved = getattr(row, validator.name)
    response = proceed()
    if _is_open(row, validator.name, moved, response):
        # The handler has let somebody write it: what is shown is not what is there.
        _own(row, validator.name, alias).update(**{validator.name: moved})
        setattr(row, validator.name, moved)
        return response
    return set_new_validators(view, call, response, alias)


def _is_open(row: Model, name: str, moved: Any, response: Any) -> bool:
    """Tell whether the handler may have stored another version than it was given."""
    serializer = getattr(getattr(response, "data", None), "serializer", None)
    field = getattr(serializer, "fields", {}).get(name)
    return getattr(row, name) != moved or (field is not None and not field.read_only)


def _take(view: "ConditionalMixin", call: Call, row: Model, alias: str) -> Model | None:
    """Make sure that nobody else writes the row; None where somebody just has."""
    validator = view.row_validator_of(type(row))
    asked = view.write_strategy == "select_for_update" or view.is_second_attempt
    locks = asked or not validator.swaps
    taken = _lock(view, call, row, alias) if locks else row
    if taken is None or not _swap(validator, taken, alias, locked=locks):
        return None
    return taken


def _lock(view: "ConditionalMixin", call: Call, row: Model, alias: str) -> Model | None:
    """Wait for the row; judge again what it is by then. None: it is gone."""
    validator = view.row_validator_of(type(row))
    judged = validator.state(row)
    if not lock(row, alias):
        return None
    if validator.state(row) != judged:
        # Who may see it, and as what, has to be asked again: of what is committed.
        view.held_object, view.is_second_attempt = None, True
        row = view.held_object = view.get_object()
        view.is_given = False
        lock(row, alias)
        verdict(view, call, row)
    return row


def _swap(validator: RowValidator, row: Model, alias: str, *, locked: bool) -> bool:
    """Move the state by one step if it is still the one that was judged.

    One UPDATE, which makes the transaction a writer at once: one that reads
    first cannot become a writer on SQLite once another has written, and sees an
    old snapshot under REPEATABLE READ. The database locks the row until the
    commit. The instance gets the new values, so that `save()` writes them again
    rather than moving them twice.
    """
    moved = validator.moved(row)
    if not moved:
        return True
    name = next(iter(moved))
    # What is locked has been compared in memory.
    judged = {} if locked else {name: getattr(row, name)}
    if not _own(row, name, alias).filter(**judged).update(**moved):
        return False
    for name, value in moved.items():
        setattr(row, name, value)
    return True


def _own(row: Model, name: str, alias: str) -> QuerySet[Any]:
    """Give the row in the table that has the column, which may be a parent's.

    Django would look for the rows of a child in one statement and update them in
    another.
    """
    owner: Any = type(row)._meta.get_field(name).model
    return rows_of(owner, alias).filter(pk=getattr(row, owner._meta.pk.attname))


def _claimed(
    view: "ConditionalMixin", row: Model, alias: str
) -> AbstractContextManager[None]:
    """Keep a versioned row from moving again when the handler saves it."""
    validator = view.row_validator_of(type(row))
    if isinstance(validator, VersionField) and validator.is_kept_by(type(row)):
        return claimed((type(row), alias, row.pk))
    return nullcontext()


def _create_member(
    view: "ConditionalMixin", call: Call, proceed: Proceed
) -> HttpResponseBase:
    """Give the answer to a POST the tag of what it has made."""
    model = model_of(view)
    if model is None:
        return proceed()
    alias = alias_of(view.get_queryset())
    # A tag of columns that are read again must be of the very row that was made.
    read_again = not view.row_validator_of(model).swaps
    with transaction.atomic(using=alias) if read_again else nullcontext():
        if read_again:
            begin_write(model, alias)
        response = proceed()
        made = getattr(getattr(response, "data", None), "serializer", None)
        row = getattr(made, "instance", None)
        if not isinstance(row, model):
            return response
        view.held_object = row
        return set_new_validators(view, call, response, alias)
