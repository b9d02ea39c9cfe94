"""What another process does with a cache: it reads one key and races for others.

It knows the settings of the caches alone, and imports nothing of the project's but
what these name.
"""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches

from drf_apikit.doctor.attempts import Attempt

__all__ = ["Race", "contend", "take_part"]


#: Django's warning of who has a cache in a database before the apps are there.
_UNREADY: Final = "Accessing the database during app initialization"


@dataclass(frozen=True, slots=True)
class Race:
    """A cache, a key that the parent has set, and keys that one of all can add."""

    alias: str
    known: str
    keys: Sequence[str]
    life: int


def take_part(race: Race, configuration: Mapping[str, Any], pipe: Connection) -> None:
    """Say what the known key has; at a sign race for the others, and say who won.

    What goes wrong is sent in place of the answer.
    """
    with pipe, suppress(OSError):
        # Where the parent has given up, there is nobody to tell.
        with Attempt() as attempt:
            if not settings.configured:
                settings.configure(**configuration)
                # There are no apps here, nor will there be any.
                warnings.filterwarnings("ignore", _UNREADY, RuntimeWarning)
            pipe.send(caches[race.alias].get(race.known))
            pipe.recv()
            pipe.send(contend(race))
        caches.close_all()
        if attempt.error is not None:
            # Not all that is raised can be pickled.
            pipe.send(RuntimeError(attempt.failure))


def contend(race: Race) -> list[bool]:
    """Add each key, and tell which ones were not there."""
    cache = caches[race.alias]
    return [bool(cache.add(key, "taken", race.life)) for key in race.keys]
