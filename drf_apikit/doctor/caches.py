"""Whether the caches that the blocks use do what the blocks rely on."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

from drf_apikit.conf import apikit_settings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.cache_child import Race
from drf_apikit.doctor.cache_races import Outcome, run
from drf_apikit.doctor.cache_room import shortage
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject

__all__ = ["PROBE", "used_caches"]

_REACHABLE: Final = "caches.reachable"
_VALUES: Final = "caches.values"
_ATOMIC: Final = "caches.atomic"
_SHARED: Final = "caches.shared"
_EXPIRY: Final = "caches.expiry"
_ERRORS: Final = "caches.errors"

#: Seconds after which a key is to be gone; some caches have no fractions of one.
_LIFE: Final = 2
#: Seconds by which it may be late.
_LATE: Final = 2
#: Seconds after which what is left behind by a process that was killed is gone.
_REST: Final = 60
_KEYS: Final = 20
#: Entries that there has to be room for: those keys, the known one, and one to spare.
_ROOM: Final = _KEYS + 2
#: Findings for which something is written to the cache.
_WRITING: Final = (_REACHABLE, _VALUES, _SHARED, _ATOMIC, _EXPIRY)
_REPLAYS: Final = "IDEMPOTENCY"
#: As keys and locks are shared; and as an answer is.
_TEXTS: Final = ("schlüssel \U0001f511", 1234.5)
_ANSWER: Final = ("a" * 64, 200, None, True, b"\x00\xff{}")
_SHARE: Final = "Name a cache that all processes share, such as Redis."


def used_caches() -> Mapping[str, list[str]]:
    """Give the aliases of the caches that are in use, and what each is used for."""
    used: dict[str, list[str]] = {}
    for name, alias, in_use in _uses():
        if in_use and alias is not None:
            used.setdefault(alias, []).append(name)
    return used


def _uses() -> Iterator[tuple[str, str | None, object]]:
    authentication, login = apikit_settings.authentication, apikit_settings.login
    fetched = [one for one in authentication.issuers.values() if one.jwks is None]
    yield "AUTHENTICATION", authentication.cache, fetched or login.issuer
    conditional = apikit_settings.conditional
    yield "CONDITIONAL", conditional.cache, conditional.generations
    yield _REPLAYS, apikit_settings.idempotency.cache, True
    clients = apikit_settings.clients
    yield "CLIENTS", clients.cache, clients.credentials
    has_sessions = any(
        name.endswith("SessionMiddleware") for name in settings.MIDDLEWARE
    )
    cached = settings.SESSION_ENGINE.rpartition(".")[2] in {"cache", "cached_db"}
    yield "sessions", settings.SESSION_CACHE_ALIAS, has_sessions and cached


def _examinations(context: Context) -> Iterator[Examination]:
    for alias, names in used_caches().items():
        yield Examination(alias, _Examined(alias, names, context.timeout).findings)


@dataclass(frozen=True, slots=True)
class _Examined:
    alias: str
    uses: list[str]
    timeout: float

    @property
    def subject(self) -> Subject:
        return Subject(self.alias)

    def findings(self) -> Iterator[Finding]:
        """Look at one thing after the other; without a cache there is no second."""
        if self.alias not in settings.CACHES:
            known = ", ".join(sorted(settings.CACHES))
            yield self.subject.risk(
                _REACHABLE,
                f"{_named(self.uses)} is to use it, and CACHES has not got it.",
                f"Add it to CACHES, or name one of {known}.",
            )
            return
        yield from self._errors()
        seen = shortage(caches[self.alias], _ROOM)
        if seen:
            yield from (self.subject.skipped(one, seen) for one in _WRITING)
            return
        name = f"drf_apikit:doctor:{secrets.token_hex(8)}"
        race = Race(
            self.alias,
            f"{name}:known",
            [f"{name}:{number}" for number in range(_KEYS)],
            _REST,
        )
        with _scratch(self.alias, [race.known, *race.keys]) as cache:
            reached = self._reachable(cache, race.known)
            yield reached
            if reached.remedy:
                return
            yield self._values(cache, race.known)
            # It lives while the processes race.
            cache.set(race.known, name, _REST)
            yield from self._raced(race, name, type(cache))
            yield self._expiry(cache, race.known)

    def _reachable(self, cache: Any, key: str) -> Finding:
        kind = type(cache).__name__
        with Attempt() as attempt:
            cache.set(key, "here", _REST)
            found = cache.get(key)
        if attempt.failure:
            remedy = "Start it, or correct LOCATION and OPTIONS of the cache."
            seen = f"{kind}, which raises {attempt.failure}"
            return self.subject.risk(_REACHABLE, seen, remedy)
        if found != "here":
            seen = f"{kind} keeps nothing of what it is given."
            return self.subject.risk(_REACHABLE, seen, _SHARE)
        return self.subject.ok(_REACHABLE, f"{kind}, for {_named(self.uses)}.")

    def _errors(self) -> Iterator[Finding]:
        given = settings.CACHES[self.alias]
        if not str(given.get("BACKEND")).startswith("django_redis."):
            return
        default = getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False)
        if (given.get("OPTIONS") or {}).get("IGNORE_EXCEPTIONS", default):
            yield self.subject.risk(
                _ERRORS,
                "IGNORE_EXCEPTIONS: a Redis that is down looks like an empty one, and"
                " writes that it has not taken look as if it had.",
                "Leave it out: what can do without a cache notices by itself.",
            )
        else:
            yield self.subject.ok(_ERRORS, "Errors of Redis are raised.")

    def _values(self, cache: Any, key: str) -> Finding:
        values: list[Any] = list(_TEXTS)
        if _REPLAYS in self.uses:
            values.append(_ANSWER)
        for value in values:
            found = None
            with Attempt() as attempt:
                cache.set(key, value, _REST)
                found = cache.get(key)
            if not _is_same(value, found):
                kind = type(value).__name__
                seen = f"A {kind} comes back as another one, or not at all."
                if attempt.failure:
                    seen = f"A {kind} is refused: {attempt.failure}"
                remedy = "Give the cache a serializer that keeps Python's values."
                return self.subject.risk(_VALUES, seen, remedy)
        return self.subject.ok(_VALUES, "Values come back as they were.")

    def _raced(self, race: Race, known: str, kind: type) -> Iterator[Finding]:
        outcome = run(race, self.timeout / 2)
        yield self._shared(outcome, known, kind)
        yield self._atomic(outcome, known)

    def _shared(self, outcome: Outcome, known: str, kind: type) -> Finding:
        seen = "Another process does not see what this one has put there."
        if issubclass(kind, LocMemCache):
            seen = f"{kind.__name__}: each process has its own."
        elif not outcome.known:
            seen = f"No other process could be asked: {outcome.failure}"
            return self.subject.skipped(_SHARED, seen)
        elif all(found == known for found in outcome.known):
            own = issubclass(kind, FileBasedCache)
            hint = "The processes of other hosts need the same folder." if own else ""
            return self.subject.ok(_SHARED, "Other processes see the same.", hint)
        return self.subject.risk(_SHARED, seen, f"{_SHARE} One worker can do without.")

    def _atomic(self, outcome: Outcome, known: str) -> Finding:
        winners, racers = list(outcome.by_threads), "threads"
        # Those that have another cache each win for themselves.
        if outcome.by_processes and all(found == known for found in outcome.known):
            racers = "threads and processes"
            for wins in outcome.by_processes:
                winners = [
                    one + bool(won) for one, won in zip(winners, wins, strict=True)
                ]
        wrong = sum(number != 1 for number in winners)
        if wrong:
            return self.subject.risk(
                _ATOMIC,
                f"`add` has not one winner: {wrong} of {len(winners)} keys that"
                f" {racers} raced for were added by several, or by none.",
                "Name a cache whose `add` is atomic, such as Redis or Memcached.",
            )
        seen = f"`add` has one winner for each of {len(winners)} keys among {racers}."
        return self.subject.ok(_ATOMIC, seen)

    def _expiry(self, cache: Any, key: str) -> Finding:
        cache.set(key, "soon gone", _LIFE)
        begun = time.monotonic()
        if cache.get(key) is None:
            seen = f"A key of {_LIFE} seconds is gone at once."
            return self.subject.risk(
                _EXPIRY, seen, "See what the cache evicts, and why."
            )
        gone = _await(lambda: cache.get(key) is None, begun + _LIFE + _LATE)
        if gone:
            seen = f"A key of {_LIFE} seconds is gone after them."
            return self.subject.ok(_EXPIRY, seen)
        seen = f"A key of {_LIFE} seconds is there {_LATE} seconds later."
        return self.subject.risk(
            _EXPIRY,
            seen,
            "Name a cache that expires keys: locks would be held for ever.",
        )


def _named(uses: list[str]) -> str:
    return ", ".join(uses)


def _is_same(value: Any, found: Any) -> bool:
    """Compare; what is read of a tuple may be a list."""
    if isinstance(value, tuple) and isinstance(found, list):
        found = tuple(found)
    return type(found) is type(value) and bool(found == value)


def _await(happened: Callable[[], bool], deadline: float) -> bool:
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def _scratch(alias: str, keys: list[str]) -> Iterator[Any]:
    """Give a cache, and leave none of these keys in it."""
    cache = caches[alias]
    try:
        yield cache
    finally:
        # They expire by themselves where the cache has gone.
        with suppress(Exception):
            cache.delete_many(keys)


PROBE: Final = Probe(
    "caches",
    "The caches that settings name, and that of sessions. Threads and processes really"
    " race for keys, which are written wherever the cache keeps its entries, such as in"
    " a database; nothing is left there. A cache in a database or in files that the"
    " race would fill up to MAX_ENTRIES is skipped, since it would evict others.",
    {
        _REACHABLE: "the cache is there and keeps what it is given",
        _ERRORS: "django-redis: errors are raised rather than hidden",
        _VALUES: "values come back as they were",
        _SHARED: "other processes see the same",
        _ATOMIC: "`add` has one winner among threads and processes",
        _EXPIRY: "a key is gone after its life",
    },
    _examinations,
)
