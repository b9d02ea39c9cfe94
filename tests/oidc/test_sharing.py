import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.db.backends.signals import connection_created

from drf_apikit.oidc import sharing
from drf_apikit.oidc.jwks import LOOK
from drf_apikit.oidc.sharing import (
    LONGEST,
    RECOVERY,
    SLOTS,
    WINDOW,
    Lock,
    LockState,
    SharedLevel,
)
from tests.jose.minting import public_jwk
from tests.oidc.caches import ClockedCache, Memory
from tests.oidc.provider import JWKS, Clock, Provider
from tests.oidc.stores import LIFETIME, kids, renewed, settled, store_of

NAME = "drf_apikit:test:https://id.example"
LIFE = 20


def level(name: str = NAME, cache: str | None = None) -> SharedLevel:
    return SharedLevel(name, cache)


@pytest.fixture
def one(shared: Memory) -> Iterator[SharedLevel]:
    assert shared.values == {}
    mine = level()
    with mine.session():
        yield mine


@pytest.fixture
def other(shared: Memory) -> Iterator[SharedLevel]:
    assert shared.values == {}
    theirs = level()
    with theirs.session():
        yield theirs


def test_a_text_is_shared(one: SharedLevel, other: SharedLevel, clock: Clock) -> None:
    assert other.read() is None
    one.write("text", 9.1)
    assert other.read() == "text"
    clock.now += 9.9
    assert other.read() == "text"
    clock.now += 0.1
    assert other.read() is None


def test_names_and_caches_are_apart(one: SharedLevel, settings: Any) -> None:
    local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "other": local}
    one.write("text", 10)
    for stranger in (level(f"{NAME}/"), level(cache="other")):
        with stranger.session():
            assert stranger.read() is None
    with level(cache="default").session():
        assert one.read() == "text"


def test_issuers_and_places_of_keys_are_apart(
    provider: Provider, clock: Clock, shared: Memory
) -> None:
    places = [{}, {"JWKS_URI": f"{provider.url}{JWKS}"}]
    for place in [*places, *places]:
        settled(store_of(provider, clock, **place)).keys()
    assert provider.fetches == len(places)
    assert len(shared.values) == len(places)


def test_what_is_no_text_is_not_read(one: SharedLevel, shared: Memory) -> None:
    one.write("text", 10)
    (name,) = shared.values
    shared.values[name] = (b"bytes", float("inf"))
    assert one.read() is None


