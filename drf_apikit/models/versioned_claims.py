"""Which rows are claimed: their version has been moved already for this write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.db.models import Model

__all__ = ["VERSION", "Claimed", "claim_on", "claimed", "claimed_keys"]

VERSION: Final = "version"

#: A row: a model or one of its rows' classes, an alias, a primary key.
Claimed: TypeAlias = Model | tuple[type[Model], str, Any]
_Key: TypeAlias = tuple[str, type[Model], Any]

#: What is claimed in this thread or task, and the instance that it was claimed with.
_CLAIMS: Final[ContextVar[Mapping[_Key, Model | None]]] = ContextVar(
    "drf_apikit_claims", default=MappingProxyType({})
)


@contextmanager
def claimed(row: Claimed, *, using: str | None = None) -> Iterator[None]:
    """Keep the version of a row where it is, whoever saves it within.

    For code that moves the version itself, before anything else is written:

        with transaction.atomic():
            rows = Document.objects.filter(pk=document.pk, version=seen)
            if not rows.update(version=seen + 1, updated_at=now):
                raise EditConflict
            document.version, document.updated_at = seen + 1, now
            with claimed(document):
                document.title = "new"
                document.save()  # writes the title; the version stays

    Every instance of the row counts, and so do `update()` and `bump()`, on the
    same database alias, in the same thread or task and what it awaits. An
    instance that is claimed must have the row's new `version` and `updated_at`
    already: other instances of the row take theirs from it when they are saved.

    Args:
        row: an instance, which must have its primary key; or a model, an alias
            and a primary key.
        using: the alias with an instance; without, the one that its `save()`
            would use.

    """
    token = _CLAIMS.set({**_CLAIMS.get(), _key(row, using): _instance(row)})
    try:
        yield
    finally:
        _CLAIMS.reset(token)


def claim_on(instance: Model, alias: str) -> tuple[bool, Model | None]:
    """Tell whether the row of an instance is claimed, and with which instance."""
    claims = _CLAIMS.get()
    if not claims or instance.pk is None:
        return False, None
    key = _row_key(instance, alias)
    return key in claims, claims.get(key)


def claimed_keys(model: type[Model], alias: str) -> list[Any]:
    """Give the primary keys of a model's claimed rows."""
    owner = _owner(model)
    return [pk for on, of, pk in _CLAIMS.get() if on == alias and of is owner]


def _instance(row: Claimed) -> Model | None:
    return row if isinstance(row, Model) else None


def _key(row: Claimed, using: str | None) -> _Key:
    if isinstance(row, Model):
        return _row_key(row, using or router.db_for_write(type(row), instance=row))
    model, alias, pk = row
    owner = _owner(model)
    return alias, owner, owner._meta.pk.to_python(pk)


def _row_key(instance: Model, alias: str) -> _Key:
    owner = _owner(type(instance))
    pk = owner._meta.pk
    return alias, owner, pk.to_python(getattr(instance, pk.attname))


def _owner(model: type[Model]) -> type[Model]:
    """Give the model whose table has the version: a row has one in all its classes."""
    try:
        owner: type[Model] = model._meta.get_field(VERSION).model
    except FieldDoesNotExist:
        owner = model
    return owner._meta.concrete_model or owner
