"""The new tag on the answer to a write."""

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Model
from django.http import HttpResponse, HttpResponseBase

from drf_apikit.conditional.dependencies import joined_columns
from drf_apikit.conditional.locking import rows_of
from drf_apikit.conditional.reads import body_digest
from drf_apikit.conditional.tags import join, with_body
from drf_apikit.conditional.validators import BodyHash, Generation, RowValidator
from drf_apikit.conf import apikit_settings
from drf_apikit.handlers import Call
from drf_apikit.http.etags import EntityTag
from drf_apikit.http.preconditions import Selected

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["set_new_validators"]

#: What is answered with a representation, by method, status and action.
_SHOWN: Final = {
    ("PATCH", 200): "partial_update",
    ("PUT", 200): "update",
    ("PUT", 201): "update",
    ("POST", 201): "create",
}


def set_new_validators(
    view: "ConditionalMixin", call: Call, response: HttpResponseBase, alias: str
) -> HttpResponseBase:
    """Set the tag that the next GET will show, where the answer may have one.

    Not after PUT: RFC 9110 section 9.3.4 forbids validators for content that the
    server may have changed. Must run in the transaction of the write.
    """
    method = str(call.request.method)
    action = _SHOWN.get((method, response.status_code), "")
    allowed = method != "PUT" or apikit_settings.conditional.put_validators == "always"
    if not allowed or not action or not view.shows(action):
        return response
    row = view.held_object
    if row is not None and _is_computed(view, row):
        # The database may keep other values than the instance was given.
        row = rows_of(type(row), alias).filter(pk=row.pk).first()
    if row is None or not isinstance(response, HttpResponse):
        return response
    if _is_shown(view, response):
        response = call.finish(response)
    tag = _tag(view, row, response)
    return view.set_validators(response, Selected(tag, view.last_modified(row)))


def _tag(view: "ConditionalMixin", row: Model, response: Any) -> EntityTag:
    if _asks_again(view, row):
        # The bytes may be of other related rows than those of this moment.
        return join(view.row_validator_of(type(row)).state(row))
    tag = view.row_tag(row)
    # A generation is known after the commit alone; till then the bytes tell.
    bytes_tell = isinstance(view.get_validator(), BodyHash | Generation)
    recorded = apikit_settings.conditional.verify_sample_rate > 0
    recorded = recorded and isinstance(view.get_validator(), RowValidator)
    if _is_shown(view, response) and (bytes_tell or recorded):
        body = body_digest(response)
        return with_body(tag.opaque, body) if recorded else join(tag.opaque, body)
    return tag


def _is_shown(view: "ConditionalMixin", response: Any) -> bool:
    """Tell whether the answer is what GET answers, and not made by other fields."""
    serializer = getattr(getattr(response, "data", None), "serializer", None)
    return type(serializer) is view.shown_serializer_class()


def _is_computed(view: "ConditionalMixin", row: Model) -> bool:
    """Tell whether the columns of the state are the database's to say."""
    validator = view.row_validator_of(type(row))
    values = (vars(row).get(name) for name in validator.columns(type(row)))
    return not validator.swaps or any(
        hasattr(value, "resolve_expression") for value in values
    )


def _asks_again(view: "ConditionalMixin", row: Model) -> bool:
    """Tell whether related rows are read anew for the tag: all but foreign keys."""
    return not all(joined_columns(type(row), path) for path in view.depends_on)
