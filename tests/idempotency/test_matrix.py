"""The scenarios in which libraries with the same purpose fail, as one table.

Each row runs on each database, with and without ATOMIC_REQUESTS, and commits.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker, Settings

from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import InMemoryIssuer
from tests.idempotency import (
    matrix_answers,
    matrix_callers,
    matrix_failures,
    matrix_lives,
    matrix_payloads,
)
from tests.idempotency.matrix_world import (
    ROWS,
    Judged,
    Row,
    World,
    cleaned,
    effects,
    outcome_of,
    told,
)
from tests.idempotency.views import Script

MODULES = (
    matrix_answers,
    matrix_callers,
    matrix_failures,
    matrix_lives,
    matrix_payloads,
)

pytestmark = pytest.mark.urls("tests.idempotency.urls")


@pytest.fixture
def world(
    everywhere: str,
    django_db_blocker: DjangoDbBlocker,
    script: type[Script],
    oidc_issuer: InMemoryIssuer,
    settings: Settings,
) -> Iterator[World]:
    with django_db_blocker.unblock(), cleaned():
        yield World(everywhere, script, oidc_issuer, settings)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_matrix(row: Row, world: World) -> None:
    answers = row.play(world)
    waited = row.sqlite if world.vendor == "sqlite" else None
    expected = Judged(waited or row.answers, row.effects, row.records, row.entered)
    entered = None if row.entered is None else len(world.script.entered)
    records = IdempotencyRecord.objects.count()
    said = ", ".join(map(told, answers))
    assert Judged(said, effects(), records, entered) == expected, row.peers
    assert_repeated(answers)


def assert_repeated(answers: Any) -> None:
    """Assert that each replay is one of the answers that were none."""
    outcomes = [(told(answer), outcome_of(answer)) for answer in answers]
    first = [outcome for name, outcome in outcomes if "replayed" not in name]
    for name, outcome in outcomes:
        assert "replayed" not in name or outcome in first


def test_the_table_has_all_its_rows() -> None:
    assert len(MODULES) == len({row.play.__module__ for row in ROWS.values()})
    assert len(ROWS) >= 60
