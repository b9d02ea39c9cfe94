import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from pytest_django import Settings
from redis.exceptions import ConnectionError as UnreachableError

from drf_apikit.idempotency import replay_cache
from drf_apikit.idempotency.claims import Claim
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.counting import Counted, of_block, recorded
from tests.idempotency.calls import Call, caller, outcome, person
from tests.idempotency.views import Script, created

SCOPE = "0f" * 32
CLAIM = Claim(SCOPE, "a" * 64, "f" * 64, "POST", "route", 60)
COLUMNS = {"status_code": 201, "has_body": True, "codec": 0, "answer": b"\0\0\0\2[]"}

pytestmark = pytest.mark.urls("tests.idempotency.urls")
committing = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cache(redis_cache: BaseCache, settings: Settings) -> BaseCache:
    """Give the cache that the block uses: a real Redis."""
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    return redis_cache


@pytest.fixture
def counted(cache: BaseCache, settings: Settings) -> Counted:
    del cache
    return recorded(settings)


def replays(counted: Counted) -> list[str]:
    """Tell where the answers came from."""
    events = of_block("idempotency.replayed", counted)
    return [labels["source"] for _, labels in events]


def statements(call: Callable[[], Any]) -> Counter[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return Counter(query["sql"].split()[0] for query in captured)


def key_of(record: IdempotencyRecord) -> str:
    return replay_cache.key_of(record.scope, "default")


@committing
@pytest.mark.parametrize("url", ["/effects/", "/articles/", "/function/"])
def test_a_replay_on_a_list_route_asks_no_database(
    url: str, post: Call, counted: Counted
) -> None:
    body = {"title": "effect"}
    first = post(url, data=body)
    assert not statements(lambda: outcome(post(url, data=body)))
    assert outcome(post(url, data=body)) == outcome(first)
    assert post(url, data=body)["Idempotent-Replayed"] == "true"
    assert_problem(post(url, data={"title": "x"}), 422, "idempotency-key-reused")
    assert replays(counted) == ["cache"] * 3
    assert Article.objects.count() == 1


@committing
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("everywhere")
def test_a_replay_on_a_detail_route_reads_the_object(
    post: Call, counted: Counted
) -> None:
    url = f"/locking/{Article.objects.create().pk}/publish/"
    first = post(url)
    assert first.status_code == 201
    # The view locks it, so it is read within a transaction.
    read = statements(lambda: outcome(post(url)))
    assert read == {"BEGIN": 1, "SELECT": 1, "COMMIT": 1}
    assert outcome(post(url)) == outcome(first)
    assert replays(counted) == ["cache"] * 2


@committing
def test_who_may_not_see_the_object_gets_nothing_from_the_cache(
    post: Call, counted: Counted
) -> None:
    article = Article.objects.create(title="draft")
    url, rows = (
        f"/articles/{article.pk}/publish/",
        Article.objects.filter(pk=article.pk),
    )
    first = post(url)
    rows.update(title="hidden")
    assert_problem(post(url), 404, "not-found")
    rows.update(title="locked")
    assert_problem(post(url), 403, "permission-denied")
    assert not replays(counted)
    rows.update(title="draft")
    assert outcome(post(url)) == outcome(first)
    rows.delete()
    gone = post(url)
    assert (gone.status_code, gone.content) == (201, b"")
    assert replays(counted) == ["cache"] * 2


@committing
def test_an_answer_that_was_too_long_is_not_kept_there_either(
    post: Call, counted: Counted, settings: Settings
) -> None:
    recorded(settings, IDEMPOTENCY={"CACHE": "default", "MAX_BODY": 1})
    first = post()
    assert not statements(post)
    refused = post()
    assert_problem(refused, 409, "idempotency-response-not-kept")
    assert refused["Location"] == first["Location"]
    assert [event for event, _ in of_block("idempotency", counted)] == [
        "idempotency.executed",
        *["idempotency.not_kept"] * 2,
    ]


@committing
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("everywhere")
def test_what_was_rolled_back_is_never_there(
    cache: BaseCache, post: Call, script: type[Script]
) -> None:
    def spoil(request: Any) -> Any:
        response = created(request)
        transaction.set_rollback(True)
        return response

    script.answer = staticmethod(spoil)
    assert post().status_code == 201
    assert not get_redis_connection("default").keys()
    script.answer = staticmethod(created)
    with transaction.atomic():
        inner = caller(person("eve"))()
        assert inner.status_code == 201
        # It is not committed yet.
        assert not get_redis_connection("default").keys()
        transaction.set_rollback(True)
    assert not get_redis_connection("default").keys()
    assert post().status_code == 201
    record = IdempotencyRecord.objects.get()
    assert cache.get(key_of(record)) is not None


@committing
@pytest.mark.parametrize(("ttl", "life"), [(60, 3600), (3600, 60)])
def test_it_is_there_for_no_longer_than_its_record(
    ttl: int, life: int, cache: Any, post: Call, settings: Settings
) -> None:
    block = {"CACHE": "default", "TTL": ttl, "CACHE_LIFE": life}
    settings.DRF_APIKIT = {"IDEMPOTENCY": block}
    post()
    assert 50 <= cache.ttl(key_of(IdempotencyRecord.objects.get())) <= 60


GARBAGE: dict[str, Any] = {
    "a text": "garbage",
    "a number": 7,
    "too few": ("a", "b"),
    "of seven": tuple("garbage"),
    "of seven numbers": (1,) * 7,
    "another format": ("a" * 64, "f" * 64, 99, 201, True, 0, b"\0\0\0\2[]"),
    "damaged": ("a" * 64, "f" * 64, 1, 201, True, 1, b"\0\0\0\2[]"),
    "no answer": ("a" * 64, "f" * 64, 1, None, True, None, None),
}


@committing
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_what_cannot_be_read_is_asked_of_the_database(
    garbage: Any, cache: BaseCache, post: Call, counted: Counted
) -> None:
    first = post()
    cache.set(key_of(IdempotencyRecord.objects.get()), garbage)
    assert outcome(post()) == outcome(first)
    assert replays(counted) == ["database"]


@committing
def test_octets_that_are_no_pickle_are_asked_of_the_database(
    post: Call, counted: Counted
) -> None:
    first = post()
    redis = get_redis_connection("default")
    (key,) = redis.keys()
    for octets in (b"\x80\x05garbage", pickle.dumps(None)[:-1], b""):
        redis.set(key, octets)
        assert outcome(post()) == outcome(first)
    assert replays(counted) == ["database"] * 3


@committing
def test_a_cache_that_was_emptied_costs_a_statement_and_no_effect(
    cache: BaseCache, post: Call, counted: Counted
) -> None:
    first = post()
    cache.clear()
    assert outcome(post()) == outcome(first)
    assert replays(counted) == ["database"]
    assert Article.objects.count() == 1
    # Only a first run puts it there: nothing can bring back what was released.
    assert not get_redis_connection("default").keys()


@committing
def test_a_cache_that_is_down_changes_nothing_but_the_log(
    post: Call, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    backend = "django_redis.cache.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": nowhere}}
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    first = post(key="secret-key")
    assert outcome(post(key="secret-key")) == outcome(first)
    messages = [entry.getMessage() for entry in caplog.records]
    assert messages.count("Cannot put an answer into the cache.") == 1
    assert messages.count("Cannot read an answer from the cache.") == 2
    assert "secret-key" not in caplog.text
    with pytest.raises(UnreachableError):
        replay_cache.forget(SCOPE, "default")


