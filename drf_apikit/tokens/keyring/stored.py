"""The keys that are made here, and kept in the database."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from django.db import IntegrityError, OperationalError, transaction
from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import TokensSettings
from drf_apikit.contention import is_contention
from drf_apikit.jose.signing import SigningKey, load_signing_key
from drf_apikit.tokens.keyring import rows
from drf_apikit.tokens.keyring.material import (
    KeyMaterialError,
    new_private_key,
    read_signing_key,
)
from drf_apikit.tokens.keyring.sealing import is_current, seal, unseal
from drf_apikit.tokens.keyring.snapshots import Reader
from drf_apikit.tokens.keyring.timeline import (
    LEEWAY,
    Key,
    KeyState,
    Phase,
    entries,
    phase_at,
)
from drf_apikit.tokens.lifetimes import longest_access_lifetime
from drf_apikit.tokens.models import SigningKeyRecord

__all__ = ["Change", "KeyRingError", "StoredKeys"]

#: How often a change is tried that others get in the way of.
_TRIES: Final = 5
#: Characters of the thumbprint (RFC 7638) that make a `kid` unlike all others: each
#: token has it.
_PRINT: Final = 11
#: The newest keys are kept, and others for as long as they are not over.
_KEPT: Final = 100
#: Seconds after its death in which a key is left as it is: it may not be dead yet by
#: the clocks of others.
_LONG: Final = 600
_REMEDY: Final = "let another key sign: manage.py apikit_keys rotate --now"


class KeyRingError(Exception):
    """The keys cannot be changed so; the text is for who has asked for it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a change has come to: the key ids that are new, and those that go."""

    added: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.retired)


class _OvertakenError(Exception):
    """A row was changed by somebody else."""


class StoredKeys:
    """The ring as the database has it, which decides between processes."""

    def __init__(self, settings: TokensSettings) -> None:
        self._settings = settings
        self._signers: dict[str, SigningKey] = {}
        self._reader = Reader()

    def read(self) -> tuple[Key, ...]:
        """Read all keys, in the order in which they sign."""
        return self._reader.read()

    @sensitive_variables()
    def signer(self, key: Key) -> SigningKey:
        """Decrypt a private key, once.

        Raises:
            KeyMaterialError: that cannot be done.

        """
        known = self._signers.get(key.kid)
        if known is not None:
            return known
        opened = self._opened(key)
        if isinstance(opened, str):
            raise KeyMaterialError(opened)
        self._signers = {key.kid: opened}
        return opened

    def needs_care(self, phase: Phase, now: float) -> bool:
        """Tell whether whoever signs now has to `care` first."""
        return self._is_due(phase, now) or self._is_short(phase)

    def care(self, phase: Phase, now: float) -> Change:
        """Do what the schedule wants; keep a key for as long as its tokens are good."""
        if phase.active is not None and self._is_short(phase):
            rows.lengthen(phase.active, longest_access_lifetime(self._settings))
        if self._is_due(phase, now):
            return self.rotate(now, at_once=False, if_due=True)
        return Change()

    def rotate(self, now: float, *, at_once: bool, if_due: bool) -> Change:
        """Make the next key, or have it sign at once.

        Of several processes that do so at the same time, one does. A key that cannot
        be decrypted does not sign until then, unless only the schedule counts: whoever
        looks after that may lack what others have.
        """
        superseded: list[str | None] = []

        def step(keys: tuple[Key, ...]) -> Change:
            phase = phase_at(keys, now)
            kid = phase.active.kid if phase.active else None
            if superseded and superseded[0] != kid:
                # Others have done it meanwhile.
                return Change()
            superseded[:] = [kid]
            if phase.active and if_due and not self._is_due(phase, now):
                return Change()
            is_lost = not if_due and self._is_lost(phase.active)
            return self._rotated(keys, phase, now, at_once=at_once or is_lost)

        change = self._insist(step)
        if change:
            rows.drop_private_keys(_over(rows.read(), now))
        self._seal_anew()
        return change

    def retire(self, kid: str, now: float) -> Change:
        """End a key now; where it is the one that signs, a new one does at once.

        The next one ends with it: whoever stole the one may have the other, which is
        kept beside it.

        Raises:
            KeyRingError: there is no such key, or it is dead.

        """
        return self._insist(lambda keys: self._retired(kid, keys, now))

    def _is_due(self, phase: Phase, now: float) -> bool:
        """Tell whether the schedule wants a next key, and there is none."""
        period, active = self._settings.rotation_period, phase.active
        if period is None or active is None or self._is_coming(phase, now):
            return False
        return now >= active.active_from + period - self._settings.publication_lead

    def _is_coming(self, phase: Phase, now: float) -> bool:
        """Tell whether there is a next key; one far off is the mistake of a clock."""
        latest = now + self._settings.publication_lead + LEEWAY
        return phase.next is not None and phase.next.active_from <= latest

    def _is_lost(self, key: Key | None) -> bool:
        """Tell a private key that cannot be had."""
        return key is not None and isinstance(self._opened(key), str)

    def _is_short(self, phase: Phase) -> bool:
        """Tell a key that would die before what it signs now."""
        longest = longest_access_lifetime(self._settings)
        return phase.active is not None and phase.active.token_lifetime < longest

    def _insist(self, step: Callable[[tuple[Key, ...]], Change]) -> Change:
        """Take a step from what there is, and again where others were quicker."""
        keys = rows.read()
        for _ in range(_TRIES):
            try:
                return step(keys)
            except (IntegrityError, _OvertakenError):
                keys = rows.read(locking=True)
            except OperationalError as error:
                if not is_contention(error):
                    raise
                keys = rows.read()
        raise KeyRingError("Others are changing the keys: try again.")

    def _rotated(
        self, keys: tuple[Key, ...], phase: Phase, now: float, *, at_once: bool
    ) -> Change:
        if phase.active is None:
            return Change((self._succeed(keys, phase.next, 0, now),))
        if self._is_coming(phase, now) and not at_once:
            return Change()
        lead = 0 if at_once else self._settings.publication_lead
        kid = self._succeed(keys, phase.next, lead, now)
        return Change((kid,), (phase.active.kid,))

    def _retired(self, kid: str, keys: tuple[Key, ...], now: float) -> Change:
        key, state = _find(kid, keys, now)
        if state is KeyState.DEAD:
            raise KeyRingError(f"The key {kid!r} is dead already.")
        is_active = state is KeyState.ACTIVE
        ended = [key, *(_in_state(KeyState.NEXT, keys, now) if is_active else [])]
        with transaction.atomic(using=rows.alias()):
            if not all(rows.end(one, math.floor(now)) for one in ended):
                raise _OvertakenError
            added = [self._succeed(keys, None, 0, now)] if is_active else []
        return Change(tuple(added), tuple(one.kid for one in ended))

    def _succeed(
        self, keys: tuple[Key, ...], following: Key | None, lead: int, now: float
    ) -> str:
        """Have the next key sign after `lead` seconds, or make one that does."""
        moment = math.floor(now) + lead
        if following is not None and not self._is_lost(following):
            if not rows.promote(following, moment):
                raise _OvertakenError
            return following.kid
        sequence = keys[-1].sequence + 1 if keys else 1
        record = self._made(sequence, moment, math.floor(now))
        gone = [key for key in _over(keys, now) if key.sequence <= sequence - _KEPT]
        rows.insert(record, gone)
        return record.kid

    @sensitive_variables()
    def _made(
        self, sequence: int, active_from: int, created_at: int
    ) -> SigningKeyRecord:
        pem = new_private_key(self._settings.algorithm)
        made = load_signing_key(pem)
        # A letter comes first: commands take other words for options.
        kid = f"k{sequence}-{made.kid[:_PRINT]}"
        return SigningKeyRecord(
            sequence=sequence,
            kid=kid,
            algorithm=made.algorithm,
            public_jwk=replace(made, kid=kid).public_jwk(),
            private_key=seal(pem, kid, self._settings.encryption_keys),
            created_at=created_at,
            active_from=active_from,
            token_lifetime=longest_access_lifetime(self._settings),
        )

    @sensitive_variables()
    def _opened(self, key: Key) -> SigningKey | str:
        """Decrypt a private key; give why not, as text, where that cannot be done."""
        told = f"The private key of {key.kid!r}"
        if not key.private:
            return f"{told} was deleted: {_REMEDY}"
        pem = unseal(key.private, key.kid, self._settings.encryption_keys)
        if pem is None:
            return (
                f"{told} cannot be decrypted: what encrypted it"
                " is neither in ENCRYPTION_KEYS nor what SECRET_KEY or its fallbacks"
                f" give. Put it back, or {_REMEDY}"
            )
        found = read_signing_key(pem, key.kid)
        if isinstance(found, str) or found.public_jwk() != key.jwk:
            return f"{told} is not that of its row: {_REMEDY}"
        return found

    @sensitive_variables()
    def _seal_anew(self) -> None:
        """Encrypt by the first key of the settings what another one has encrypted."""
        encryption = self._settings.encryption_keys
        for key in rows.read():
            if not key.private or is_current(key.private, key.kid, encryption):
                continue
            pem = unseal(key.private, key.kid, encryption)
            if pem is not None:
                rows.replace_private_key(key, seal(pem, key.kid, encryption))


def _find(kid: str, keys: tuple[Key, ...], now: float) -> tuple[Key, KeyState]:
    for key, entry in zip(keys, entries(keys, now), strict=True):
        if key.kid == kid:
            return key, entry.state
    raise KeyRingError(f"There is no key {kid!r}.")


def _in_state(state: KeyState, keys: tuple[Key, ...], at: float) -> list[Key]:
    told = zip(keys, entries(keys, at), strict=True)
    return [key for key, entry in told if entry.state is state]


def _over(keys: tuple[Key, ...], now: float) -> list[Key]:
    """Give those that nobody wants again, even where the clock here is wrong.

    One whose successor signs may be what all the others sign with still.
    """
    signing = [key for key in keys if key.active_from <= now]
    dead = _in_state(KeyState.DEAD, keys, now - _LONG)
    return [key for key in dead if key not in signing[-2:]]
