"""DRF's operators for a permission that refuses by an exception.

An exception says more than False, as which scope is missing. But DRF's `|` would
pass it on before it has asked the other operand, and its `~` would not turn it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from rest_framework.permissions import (
    AND,
    NOT,
    OR,
    BasePermissionMetaclass,
    OperandHolder,
    SingleOperandHolder,
)

from drf_apikit.exceptions import InsufficientScope

__all__ = ["Combinable", "asked_in", "needed_in"]


class _Operators:
    """What is combined can be combined again."""

    def __and__(self, other: Any) -> Any:
        return _pair(AND, self, other)

    def __rand__(self, other: Any) -> Any:
        return _pair(AND, other, self)

    def __or__(self, other: Any) -> Any:
        return _pair(_Or, self, other)

    def __ror__(self, other: Any) -> Any:
        return _pair(_Or, other, self)

    def __invert__(self) -> Any:
        return _single(_Not, self)


class Combinable(_Operators, BasePermissionMetaclass):
    """The metaclass of a permission that raises `InsufficientScope`."""


def asked_in(permission: Any, kind: type) -> bool:
    """Tell whether a permission of a kind has a part in it; a class or an instance."""
    operands = list(_operands(permission))
    return any(asked_in(one, kind) for one in operands) or _is(permission, kind)


def needed_in(permission: Any, kind: type) -> bool:
    """Tell whether nobody gets in whom a permission of that kind refuses."""
    operator = getattr(permission, "operator_class", type(permission))
    if operator is AND:
        return any(needed_in(one, kind) for one in _operands(permission))
    return _is(permission, kind)


class _Pair(_Operators, OperandHolder):
    """Two operands."""


class _Single(_Operators, SingleOperandHolder):
    """One operand."""


class _Or(OR):
    """One is enough; if there is none, the exception tells what was missing."""

    op1: Any
    op2: Any

    def has_permission(self, request: Any, view: Any) -> bool:
        return _any(
            lambda one: bool(one.has_permission(request, view)), self.op1, self.op2
        )

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return _any(
            lambda one: bool(
                one.has_permission(request, view)
                and one.has_object_permission(request, view, obj)
            ),
            self.op1,
            self.op2,
        )


class _Not(NOT):
    """A refusal by an exception is one."""

    op1: Any

    def has_permission(self, request: Any, view: Any) -> bool:
        return not _is_granted(lambda: self.op1.has_permission(request, view))

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return not _is_granted(
            lambda: self.op1.has_object_permission(request, view, obj)
        )


def _pair(operator: Any, *operands: Any) -> _Pair:
    return _Pair(operator, *operands)


def _single(operator: Any, operand: Any) -> _Single:
    return _Single(operator, operand)


def _any(ask: Callable[[Any], bool], *operands: Any) -> bool:
    refusals = []
    for operand in operands:
        try:
            if ask(operand):
                return True
        except InsufficientScope as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
    return False


def _is_granted(ask: Callable[[], Any]) -> bool:
    try:
        return bool(ask())
    except InsufficientScope:
        return False


def _operands(permission: Any) -> Iterator[Any]:
    """Give the operands of DRF's holders, and of what they make."""
    for name in ("op1_class", "op2_class", "op1", "op2"):
        if hasattr(permission, name):
            yield getattr(permission, name)


def _is(permission: Any, kind: type) -> bool:
    cls = permission if isinstance(permission, type) else type(permission)
    return issubclass(cls, kind)
