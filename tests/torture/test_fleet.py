"""A little of the days of a fleet, and the proof that what is wrong is seen."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import redis
import requests

from tests.conftest import Services
from tests.services import UnavailableError
from tests.torture.fleet.__main__ import Size, run
from tests.torture.fleet.fleet import Fleet, Told, assembled
from tests.torture.fleet.outages import outage
from tests.torture.fleet.provider import (
    CANARY,
    DISCOVERY,
    GONE,
    GOOD,
    HANGS,
    JWKS,
    OUTAGES,
    providing,
)
from tests.torture.fleet.redis_server import RedisServer
from tests.torture.fleet.report import Report, most_within
from tests.torture.server import Answer

# Processes and a Redis are killed in the middle of what they say: a socket that a
# client of this run leaves unclosed then is no fault of what is judged.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

SIZE = Size(tokens=48, longest=20_000, colds=1)


@contextmanager
def two_processes(services: Services, *, shared: bool = True) -> Iterator[Fleet]:
    with ExitStack() as resources:
        try:
            fleet = resources.enter_context(assembled(2, shared=shared))
        except UnavailableError as error:
            services.refuse("redis", str(error))
        yield fleet


def wrong(report: Report) -> set[str]:
    return {row.what for row in report.rows if not row.right}


def test_a_fleet_asks_for_keys_once_and_nobody_waits(services: Services) -> None:
    with two_processes(services) as fleet:
        names = ["cold", "flood", "redis", "fetcher"]
        report = run(fleet, names, SIZE, seed=1)
        outage(fleet, report, HANGS, SIZE.longest, random.Random(1))
    assert not wrong(report), report.table()


def test_processes_that_share_nothing_ask_too_often(services: Services) -> None:
    with two_processes(services, shared=False) as fleet:
        report = run(fleet, ["cold"], SIZE, seed=1)
    assert wrong(report) == {"fetches at most in one"}


def test_what_expires_does_so_by_the_clock_alone(services: Services) -> None:
    with ExitStack() as resources:
        try:
            server = RedisServer(resources)
        except UnavailableError as error:
            services.refuse("redis", str(error))
        client = resources.enter_context(redis.Redis.from_url(server.url))
        client.set("short", 1, ex=10)
        client.set("long", 1, ex=1000)
        client.set("for ever", 1)
        server.pass_time(8)
        assert client.exists("short")
        server.pass_time(4)
        assert not client.exists("short")
        assert 986 <= client.ttl("long") <= 990
        server.pass_time(990)
        assert client.keys() == [b"for ever"]


@pytest.mark.parametrize("state", OUTAGES)
def test_a_provider_is_bad_in_every_way(state: str) -> None:
    # The only one that is not waited for to its end.
    seconds = 0.2 if state == HANGS else 10
    with providing() as provider:
        provider.turn(state)
        found = []
        for path in (DISCOVERY, JWKS):
            try:
                reply = requests.get(provider.url + path, timeout=seconds)
                found.append((reply.status_code, reply.text))
            except requests.RequestException as error:
                found.append((0, type(error).__name__))
        provider.turn(GOOD)
        answer = requests.get(provider.url + JWKS, timeout=10).json()
        heard = len(provider.requests)
    assert answer == {"keys": [provider.keys[0].jwk]}
    assert all(provider.keys[0].kid not in text for _, text in found)
    assert all(provider.url + JWKS not in text for _, text in found)
    assert heard == {GONE: 1, "redirects": 5}.get(state, 3)
    assert bool(provider.asked(CANARY)) == (state == "redirects")


@pytest.mark.parametrize(
    ("times", "most"),
    [((), 0), ((5.0,), 1), ((0.0, 20.0, 40.0), 1), ((0.0, 19.0, 25.0, 38.0), 3)],
)
def test_events_within_a_time_are_counted(times: tuple[float, ...], most: int) -> None:
    assert most_within(20, times) == most


def test_a_report_sees_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.begin("phase")
    for ask, found in (
        (report.exactly, 2),
        (report.most, 2),
        (report.least, 0),
        (report.exactly, 1),
        (report.most, 1),
        (report.least, 1),
    ):
        ask("figure", found, 1)
    report.shown("anything", 5)
    told = [Told(0, "token", Answer(status, {}, b"")) for status in (200, 0, 503)]
    report.none_but(200, "tokens", told)
    assert [row.right for row in report.rows] == [
        *(False, False, False, True, True, True),
        *(True, True, False),
    ]
    assert report.wrong == 4
    assert report.table().count("WRONG") == 4
    assert "| phase | figure | 2 | 1 | WRONG |" in report.table()
    assert capsys.readouterr().out == "... phase\n"
