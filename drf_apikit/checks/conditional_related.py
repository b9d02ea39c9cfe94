"""Related rows that an answer shows and its validator does not look at.

Serializers are made without a request. What a `SerializerMethodField`, a property of
a model or a `to_representation()` shows, nobody can tell.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.core import checks
from django.db.models.constants import LOOKUP_SEP
from rest_framework.relations import (
    HyperlinkedRelatedField,
    ManyRelatedField,
    RelatedField,
    SlugRelatedField,
)
from rest_framework.serializers import (
    BaseSerializer,
    ListSerializer,
    SerializerMethodField,
)

from drf_apikit.checks.conditional_columns import paths_of
from drf_apikit.checks.conditional_declarations import declared_validator, model_of
from drf_apikit.checks.views import RoutedView
from drf_apikit.conditional import Aggregate, BodyHash, Generation, Validator
from drf_apikit.conditional.dependencies import follow
from drf_apikit.conditional.generations.tables import label_of

__all__ = ["uncovered_rows"]

logger = logging.getLogger(__name__)

_ALL: Final = "__all__"
#: The attributes, and the actions whose answers they are for.
_ACTIONS: Final = {"validator": "retrieve", "list_validator": "list"}


class _Shown(NamedTuple):
    """A path to related rows, and their model; None where they may be of any."""

    path: str
    model: Any


def uncovered_rows(view: RoutedView) -> Iterator[checks.CheckMessage]:
    """Give `W007` for each validator that sees less than the answer shows."""
    rows, serializer = view.rows, view.get("serializer_class")
    if rows is None or not isinstance(serializer, type):
        return
    for name, action in _ACTIONS.items():
        validator = declared_validator(view, name)
        routed = view.actions is None or action in view.handlers
        cheap = isinstance(validator, Validator) and not isinstance(validator, BodyHash)
        if not (routed and cheap):
            continue
        shown = dict.fromkeys(_walk(_made(serializer), rows.model, "", frozenset()))
        if isinstance(validator, Generation):
            missing = _untracked(validator, [_Shown("", rows.model), *shown])
            remedy = f"Name them in {name} too, and in CONDITIONAL['GENERATIONS']"
        else:
            covered = paths_of(view, rows.model)
            missing = [path for path, _model in shown if path not in covered]
            remedy = (
                f"Add {_listed(missing)} to depends_on: each path is for its last rows"
            )
        if isinstance(validator, Aggregate):
            remedy += " (PageDigest() takes those that Aggregate cannot)"
        if missing:
            yield checks.Warning(
                f"{view} shows rows of {', '.join(dict.fromkeys(missing))}, which its"
                f" {name}, {type(validator).__name__}, does not look at: a 304 is stale"
                " when they change.",
                hint=f"{remedy}; or make {name} a BodyHash().",
                id="drf_apikit.W007",
            )


def _untracked(validator: Generation, shown: Sequence[_Shown]) -> list[str]:
    named = map(model_of, validator.models)
    known = {label_of(model) for model in named if model is not None}
    return [
        path if model is None else model._meta.label
        for path, model in shown
        if model is None or label_of(model) not in known
    ]


def _walk(
    serializer: Any, model: Any, prefix: str, above: frozenset[type]
) -> Iterator[_Shown]:
    """Give what a serializer of rows of a model shows of other rows."""
    own = type(serializer)
    if own in above:
        return
    for name, field in _fields(serializer).items():
        if field.write_only or isinstance(field, SerializerMethodField):
            continue
        inner = _inner(field)
        names = _names(inner, field.source or name)
        yield from _follow(inner, names, _Shown(prefix, model), above | {own})


def _follow(
    field: Any, names: list[str], start: _Shown, above: frozenset[type]
) -> Iterator[_Shown]:
    """Give the rows on the way to what a field shows, and those that it nests."""
    here = start
    for number, name in enumerate(names, 1):
        relation, model = _relation(here.model, name)
        if relation is None or _is_own(relation, field, names[number:]):
            return
        path = LOOKUP_SEP.join(filter(None, (here.path, name)))
        here = _Shown(path, model)
        yield here
        if model is None:
            return
    if isinstance(field, BaseSerializer):
        yield from _walk(field, here.model, here.path, above)


def _made(serializer: type) -> Any:
    """Make a serializer as far as that goes without a request, else give the class."""
    try:
        return _inner(serializer())
    except Exception:
        logger.debug("%s needs a request", serializer, exc_info=True)
        return serializer


def _fields(serializer: Any) -> Mapping[str, Any]:
    """Give the fields that a serializer makes, and those that it may leave out.

    Without a request it may leave out more than otherwise.
    """
    try:
        made = dict(serializer.fields)
    except Exception:
        logger.debug("%r needs a request", serializer, exc_info=True)
        made = {}
    meta = getattr(serializer, "Meta", None)
    listed = getattr(meta, "fields", None)
    left_out = getattr(meta, "exclude", None) or ()
    declared = {
        name: field
        for name, field in getattr(serializer, "_declared_fields", {}).items()
        if name not in left_out and (not listed or name in listed or listed == _ALL)
    }
    return {**declared, **made}


def _inner(field: Any) -> Any:
    """Give what is repeated in a field of many."""
    if isinstance(field, ListSerializer):
        return field.child
    return field.child_relation if isinstance(field, ManyRelatedField) else field


def _names(field: Any, source: str) -> list[str]:
    """Give the attributes that are read to show a field, one after the other."""
    names = [] if source == "*" else source.split(".")
    if isinstance(field, SlugRelatedField):
        return names + field.slug_field.split(LOOKUP_SEP)
    if isinstance(field, HyperlinkedRelatedField):
        return [*names, field.lookup_field]
    return names


def _relation(model: Any, name: str) -> tuple[Any, Any]:
    """Give a relation with the model that it leads to; None if it is none."""
    try:
        return next(follow(model, name))
    except LookupError:
        return None, None


def _is_own(relation: Any, field: Any, rest: Sequence[str]) -> bool:
    """Tell whether only the key of a related row is shown: a column of one's own."""
    if not relation.concrete or relation.many_to_many:
        return False
    target = relation.target_field
    keys = {target.name, target.attname} | ({"pk"} if target.primary_key else set())
    if rest:
        return len(rest) == 1 and rest[0] in keys
    return isinstance(field, RelatedField) and field.use_pk_only_optimization()


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(paths)))
