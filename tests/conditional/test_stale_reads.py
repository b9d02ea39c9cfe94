"""A little of the torture run, and the proof that its judge sees what is wrong."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from pytest_django import Settings

from drf_apikit.conditional import (
    Aggregate,
    PageDigest,
    UpdatedAt,
    Validator,
    VersionField,
)
from drf_apikit.conditional.generations.store import keys_of
from tests.app.models import Document, Label
from tests.compliance.conditional_generations import unwatch
from tests.torture import stale_reads
from tests.torture.library import Documents, Kind, Nested, Public
from tests.torture.stale_reads import (
    Clock,
    Library,
    World,
    change_and_die,
    run,
    with_generations,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def without_guards(redis_cache: BaseCache, settings: Settings) -> Iterator[None]:
    assert settings.CACHES["default"]
    redis_cache.clear()
    yield
    unwatch()


@pytest.mark.usefixtures("database")
def test_no_304_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("it", seed=1, mutations=12) == 0
    line = capsys.readouterr().out
    assert line.startswith("stale_reads on it --seed 1: ok: 12 mutations, ")
    assert not Document.objects.exists()
    assert not User.objects.exists()


class Seeds(random.Random):
    """Gives the seed by which a world begins with a certain change."""

    def __init__(self, change: str) -> None:
        super().__init__(1)
        self.change = change

    def getrandbits(self, k: int, /) -> int:
        seeds = (super(Seeds, self).getrandbits(k) for _ in range(10_000))
        return next(seed for seed in seeds if self._begins(seed))

    def _begins(self, seed: int) -> bool:
        world = World(random.Random(seed))
        return world.rng.choice(world.changes).__name__ == self.change


def test_who_is_killed_behind_the_commit_has_marked_before() -> None:
    world, clock = World(random.Random(1)), Clock(60)
    with with_generations():
        world.fill()
        Label.objects.update(name="old")
        world.rng = Seeds("do_label_update")
        change_and_die(world, clock)
        assert not Label.objects.filter(name="old").exists()
        assert any(key in cache for key in keys_of("tests_app.label").slots)
        assert not any(key in cache for key in keys_of("tests_app.author").slots)


def wrong(base: type[Documents], of_list: bool = False, **own: Any) -> Kind:
    view = type("Wrong", (base,), {"last_modified_field": "", **own})
    return Kind("wrong", view, of_list)


def stale(kind: Kind, *changes: str) -> set[str]:
    """Let some things change, and nothing else."""
    library = Library(random.Random(1), (kind,))
    library.world.changes = [getattr(library.world, f"do_{name}") for name in changes]
    library.play(20)
    return {what for what in stale_reads.WRONG if library.found[what]}


class Never(Validator):
    """Says that nothing ever changes."""

    def before(self, view: Any, /) -> Any:
        return view.make_tag("2-same")

    def after(self, _view: Any, before: Any, /) -> Any:
        return before


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (wrong(Nested, validator=VersionField(), depends_on=("author",)), "tag_add"),
        (wrong(Nested, validator=UpdatedAt(), depends_on=("author",)), "label_update"),
        (
            wrong(Nested, True, list_validator=PageDigest(), depends_on=("author",)),
            "label_save",
        ),
        (wrong(Nested, True, list_validator=Aggregate(), depends_on=()), "tag_raw"),
        (wrong(Documents, True, list_validator=Never()), "insert"),
        (wrong(Nested, validator=Never()), "patch"),
    ],
    ids=["membership", "nested row", "page", "aggregate", "list", "object"],
)
def test_the_judge_of_reads_sees_every_fault(
    kind: Kind, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_reads, "SWITCHED", 0)
    assert "stale" in stale(kind, change)


def test_the_judge_of_reads_sees_dates_that_say_too_much() -> None:
    dated: Any = {"validator": VersionField(), "last_modified_field": "updated_at"}
    assert "stale by date" in stale(wrong(Nested, **dated), "label_update")
    assert not stale(wrong(Public, **dated), "save", "label_update", "touch")


def test_a_view_that_never_answers_304_is_wrong() -> None:
    library = Library(random.Random(1), (wrong(Documents),))
    library.counts["seldom"].update(asked=100, **{"304": 4, "might be early": 100})
    library.counts["often"].update({"asked": 100, "304": 5, "early": 5})
    library.conclude()
    assert library.found == {stale_reads.WRONG[-2]: 1, stale_reads.WRONG[-1]: 1}


def test_one_tag_for_two_answers_is_wrong() -> None:
    library = Library(random.Random(1), (wrong(Documents),))
    client = library.clients[0]

    class Answer(dict[str, str]):
        status_code = 200
        content = b"one"

    assert list(client.judge(Answer(ETag='"a"'))) == ["asked"]
    client.held['"a"'] = b"other"
    assert list(client.judge(Answer(ETag='"a"'))) == ["asked", "tags of two bodies"]
    Answer.status_code = 500
    assert list(client.judge(Answer())) == ["asked", "other answers"]
