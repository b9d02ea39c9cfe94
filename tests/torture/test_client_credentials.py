"""A few workers with a token, and the proof that what is wrong is seen."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Services
from tests.services import UnavailableError
from tests.torture.client_credentials.__main__ import PHASES, run
from tests.torture.client_credentials.crowd import Crowd, assembled
from tests.torture.fleet.report import Report

# A Redis is killed in the middle of what it says: a socket that a client of this run
# leaves unclosed then is no fault of what is judged.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@contextmanager
def four_workers(services: Services, *, shared: bool = True) -> Iterator[Crowd]:
    try:
        with assembled(4, shared=shared) as crowd:
            yield crowd
    except UnavailableError as error:
        services.refuse("redis", str(error))


def wrong(report: Report) -> set[str]:
    return {row.what for row in report.rows if not row.right}


def test_workers_share_one_token_whatever_happens(services: Services) -> None:
    with four_workers(services) as crowd:
        report = run(crowd, PHASES, lives=1)
        assert wrong(report) == set(), crowd.log()
    assert report.answers[200] > 100


def test_that_they_do_not_share_is_seen(services: Services) -> None:
    with four_workers(services, shared=False) as crowd:
        report = run(crowd, ["lifetimes"], lives=1)
    assert wrong(report) == {"requests, cold", "requests, one life", "tokens"}
