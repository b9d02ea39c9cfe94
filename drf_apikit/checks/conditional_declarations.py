"""What a view declares for its conditional requests and what cannot work."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any, Final

from django.apps import apps
from django.core import checks
from rest_framework.viewsets import ViewSetMixin

from drf_apikit.checks.conditional_columns import (
    Fault,
    wrong_columns,
    wrong_date,
    wrong_paths,
)
from drf_apikit.checks.views import RoutedView
from drf_apikit.conditional import (
    Aggregate,
    BodyHash,
    ConditionalGetMixin,
    ConditionalMixin,
    Generation,
    PageDigest,
    RowValidator,
    Validator,
)
from drf_apikit.conditional.generations import tracked

__all__ = ["declared_validator", "is_of_one", "model_of", "wrong_declarations"]

#: By attribute: what overrides it, what does not belong there, and what it is for.
_VALIDATORS: Final[dict[str, tuple[str, tuple[type, ...], str]]] = {
    "validator": ("get_validator", (PageDigest, Aggregate), "lists"),
    "list_validator": ("get_list_validator", (RowValidator,), "one object"),
}
_STRATEGIES: Final = ("compare_and_swap", "select_for_update")
_METHODS: Final = ("PUT", "PATCH", "DELETE", "POST")
_ACTIONS: Final = ("update", "partial_update", "destroy")


def wrong_declarations(view: RoutedView) -> Iterator[checks.CheckMessage]:
    """Give `E009` for each of them."""
    looks = [_validators, wrong_paths, wrong_date]
    if issubclass(view.cls, ConditionalMixin):
        looks += [_strategy, _required, _creating]
    for fault in chain.from_iterable(look(view) for look in looks):
        yield checks.Error(
            f"{view}: {fault.name} {fault.problem}.",
            hint=fault.remedy,
            id="drf_apikit.E009",
        )


def declared_validator(view: RoutedView, name: str) -> Any:
    """Give what an attribute holds; None where only an instance would know."""
    getter = _VALIDATORS[name][0]
    own = getattr(view.cls, getter) is not getattr(ConditionalGetMixin, getter)
    return None if own or not view.knows(name) else view.get(name)


def is_of_one(view: RoutedView, action: str) -> bool:
    """Tell whether an action of a view set is one on one object."""
    handler = getattr(view.cls, action, None)
    return action not in {"list", "create"} and getattr(handler, "detail", True)


def model_of(label: Any) -> Any:
    """Give the model of a label; None if there is none."""
    try:
        return apps.get_model(label)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _validators(view: RoutedView) -> Iterator[Fault]:
    for name, (_, wrong, purpose) in _VALIDATORS.items():
        value = declared_validator(view, name)
        if value is None:
            continue
        if isinstance(value, type) and issubclass(value, Validator):
            remedy = f"Make one of it: {value.__name__}()."
            yield Fault(name, f"is {_kind(value)}", remedy)
        elif not isinstance(value, Validator):
            remedy = "Give it a validator of drf_apikit.conditional, or None."
            yield Fault(name, f"is {_kind(value)}, which is no validator", remedy)
        elif isinstance(value, wrong):
            (other,) = _VALIDATORS.keys() - {name}
            problem = f"is {_kind(value)}, which is for {purpose}"
            yield Fault(name, problem, f"Declare it as {other}.")
        else:
            yield from _parts(view, name, value)


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a {type(value).__name__}"


def _parts(view: RoutedView, name: str, value: Validator) -> Iterator[Fault]:
    """Look at what a validator names."""
    yield from wrong_columns(view, name, value)
    if isinstance(value, Generation):
        yield from _generation(name, value)
    of: Any = getattr(value, "of", None)
    if isinstance(of, RowValidator):
        yield from wrong_columns(view, name, of)
    elif isinstance(value, BodyHash | Generation) and of is not None:
        problem = f"({type(value).__name__}) has {_kind(of)} for `of`"
        yield Fault(name, problem, "Give it a validator of rows, as VersionField().")


def _generation(name: str, value: Generation) -> Iterator[Fault]:
    if not value.models:
        remedy = "Name all models that the answer is made of."
        yield Fault(name, "(Generation) names no model", remedy)
    for label in value.models:
        model = model_of(label)
        problem = f"(Generation) names {label!r}, which is no model"
        remedy = "Name models by their labels, such as 'auth.User'."
        if model is not None:
            problem = f"(Generation) names {label}, whose generation is not kept"
            remedy = f"Add {label!r} to DRF_APIKIT['CONDITIONAL']['GENERATIONS']."
        if model is None or model._meta.concrete_model not in tracked():
            yield Fault(name, problem, remedy)


def _strategy(view: RoutedView) -> Iterator[Fault]:
    name = "write_strategy"
    if view.knows(name) and view.get(name) not in _STRATEGIES:
        remedy = f"Make it one of {', '.join(map(repr, _STRATEGIES))}."
        yield Fault(name, f"is {view.get(name)!r}", remedy)


def _required(view: RoutedView) -> Iterator[Fault]:
    name = "require_preconditions"
    value = view.get(name)
    if not view.knows(name) or value is None or isinstance(value, bool):
        return
    if isinstance(value, str) or not isinstance(value, Collection):
        remedy = "Make it True, False, None, or a list of methods and actions."
        yield Fault(name, f"is {value!r}", remedy)
        return
    known = [*_METHODS, *_actions(view)]
    for item in value:
        if item not in known:
            problem = f"has {item!r}, which is no write of one object"
            yield Fault(name, problem, f"Choose out of {', '.join(known)}.")


def _actions(view: RoutedView) -> list[str]:
    """Name the actions of a view set that may write one object."""
    if not issubclass(view.cls, ViewSetMixin):
        return []
    cls: Any = view.cls
    own = [
        name for action in cls.get_extra_actions() for name in action.mapping.values()
    ]
    routed = (view.actions or {}).values()
    usual = [name for name in _ACTIONS if hasattr(cls, name)]
    names = dict.fromkeys([*usual, *own, *routed])
    return [name for name in names if is_of_one(view, name) and name != "retrieve"]


def _creating(view: RoutedView) -> Iterator[Fault]:
    """Two requests at once must not make two objects of one name."""
    lookup, rows = view.get("lookup_field"), view.rows
    if not view.get("put_creates") or rows is None or not view.knows("lookup_field"):
        return
    meta = rows.model._meta
    names = [f.name for f in meta.concrete_fields if f.unique]
    names += [c.fields[0] for c in meta.total_unique_constraints if len(c.fields) == 1]
    names += [fields[0] for fields in meta.unique_together if len(fields) == 1]
    if lookup not in {"pk", *names}:
        problem = f"is set, and lookup_field is {lookup!r}, which is not unique"
        remedy = f"Choose out of {', '.join(dict.fromkeys(names))}, or make it unique."
        yield Fault("put_creates", problem, remedy)
