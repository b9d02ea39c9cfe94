"""What is told of the keys: their changes, and what keeps one from being used."""

import logging
from collections.abc import Iterable

from django.db import Error

from drf_apikit.contention import is_contention, is_outage
from drf_apikit.counters import count
from drf_apikit.signals import signing_key_rotated
from drf_apikit.tokens.keyring.rows import is_not_migrated
from drf_apikit.tokens.keyring.stored import Change
from drf_apikit.tokens.models import SigningKeyRecord

__all__ = ["Faults", "announce"]

logger = logging.getLogger(__name__)


class Faults:
    """Tells the log of each fault once; it is the same for each request."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, faults: Iterable[str | None]) -> None:
        """Tell of what is new."""
        for fault in faults:
            if fault is not None and fault not in self._told:
                self._told.add(fault)
                logger.error("%s", fault)

    def reason(self, error: Error) -> str | None:
        """Say why the database cannot be asked; None for a mistake of ours."""
        if is_not_migrated(error):
            told = f"the table of the keys is missing: manage.py migrate ({error})"
            self.tell([told])
            return told
        is_away = is_outage(error) or is_contention(error)
        return f"the database cannot be asked: {error}" if is_away else None


def announce(change: Change) -> None:
    """Tell listeners of a change that is committed."""
    if not change:
        return
    logger.info("Signing keys: new %s, old %s", change.added, change.retired)
    count("tokens.key_rotated")
    signing_key_rotated.send_robust(
        sender=SigningKeyRecord, added=change.added, retired=change.retired
    )