@committing
def test_a_cache_that_is_not_in_the_settings_changes_nothing(
    post: Call, settings: Settings
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "elsewhere"}}
    assert outcome(post()) == outcome(post())
    assert Article.objects.count() == 1


@pytest.mark.usefixtures("cache")
def test_what_was_kept_is_found_until_it_is_forgotten() -> None:
    assert replay_cache.find(SCOPE, "default") is None
    replay_cache.keep(CLAIM, COLUMNS, "default")
    found = replay_cache.find(SCOPE, "default")
    assert found is not None
    assert (found.principal, found.fingerprint) == (CLAIM.principal, CLAIM.fingerprint)
    assert {name: getattr(found, name) for name in COLUMNS} == COLUMNS
    assert replay_cache.find("1e" * 32, "default") is None
    replay_cache.forget(SCOPE, "default")
    replay_cache.forget(SCOPE, "default")
    assert replay_cache.find(SCOPE, "default") is None


@pytest.mark.usefixtures("cache")
def test_an_answer_that_was_committed_before_its_release_does_not_come_back() -> None:
    replay_cache.forget(SCOPE, "default")
    replay_cache.keep(CLAIM, COLUMNS, "default")
    assert replay_cache.find(SCOPE, "default") is None
    cache: Any = caches["default"]
    assert 0 < cache.ttl(replay_cache.key_of(SCOPE, "default")) <= 60


def test_a_cache_that_keeps_nothing_has_nothing_to_forget(
    settings: Settings,
) -> None:
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": dummy}
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    replay_cache.forget(SCOPE, "default")


@pytest.mark.usefixtures("cache")
def test_a_cache_that_says_nothing_of_a_fault_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As django-redis does with IGNORE_EXCEPTIONS.
    monkeypatch.setattr(type(caches["default"]), "get", lambda *_: None)
    with pytest.raises(RuntimeError, match="does not keep"):
        replay_cache.forget(SCOPE, "default")


def test_without_a_cache_nothing_is_kept(settings: Settings) -> None:
    settings.DRF_APIKIT = {}
    replay_cache.keep(CLAIM, COLUMNS, "default")
    assert replay_cache.find(SCOPE, "default") is None
    replay_cache.forget(SCOPE, "default")
    assert caches["default"].get(replay_cache.key_of(SCOPE, "default")) is None


@committing
@pytest.mark.usefixtures("cache")
def test_an_answer_is_encrypted_there_as_well(post: Call, settings: Settings) -> None:
    block = {"CACHE": "default", "ENCRYPTION_KEYS": ["A" * 42 + "A="]}
    settings.DRF_APIKIT = {"IDEMPOTENCY": block}
    assert b"articles" in post().content
    redis = get_redis_connection("default")
    (key,) = redis.keys()
    assert b"articles" not in redis.get(key)
    assert not statements(post)


@committing
def test_what_is_released_and_forgotten_runs_anew(
    post: Call, script: type[Script], counted: Counted
) -> None:
    post()
    record = IdempotencyRecord.objects.get()
    scope = record.scope
    record.delete()
    assert post()["Idempotent-Replayed"] == "true"
    replay_cache.forget(scope, "default")
    assert "Idempotent-Replayed" not in post()
    assert replays(counted) == ["cache"]
    assert len(script.entered) == 2