def test_one_has_the_lock_at_a_time(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    lock = one.lock(clock.now, LIFE)
    assert (lock.state, lock.until) == (LockState.MINE, clock.now + LIFE)
    seen = other.lock(clock.now + 1, LIFE)
    assert (seen.state, seen.until) == (LockState.BUSY, lock.until)
    # It is not theirs to give back.
    other.unlock(seen)
    assert other.lock(clock.now, LIFE).state is LockState.BUSY
    one.unlock(lock)
    assert other.lock(clock.now, LIFE).state is LockState.MINE


def test_after_a_failure_the_lock_stays(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    lock = one.lock(clock.now, LIFE)
    clock.now += 8
    one.fail(lock, clock.now)
    seen = other.lock(clock.now, LIFE)
    assert (seen.state, seen.until) == (LockState.FAILED, lock.until)
    other.fail(seen, clock.now)
    clock.now += 11.9
    assert other.lock(clock.now, LIFE).state is LockState.FAILED
    clock.now += 0.1
    assert other.lock(clock.now, LIFE).state is LockState.MINE


def test_a_failure_may_count_for_longer_than_the_lock(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    lock = one.lock(clock.now, LIFE)
    one.fail(lock, clock.now, clock.now + LONGEST)
    for second in (0, 1, LONGEST - 1):
        seen = other.lock(lock.until - LIFE + second, LIFE)
        assert (seen.state, seen.until - lock.until) == (
            LockState.FAILED,
            LONGEST - LIFE,
        )
    clock.now += LONGEST
    assert other.lock(clock.now, LIFE).state is LockState.MINE


@pytest.mark.parametrize("state", [LockState.FAILED, LockState.BUSY])
def test_what_counts_for_too_long_is_rubbish(
    one: SharedLevel, clock: Clock, shared: Memory, state: LockState
) -> None:
    life = LONGEST if state is LockState.FAILED else 2 * LIFE
    one.lock(clock.now, LIFE)
    (name,) = shared.values
    for more, found in ((0, state), (1, LockState.MINE)):
        lock = Lock(state, clock.now + life + more, "0" * 16)
        shared.values[name] = (lock.dump(), float("inf"))
        assert one.lock(clock.now, LIFE).state is found


def test_who_queues_has_the_lock_or_what_it_is_for(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    lock = one.queue(lambda: False, clock, LIFE, 0)
    assert lock is not None
    assert lock.state is LockState.MINE
    busy = other.queue(lambda: False, clock, LIFE, 0)
    assert busy == Lock(LockState.BUSY, lock.until, lock.token)
    looks: list[int] = []

    def look() -> bool:
        looks.append(len(looks))
        if len(looks) == 3:
            one.unlock(lock)
        return len(looks) == 4

    assert other.queue(look, clock, LIFE, 30) is None
    # It was given back.
    assert one.lock(clock.now, LIFE).state is LockState.MINE


def test_a_lock_that_is_over_is_waited_for(
    one: SharedLevel, other: SharedLevel, clock: Clock, shared: Memory
) -> None:
    """Caches are not exact to the millisecond."""
    one.fail(one.lock(clock.now, LIFE), clock.now)
    ((name, (text, _)),) = shared.values.items()
    shared.values[name] = (text, float("inf"))
    assert (lock := other.queue(lambda: False, clock, LIFE, 30)) is not None
    assert lock.state is LockState.FAILED
    clock.now += LIFE

    def look() -> bool:
        shared.values.clear()
        return False

    assert (lock := other.queue(look, clock, LIFE, 30)) is not None
    assert lock.state is LockState.MINE


def test_an_owner_that_was_too_slow_touches_nothing(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    lock = one.lock(clock.now, LIFE)
    clock.now += LIFE
    theirs = other.lock(clock.now, LIFE)
    one.unlock(lock)
    one.fail(lock, clock.now)
    assert one.lock(clock.now, LIFE).state is LockState.BUSY
    other.unlock(theirs)


def test_a_lock_that_was_given_back_in_between_is_taken(
    one: SharedLevel, clock: Clock, shared: Memory
) -> None:
    one.lock(clock.now, LIFE)
    shared.before = lambda call: shared.values.clear() if call == "get" else None
    assert one.lock(clock.now, LIFE).state is LockState.MINE


@pytest.mark.parametrize(
    "value",
    [
        7,
        b"busy",
        "rubbish",
        "busy:nan:0000000000000000",
        "mine:1800000010.0:0000000000000000",
        "busy:1700000000.0:0000000000000000",
        "busy:1900000000.0:0000000000000000",
        f"busy:{'9' * 400}.0:0000000000000000",
    ],
    ids=repr,
)
def test_rubbish_is_no_lock(
    one: SharedLevel, clock: Clock, shared: Memory, value: Any
) -> None:
    one.lock(clock.now, LIFE)
    (name,) = shared.values
    shared.values[name] = (value, float("inf"))
    assert one.lock(clock.now, LIFE).state is LockState.MINE
    assert one.lock(clock.now, LIFE).state is LockState.BUSY


def test_there_are_so_many_slots_for_all(
    one: SharedLevel, other: SharedLevel, clock: Clock
) -> None:
    taken = []
    for second in range(3 * WINDOW):
        taken += [second for each in (one, other) if each.take_slot(clock.now)]
        clock.now += 1
    assert taken == [0, 0, 1, WINDOW, WINDOW, WINDOW + 1, *[2 * WINDOW] * 2, 121]


def test_slots_may_be_others(one: SharedLevel, clock: Clock) -> None:
    taken = []
    for second in range(61):
        taken += [second] if one.take_slot(clock.now, slots=1, window=30) else []
        clock.now += 1
    assert taken == [0, 30, 60]


@pytest.mark.parametrize("value", ["rubbish", 0.0, 4e9], ids=repr)
def test_rubbish_is_no_slot(
    one: SharedLevel, clock: Clock, shared: Memory, value: Any
) -> None:
    for _ in range(SLOTS):
        assert one.take_slot(clock.now)
    assert not one.take_slot(clock.now)
    name = sorted(shared.values)[1]
    shared.values[name] = (value, float("inf"))
    assert one.take_slot(clock.now)
    assert not one.take_slot(clock.now)


def test_without_a_session_each_is_alone(shared: Memory, clock: Clock) -> None:
    alone = level()
    alone.write("text", 10)
    assert alone.read() is None
    assert alone.lock(clock.now, LIFE).state is LockState.NONE
    assert all(alone.take_slot(clock.now) for _ in range(10))
    assert shared.calls == []


def test_a_cache_that_swallows_errors_leaves_each_alone(
    clock: Clock, settings: Any
) -> None:
    """Nothing is added to it, and nothing is there."""
    errors_swallowed(settings)
    mine = level()
    with mine.session():
        mine.write("text", 10)
        assert mine.read() is None
        assert mine.lock(clock.now, LIFE).state is LockState.NONE
        assert all(mine.take_slot(clock.now) for _ in range(10))


def test_a_cache_that_fails_is_left_alone_till_the_next_time(
    shared: Memory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    mine = level()

    def fail(_call: str) -> None:
        raise OSError("down")

    shared.before = fail
    for _ in range(2):
        with mine.session():
            assert mine.read() is None
            assert mine.lock(clock.now, LIFE).state is LockState.NONE
    assert shared.calls == ["get", "get"]
    shared.before = lambda _: None
    with mine.session():
        mine.write("text", 10)
        assert mine.read() == "text"
    assert caplog.messages == ["Cannot share through the cache"]
    assert "OSError: down" in caplog.text


def test_a_cache_that_has_failed_is_left_alone_for_a_while(
    shared: Memory, clock: Clock
) -> None:
    mine, began = level(), clock.now

    def fail(_call: str) -> None:
        raise OSError("down")

    def looks() -> int:
        with mine.session(clock.now):
            assert mine.read() is None
        return len(shared.calls)

    shared.before = fail
    assert looks() == looks() == 1
    clock.now = began + RECOVERY - 0.1
    assert looks() == 1
    clock.now = began + RECOVERY
    assert looks() == 2
    # A clock that was set back, too, is no reason to leave it alone.
    clock.now = began
    assert looks() == 3
    shared.before = lambda _: None
    clock.now = began + RECOVERY
    assert looks() == 4
    assert looks() == 5


def test_a_cache_that_hangs_is_waited_for_once(
    provider: Provider, clock: Clock, hasty: Memory
) -> None:
    """A request whose key is new may come behind somebody who looks already."""
    store = store_of(provider, clock)
    store.keys()
    settled(store)
    clock.now += LOOK

    def fail(_call: str) -> None:
        raise TimeoutError

    hasty.before = fail
    looks = len(hasty.calls)
    assert renewed(store) == ["P-256"]
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]
    assert len(hasty.calls) == looks + 1


def test_a_cache_that_hangs_holds_up_one_thread_and_no_more(
    hasty: Memory, clock: Clock
) -> None:
    let_go = threading.Event()
    mine = level()
    hasty.before = lambda _: let_go.wait(30)
    for _ in range(3):
        with mine.session():
            assert mine.read() is None
            assert mine.lock(clock.now, LIFE).state is LockState.NONE
    assert hasty.calls == ["get"]
    # The child of a fork has no such thread.
    hasty.before = lambda _: None
    mine.begin_anew()
    with mine.session():
        mine.write("text", 10)
        assert mine.read() == "text"
    let_go.set()


class SlowCache(ClockedCache):
    """One whose client takes so many seconds to be made as its location says."""

    #: Set where nobody waits for it any more.
    let_go = threading.Event()

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(location, params)
        self._seconds = float(location)

    @property
    def _cache(self) -> None:
        self.let_go.wait(self._seconds)


#: Seconds that are too many for a call.
TOO_LONG = "0.7"


@pytest.fixture
def unmade(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a process that has not made the client of any cache."""
    monkeypatch.setattr(sharing, "_BEGAN", {})
    monkeypatch.setattr(sharing, "_MADE", set())


@pytest.fixture
def slow(hasty: Memory, settings: Any, unmade: None) -> Iterator[Memory]:
    assert unmade is None
    backend = f"{__name__}.{SlowCache.__name__}"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": TOO_LONG}}
    SlowCache.let_go.clear()
    yield hasty
    SlowCache.let_go.set()


def test_the_first_client_of_a_cache_may_be_made_for_longer(
    slow: Memory, clock: Clock
) -> None:
    """As where many processes that start together load its library."""
    mine = SharedLevel(NAME, making=5.0)
    with mine.session():
        assert mine.lock(clock.now, LIFE).state is LockState.MINE
    assert slow.calls == ["add"]
    # From then on it is a call like all others, also in a process that was forked.
    mine.begin_anew()
    with mine.session():
        assert mine.lock(clock.now, LIFE).state is LockState.BUSY


def test_that_is_for_the_first_seconds_of_a_process_alone(
    slow: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that hangs while it is made is not waited for again and again."""
    began = time.monotonic() - 6
    monkeypatch.setattr(sharing, "_BEGAN", {"default": began})
    mine = SharedLevel(NAME, making=5.0)
    with mine.session():
        assert mine.lock(clock.now, LIFE).state is LockState.NONE
    assert slow.calls == []


def test_a_request_has_its_keys_while_the_client_of_a_cache_is_made(
    provider: Provider, clock: Clock, slow: Memory, settings: Any
) -> None:
    """It waits for two seconds in all, and one of them is for the fetch."""
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 2}}
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "30"}}
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert slow.calls == []


def test_a_cache_that_hangs_from_the_beginning_holds_up_nobody(
    provider: Provider, clock: Clock, hasty: Memory, unmade: None
) -> None:
    """Only the making may take longer, and that asks nobody."""
    assert unmade is None
    let_go = threading.Event()
    hasty.before = lambda _: let_go.wait(30)
    try:
        mine = SharedLevel(NAME, making=5.0)
        began = time.monotonic()
        with mine.session():
            assert mine.lock(clock.now, LIFE).state is LockState.NONE
        assert time.monotonic() - began < 2
        assert kids(store_of(provider, clock).keys()) == ["P-256"]
    finally:
        let_go.set()


@pytest.mark.usefixtures("unmade")
@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("django.core.cache.backends.redis.RedisCache", "_cache"),
        ("django_redis.cache.RedisCache", "_client"),
    ],
)
def test_what_is_made_is_the_client_of_a_redis(
    settings: Any, backend: str, name: str
) -> None:
    """Nobody is there, and nobody is asked."""
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://[::1]:1"}}
    vars(sharing)["_make_client"]("default")
    assert vars(caches["default"])[name] is not None


