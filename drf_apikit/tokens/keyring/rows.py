"""The statements on the table of signing keys.

All of them go to the database that is written to: a replica may be late.
"""

from collections.abc import Iterable
from typing import Final

from django.db import Error, ProgrammingError, connections, router, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from django.views.decorators.debug import sensitive_variables

from drf_apikit.tokens.keyring.timeline import Key
from drf_apikit.tokens.models import SigningKeyRecord

__all__ = [
    "alias",
    "drop_private_keys",
    "end",
    "insert",
    "is_not_migrated",
    "lengthen",
    "promote",
    "read",
    "replace_private_key",
]

_NOT_THERE: Final = ("no such table", "no such column", "no column", "unknown column")


def alias() -> str:
    """Name the database that has the keys."""
    return router.db_for_write(SigningKeyRecord)


@sensitive_variables()
def read(*, locking: bool = False) -> tuple[Key, ...]:
    """Read the keys, the newest last.

    `locking` sees what was committed since the snapshot of the transaction, if there
    is one.
    """
    rows = _rows().order_by("sequence")
    if locking and connections[rows.db].in_atomic_block:
        rows = rows.select_for_update()
    return tuple(map(_key, rows))


def insert(record: SigningKeyRecord, gone: Iterable[Key] = ()) -> None:
    """Add a key, and delete those that have been dead for long.

    Raises:
        IntegrityError: another process was first with that number.

    """
    with transaction.atomic(using=alias()):
        record.save(using=alias(), force_insert=True)
        _rows().filter(sequence__in=[key.sequence for key in gone]).delete()


def promote(key: Key, active_from: int) -> bool:
    """Let a key sign from another moment on, unless it was changed."""
    unchanged = _rows().filter(
        sequence=key.sequence, active_from=int(key.active_from), ended_at=None
    )
    return bool(unchanged.update(active_from=active_from))


def end(key: Key, ended_at: int) -> bool:
    """End a key, once, and forget its private part."""
    alive = _rows().filter(sequence=key.sequence, ended_at=None)
    return bool(alive.update(ended_at=ended_at, private_key=""))


def lengthen(key: Key, token_lifetime: int) -> None:
    """Note that a key signs tokens that are good for longer than before."""
    shorter = _rows().filter(
        sequence=key.sequence, token_lifetime__lt=token_lifetime, ended_at=None
    )
    shorter.update(token_lifetime=token_lifetime)


def drop_private_keys(keys: Iterable[Key]) -> None:
    """Forget the private part of keys that will not sign again."""
    _rows().filter(sequence__in=[key.sequence for key in keys]).update(private_key="")


@sensitive_variables()
def replace_private_key(key: Key, sealed: str) -> None:
    """Keep the private part encrypted otherwise, unless it was changed."""
    unchanged = _rows().filter(sequence=key.sequence, private_key=key.private)
    unchanged.update(private_key=sealed)


def is_not_migrated(error: Error) -> bool:
    """Tell a table that is not there, or is not as it has to be."""
    if isinstance(error, ProgrammingError):
        return not isinstance(error, TransactionManagementError)
    # What SQLite says, and MySQL of a column.
    told = str(error).lower()
    return any(sign in told for sign in _NOT_THERE)


def _rows() -> QuerySet[SigningKeyRecord]:
    return SigningKeyRecord.objects.using(alias())


@sensitive_variables()
def _key(row: SigningKeyRecord) -> Key:
    return Key(
        kid=row.kid,
        algorithm=row.algorithm,
        jwk=row.public_jwk,
        active_from=row.active_from,
        created_at=row.created_at,
        ended_at=row.ended_at,
        is_ended=row.ended_at is not None,
        token_lifetime=row.token_lifetime,
        sequence=row.sequence,
        private=row.private_key,
    )
