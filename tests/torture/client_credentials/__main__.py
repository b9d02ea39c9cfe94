"""Fifty worker processes that share one token over a Redis.

They are forked from one, and call an API on loopback, all at the same time. The clock
is set; everything else is real. Each figure is asserted: above all one request for a
token in each of its lives, also where the endpoint is slow, a process is killed while
it asks, the API refuses a token, or the endpoint refuses the client.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Final

from tests.torture.client_credentials.crowd import (
    LOCK,
    RENEWED,
    Crowd,
    Held,
    Told,
    assembled,
)
from tests.torture.fleet.report import Report
from tests.torture.harness import conclude, options

__all__ = ["PHASES", "run"]

#: Parts of a life at which all call.
STEPS: Final = 4
#: Seconds after which a refusal is told no more, and between two looks.
PAUSE, GLANCE = 61, 1
#: Seconds between two tokens that a refusal has made us fetch.
FORCED: Final = 30

#: Real seconds that a slow endpoint takes: all others come to wait.
SLOW: Final = 0.5

Phase = Callable[[Crowd, Report, int], None]


def lifetimes(crowd: Crowd, report: Report, lives: int) -> None:
    """All call again and again, through several lives of tokens."""
    report.exactly("requests, cold", _called(crowd, report), 1)
    for _ in range(lives):
        asked = 0
        for _ in range(STEPS):
            crowd.advance(RENEWED / STEPS)
            asked += _called(crowd, report)
        report.exactly("requests, one life", asked, 1)
        # All look again after a second.
        crowd.advance(GLANCE)
        report.exactly("requests, after it", _called(crowd, report), 0)
        told = crowd.call()
        report.exactly("tokens", len({each.token for each in told}), 1)


def slow_when_cold(crowd: Crowd, report: Report, _: int) -> None:
    """The endpoint takes its time, and nobody has a token."""
    held = Held(crowd.endpoint)
    crowd.begin()
    report.exactly("asked by a worker", held.pid > 0, 1)
    held.let_go(after=SLOW)
    report.exactly("requests", _judged(crowd, report, crowd.end()), 1)


def slow(crowd: Crowd, report: Report, _: int) -> None:
    """It takes its time while there is a token: nobody waits for it."""
    _called(crowd, report)
    crowd.advance(RENEWED)
    held = Held(crowd.endpoint)
    told = crowd.call()
    report.exactly("asked by a worker", held.pid > 0, 1)
    for _ in range(STEPS):
        crowd.advance(GLANCE)
        told += crowd.call()
    held.let_go()
    report.exactly("requests", _judged(crowd, report, told), 1)


def killed(crowd: Crowd, report: Report, _: int) -> None:
    """The process that renews is killed: another one does, when its lock is over."""
    _called(crowd, report)
    crowd.advance(RENEWED)
    held = Held(crowd.endpoint)
    told = crowd.call()
    crowd.kill(held.pid)
    held.let_go()
    for _ in range(LOCK - 1):
        crowd.advance(GLANCE)
        told += crowd.call()
    report.exactly("requests, with its lock", _judged(crowd, report, told), 1)
    crowd.advance(2 * GLANCE)
    report.exactly("requests, without", _called(crowd, report), 1)


def killed_when_cold(crowd: Crowd, report: Report, _: int) -> None:
    """It is killed while all the others wait for it: they wait for the next one."""
    held = Held(crowd.endpoint)
    crowd.begin()
    pid = held.pid
    held.let_go(after=SLOW, before=lambda: crowd.kill(pid))
    crowd.advance(LOCK + GLANCE)
    report.exactly("requests", _judged(crowd, report, crowd.end()), 2)


def refused_token(crowd: Crowd, report: Report, _: int) -> None:
    """The API refuses a good token: one process has it replaced for all."""
    _called(crowd, report)
    crowd.api.good -= {f"token-{crowd.endpoint.given}"}
    report.exactly("requests", _called(crowd, report), 1)
    crowd.api.good.clear()
    told = crowd.call()
    crowd.settle()
    statuses = {each.status for each in told}
    report.exactly("calls that are answered with 401", statuses == {401}, 1)
    report.exactly("requests, for whatever is refused", crowd.requests(), 0)
    crowd.advance(FORCED + GLANCE)
    crowd.call()
    report.exactly("requests, later", crowd.requests(), 1)


def refused_client(crowd: Crowd, report: Report, _: int) -> None:
    """The endpoint refuses the client: one process is told, and tells the others."""
    crowd.endpoint.refuse()
    for _ in range(3):
        told = crowd.call() + crowd.call()
        reasons = {each.error.rpartition(": ")[2] for each in told}
        wanted = {"refused with invalid_client"}
        report.exactly("all are told why", reasons == wanted, 1)
        report.exactly("requests", crowd.requests(), 1)
        crowd.advance(PAUSE)
    crowd.endpoint.mend()
    report.exactly("requests, in the end", _called(crowd, report), 1)


def without_redis(crowd: Crowd, report: Report, _: int) -> None:
    """The Redis dies: each process helps itself, and nobody fails."""
    _called(crowd, report)
    crowd.redis.kill()
    crowd.advance(RENEWED)
    asked = _called(crowd, report)
    report.exactly("requests, each for itself", asked, crowd.count)
    crowd.redis.start()


PHASES: Final[dict[str, Phase]] = {
    "lifetimes": lifetimes,
    "slow": slow,
    "slow-when-cold": slow_when_cold,
    "killed": killed,
    "killed-when-cold": killed_when_cold,
    "refused-token": refused_token,
    "refused-client": refused_client,
    "without-redis": without_redis,
}


def _called(crowd: Crowd, report: Report) -> int:
    """Let all call; give how often a token was asked for."""
    return _judged(crowd, report, crowd.call())


def _judged(crowd: Crowd, report: Report, told: Iterable[Told]) -> int:
    crowd.settle()
    statuses = [each.status for each in told]
    report.answers.update(statuses)
    failed = len(statuses) - statuses.count(200)
    if failed:
        report.exactly("calls that fail", failed, 0)
    return crowd.requests()


def run(crowd: Crowd, names: Iterable[str], lives: int) -> Report:
    """Play the phases, each from a cold start."""
    report = Report()
    for name in names:
        report.begin(name)
        crowd.forget()
        PHASES[name](crowd, report, lives)
        report.shown("seconds", round(report.lap(), 1))
    return report


def main() -> int:
    chosen = options(__doc__, choices={"phase": ("all", *PHASES)}, workers=50, lives=5)
    names = list(PHASES) if chosen.phase == "all" else [chosen.phase]
    with assembled(chosen.workers) as crowd:
        report = run(crowd, names, chosen.lives)
        if report.wrong:
            print(crowd.log())
    print(report.table())
    counts = {
        "workers": chosen.workers,
        "calls": report.answers.total(),
        "tokens": crowd.endpoint.given,
    }
    return conclude("client_credentials", counts, {"wrong": report.wrong})


if __name__ == "__main__":
    sys.exit(main())