def test_without_threads_each_is_alone(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    mine = level()
    with mine.session():
        assert mine.lock(clock.now, LIFE).state is LockState.NONE


def no_such_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "nowhere.Cache"}}


def no_such_alias(settings: Any) -> None:
    section = {**settings.DRF_APIKIT["AUTHENTICATION"], "CACHE": "other"}
    settings.DRF_APIKIT = {"AUTHENTICATION": section}


def nobody_there(settings: Any) -> None:
    backend = "django_redis.cache.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://[::1]:1"}}


def errors_swallowed(settings: Any) -> None:
    nobody_there(settings)
    options = {"OPTIONS": {"IGNORE_EXCEPTIONS": True}}
    settings.CACHES = {"default": {**settings.CACHES["default"], **options}}


BROKEN: Mapping[str, Callable[[Any], None]] = {
    "no such cache": no_such_cache,
    "no such alias": no_such_alias,
    "nobody there": nobody_there,
    "errors swallowed": errors_swallowed,
}


@pytest.mark.parametrize("name", BROKEN)
def test_with_a_broken_cache_each_process_helps_itself(
    provider: Provider, clock: Clock, settings: Any, name: str
) -> None:
    BROKEN[name](settings)
    store = store_of(provider, clock)
    assert kids(store.keys()) == ["P-256"]
    clock.now += LIFETIME
    provider.publish(public_jwk("RSA"))
    assert renewed(store) == ["RSA"]
    for number in range(10):
        store.refreshed(f"{number}")
    assert provider.fetches == 2 + SLOTS
    clock.now += LIFETIME
    provider.fail()
    assert renewed(store) == ["RSA"]


