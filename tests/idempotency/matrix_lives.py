"""Rows of the matrix: what becomes of a record, conditions, caches, and races."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.http import HttpResponseBase
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request

from drf_apikit.models import IdempotencyRecord
from tests.app.models import Label
from tests.databases import in_threads
from tests.idempotency.matrix_world import SECONDS, World, row, told
from tests.idempotency.views import created

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
#: Nobody listens there.
NOWHERE = "redis://127.0.0.1:1/0"
MANY = 32


@row("201, 201, 201 replayed", peers="no way but the database", effects=2, entered=2)
def released(world: World) -> list[Any]:
    first = world.post()
    IdempotencyRecord.objects.all().delete()
    return [first, world.post(), world.post()]


@row("201, 201, 201 replayed", peers="409 for ever", effects=2, entered=2)
def expired(world: World) -> list[Any]:
    first = world.post()
    begun = IdempotencyRecord.objects.get().created_at
    IdempotencyRecord.objects.update(expires_at=begun)
    body = {"amount": 2}
    return [first, world.post(data=body), world.post(data=body)]


def patch(world: World, tag: str, key: str = "key-1", name: str = "new") -> Any:
    pk = Label.objects.get().pk
    url, headers = f"/labels/{pk}/", {"If-Match": tag}
    return world.call(method="patch")(url, key, {"name": name}, headers=headers)


def label(world: World) -> str:
    """Make a label; give its tag."""
    pk = Label.objects.create(name="old").pk
    return str(world.call(method="get")(f"/labels/{pk}/", None)["ETag"])


@row("200, 200 replayed", peers="412: its own first run has moved the tag", effects=0)
def condition_that_the_first_run_made_stale(world: World) -> list[Any]:
    tag = label(world)
    first, second = patch(world, tag), patch(world, tag)
    assert first["ETag"] == second["ETag"] != tag
    assert Label.objects.get().version == 2
    return [first, second]


@row("412 precondition-failed, 200", peers="412 for 24 hours", effects=0)
def condition_that_fails_takes_no_key(world: World) -> list[Any]:
    tag = label(world)
    return [patch(world, '"stale"'), patch(world, tag)]


def cached(world: World, backend: str, location: str = "matrix") -> None:
    world.settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": location}}
    world.configure(CACHE="default")


@row("201, 201 replayed, 422 idempotency-key-reused", peers="the cache decides")
def cache_has_the_answer(world: World) -> list[Any]:
    cached(world, LOCAL)
    cache.clear()
    first = world.post()
    with CaptureQueriesContext(connection) as captured:
        answers = [world.post(), world.post(data={"amount": 2})]
    words = {query["sql"].split()[0] for query in captured}
    assert words <= {"BEGIN", "COMMIT", "ROLLBACK"}
    return [first, *answers]


@row("201, 201 replayed", peers="two effects")
def cache_flushed(world: World) -> list[Any]:
    cached(world, LOCAL)
    first = world.post()
    cache.clear()
    return [first, world.post()]


@row("201, 201 replayed", peers="500, after the effect as well")
def cache_down(world: World) -> list[Any]:
    cached(world, "django_redis.cache.RedisCache", NOWHERE)
    return world.twice()


@row("500, 201, 201 replayed", peers="an answer without its effect", entered=2)
def cache_never_has_what_was_rolled_back(world: World) -> list[Any]:
    cached(world, LOCAL)
    cache.clear()
    world.raises(LookupError("in the view"))
    first = world.post()
    world.answer(created)
    return [first, world.post(), world.post()]


class Pause:
    """An answer that its first caller gets when the test says so."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> HttpResponseBase:
        self.reached.set()
        assert self.released.wait(SECONDS)
        return created(request)


def crowd(world: World, size: int) -> list[Any]:
    """Send one request, and while it runs the same by many."""
    pause, post = Pause(), world.call()
    world.answer(pause)
    waits = world.vendor == "sqlite"

    def first() -> Any:
        try:
            return post("/effects/")
        finally:
            pause.reached.set()

    def rest() -> list[Any]:
        assert pause.reached.wait(SECONDS)
        try:
            return in_threads(*[one] * size)
        finally:
            pause.released.set()

    def one() -> Any:
        if waits:
            pause.released.set()
        return post("/effects/")

    together: list[Callable[[], Any]] = [first, rest]
    answer, others = in_threads(*together)
    return [answer, *others]


@row(
    ", ".join(["201", *["409 idempotency-in-progress"] * (MANY - 1), "201 replayed"]),
    peers="96 effects for 3 keys; all wait, and hold their workers",
    entered=1,
    sqlite=", ".join(["201", *["201 replayed"] * MANY]),
)
def many_at_once_and_a_slow_view(world: World) -> list[Any]:
    answers = crowd(world, MANY - 1)
    for answer in answers[1:]:
        refused = answer.status_code == 409
        assert answer.headers.get("Retry-After") == ("1" if refused else None)
    return [*answers, world.post()]


@row(
    "201, 409 idempotency-in-progress, 409 idempotency-in-progress, 201 replayed",
    peers="run again when the lease is over",
    entered=1,
    sqlite="201, 201 replayed, 201 replayed, 201 replayed",
)
def view_slower_than_any_lease(world: World) -> list[Any]:
    # There is none, so nothing that could be over: the claim ends with the view.
    return [*crowd(world, 2), world.post()]


def insist(call: Callable[[], Any]) -> Any:
    """Send it until it is done, as clients do."""
    while (answer := call()).status_code == 409:
        assert answer["Retry-After"] == "1"
    return answer


@row(
    ", ".join(["201", *["201 replayed"] * (MANY - 1)]),
    peers="320 effects for 10 keys",
    entered=1,
)
def many_at_once(world: World) -> list[Any]:
    post, barrier = world.call(), threading.Barrier(MANY)

    def call() -> Any:
        barrier.wait(SECONDS)
        return insist(lambda: post("/effects/"))

    return sorted(in_threads(*[call] * MANY), key=told)


@row(
    ", ".join(["201"] * MANY),
    peers="141 of 160 refused: one lock for all keys",
    effects=MANY,
    records=MANY,
    entered=MANY,
)
def many_keys_at_once(world: World) -> list[Any]:
    post, barrier, number = world.call(), threading.Barrier(MANY), itertools.count()

    def call() -> Any:
        barrier.wait(SECONDS)
        return post("/effects/", f"key-{next(number)}")

    return in_threads(*[call] * MANY)
