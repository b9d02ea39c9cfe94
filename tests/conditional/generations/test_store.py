"""Values, marks and epochs of generations, in a real Redis."""

import math
import secrets
import time
from typing import Any

import pytest
from django.core.cache import cache
from django_redis import get_redis_connection
from pytest_django import Settings

from drf_apikit.conditional.generations import store

pytestmark = pytest.mark.usefixtures("redis_cache")

LABEL = "x.y"
KEYS = store.keys_of(LABEL)
NOW = time.time()
#: Behind the quarantine of what was made at NOW.
LATER = NOW + 400


def settled() -> str:
    """Give the generation after the first quarantine."""
    store.read([LABEL], NOW)
    token = store.read([LABEL], LATER)
    assert token is not None
    return token


def seconds_left(key: str) -> int:
    # Rounded, and read a moment later.
    milliseconds: int = get_redis_connection().pttl(cache.make_key(key))
    return math.ceil(milliseconds / 1000)


def test_the_first_generation_is_in_quarantine() -> None:
    assert store.read([LABEL], NOW) is None
    assert store.read([LABEL], NOW + 299) is None
    token = store.read([LABEL], NOW + 301)
    assert token is not None
    assert store.read([LABEL], NOW + 302) == token


def test_a_text_stands_for_all_models() -> None:
    store.read(["x.y", "x.z"], NOW)
    both = store.read(["x.z", "x.y"], LATER)
    assert both == store.read(["x.y", "x.z"], LATER)
    assert both != store.read(["x.y"], LATER)
    store.renew("x.z", LATER)
    assert both != store.read(["x.y", "x.z"], LATER)


def test_a_mark_makes_it_unusable_until_it_is_finished() -> None:
    before = settled()
    mark = store.take(LABEL, LATER)
    assert store.read([LABEL], LATER) is None
    assert store.finish(LABEL, mark, LATER)
    assert store.read([LABEL], LATER) not in {None, before}


def test_all_marks_must_be_gone() -> None:
    settled()
    first, second = store.take(LABEL, LATER), store.take(LABEL, LATER)
    store.finish(LABEL, first, LATER)
    assert store.read([LABEL], LATER) is None
    store.finish(LABEL, second, LATER)
    assert store.read([LABEL], LATER) is not None


def test_beyond_the_slots_a_mark_only_expires() -> None:
    settled()
    marks = [store.take(LABEL, LATER) for _ in range(store.SLOTS + 2)]
    assert {mark.key for mark in marks} == {*KEYS.slots, KEYS.overflow}
    for mark in marks:
        assert store.finish(LABEL, mark, LATER)
    assert store.read([LABEL], LATER) is None
    cache.delete(KEYS.overflow)
    assert store.read([LABEL], LATER) is not None


def test_an_expired_mark_leaves_a_value_that_nobody_has_taken() -> None:
    before = settled()
    mark = store.take(LABEL, LATER)
    assert seconds_left(mark.key) == 300
    cache.delete(mark.key)
    assert store.read([LABEL], LATER + 299) is None
    after = store.read([LABEL], LATER + 301)
    assert after not in {None, before}


def test_a_flush_starts_a_quarantine_that_writers_do_not_end() -> None:
    before = settled()
    lost = store.take(LABEL, LATER)
    cache.clear()
    assert store.read([LABEL], LATER) is None
    store.finish(LABEL, store.take(LABEL, LATER), LATER)
    assert store.read([LABEL], LATER + 299) is None
    assert not store.finish(LABEL, lost, LATER + 299)
    assert store.read([LABEL], LATER + 301) not in {None, before}


@pytest.mark.parametrize("lost", [KEYS.value, KEYS.epoch], ids=["value", "epoch"])
def test_what_is_evicted_alone_starts_a_quarantine(lost: str) -> None:
    before = settled()
    cache.delete(lost)
    assert store.read([LABEL], LATER) is None
    assert store.read([LABEL], LATER + 299) is None
    assert store.read([LABEL], LATER + 301) not in {None, before}


@pytest.mark.parametrize(
    "value", ["2:something", "", None, 7, b"1:1.0:0.0:0123456789abcdef"]
)
@pytest.mark.parametrize("key", [KEYS.value, KEYS.epoch], ids=["value", "epoch"])
def test_another_format_counts_as_no_value(key: str, value: Any) -> None:
    settled()
    cache.set(key, value)
    assert store.read([LABEL], LATER) is None
    assert store.read([LABEL], LATER + 301) is not None


def test_an_epoch_from_the_future_is_made_anew() -> None:
    settled()
    assert store.read([LABEL], NOW - 1000) is None
    assert store.read([LABEL], NOW - 699) is not None


def test_a_generation_ends_by_itself() -> None:
    before = settled()
    assert store.read([LABEL], NOW + 3599) == before
    assert store.read([LABEL], NOW + 3600) is None
    assert store.read([LABEL], NOW + 3600) not in {None, before}


def test_a_value_from_the_future_ends_as_well() -> None:
    settled()
    store.renew(LABEL, LATER + 10_000)
    assert store.read([LABEL], LATER) is None
    assert store.read([LABEL], LATER) is not None


def test_what_a_reader_sets_is_not_what_it_takes() -> None:
    # Else a mark that came in between would be missed.
    settled()
    assert store.read([LABEL], NOW + 3600) is None
    store.take(LABEL, NOW + 3600)
    assert store.read([LABEL], NOW + 3600) is None


def test_another_writers_mark_is_not_given_back() -> None:
    settled()
    mark = store.take(LABEL, LATER)
    cache.set(mark.key, secrets.token_hex(8))
    assert not store.release(mark, LATER)
    assert mark.key in cache


@pytest.mark.parametrize("age", [-1, 270, 299])
def test_a_mark_that_may_expire_at_any_moment_is_left_alone(age: int) -> None:
    mark = store.take(LABEL, LATER)
    assert store.release(mark, LATER + age)
    assert mark.key in cache


def test_all_of_a_model_is_on_one_node(settings: Settings) -> None:
    settings.DRF_APIKIT = {"CONDITIONAL": {"GENERATION_MARK_LIFE": 60}}
    keys = [KEYS.value, *KEYS.marks, KEYS.epoch]
    assert len(set(keys)) == store.SLOTS + 3
    assert all(key.startswith("drf_apikit:generation:{x.y}:") for key in keys)
    assert seconds_left(store.take(LABEL, NOW).key) == 60