def test_a_cache_that_hangs_holds_up_no_request(
    provider: Provider, clock: Clock, hasty: Memory
) -> None:
    let_go = threading.Event()
    hasty.before = lambda _: let_go.wait(30)
    try:
        store = store_of(provider, clock)
        assert kids(store.keys()) == ["P-256"]
        clock.now += LIFETIME
        provider.publish(public_jwk("RSA"))
        assert kids(store.keys()) == ["P-256"]
        assert kids(settled(store).keys()) == ["RSA"]
        provider.publish(public_jwk("P-256"))
        assert kids(store.refreshed("P-256")) == ["P-256"]
        assert hasty.calls == ["get"]
    finally:
        let_go.set()


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Give the connections to databases that are opened meanwhile."""
    made: list[Any] = []

    own = threading.current_thread()

    def note(connection: Any, **_: object) -> None:
        if threading.current_thread() is not own:
            made.append(connection)

    connection_created.connect(note)
    yield made
    connection_created.disconnect(note)


@pytest.mark.django_db(transaction=True)
def test_a_database_can_be_what_is_shared(
    provider: Provider, clock: Clock, settings: Any, opened: list[Any]
) -> None:
    backend = "django.core.cache.backends.db.DatabaseCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "shared_keys"}}
    call_command("createcachetable", verbosity=0)
    try:
        for _ in range(3):
            store = store_of(provider, clock)
            assert kids(store.keys()) == ["P-256"]
            settled(store)
        assert provider.fetches == 1
        for thread in threading.enumerate():
            if thread.name == "drf_apikit shared":
                thread.join(10)
        assert len(opened) == 3
        assert all(wrapper.connection is None for wrapper in opened)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE shared_keys")
