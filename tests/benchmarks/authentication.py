"""Authentication: signatures beside libraries, requests beside other packages.

    python -m tests.benchmarks.authentication --database postgresql

A provider on loopback, in a process of its own, serves its keys and answers about
tokens. All tokens are signed by RS256 with a key of 2048 bits, and everybody
finds one user in the database. Everybody's cache is memory of the process, which is
faster than one that processes share.
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from django.contrib.auth.models import User
from django.test import override_settings

from drf_apikit.jose import parse_compact
from drf_apikit.oidc import verified
from tests.benchmarks.authentication_algorithms import compare_algorithms
from tests.benchmarks.authentication_cases import (
    DIRECT,
    Call,
    Tokens,
    accepted,
    cold,
    each_in_turn,
    identity_by_django,
    identity_by_statement,
    issuers_of,
    known_user,
    ours,
    refusal,
    request_with,
)
from tests.benchmarks.authentication_peers import (
    BY_URL,
    OIDC_AUTH,
    SIMPLEJWT,
    Peer,
    peers_of,
    settings_of,
)
from tests.benchmarks.authentication_provider import provider_apart
from tests.benchmarks.harness import Goal, measure, options, throw_away_database
from tests.benchmarks.idempotency_cases import Floor
from tests.benchmarks.idempotency_costs import print_costs, statements_of

OURS: Final = "authenticate()"
DJANGO: Final = "identity by Django"
STATEMENT: Final = "identity by a statement made once"
USER: Final = "user by Django"
FLOOR: Final = "raw SQL"
VERIFIED: Final = "verify_token()"
MACHINE: Final = "machine client, USERS local"
THIRD: Final = "at most 0.33"
CACHES: Final = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
#: Entries of our cache of verified tokens.
ENTRIES: Final = 1000


class Bench:
    """The provider, the user and everybody who authenticates."""

    def __init__(self, chosen: argparse.Namespace, issuer: str) -> None:
        self.chosen, self.issuer = chosen, issuer
        self.issuers = issuers_of(issuer)
        self.user = known_user(issuer)
        self.tokens = Tokens.of(issuer, self.user)
        self.peers = peers_of(issuer)

    @contextmanager
    def settings(self, **members: Any) -> Iterator[None]:
        """Trust the provider, and let nobody know anything of it."""
        authentication = {"ISSUERS": self.issuers, **members}
        verified.forget()
        with override_settings(
            CACHES=CACHES,
            DRF_APIKIT={"AUTHENTICATION": authentication},
            **settings_of(self.issuer),
        ):
            yield

    def everybody(self, ask: Callable[[Peer], Call]) -> dict[str, Call]:
        return {name: ask(peer) for name, peer in self.peers.items()}

    def run(
        self, title: str, cases: dict[str, Call], goals: list[Goal], repeat: int = 5
    ) -> None:
        title = f"Authentication on {self.chosen.database}: {title}"
        measured = [goal for goal in goals if goal.base in cases]
        measure(title, cases, measured, self.chosen.rounds, repeat)
        print_costs(cases)


def beside(*names: str, case: str = OURS, wanted: str = "") -> list[Goal]:
    return [Goal(case, name, wanted) for name in names]


def keys_known(bench: Bench) -> None:
    tokens, user, url = bench.tokens, bench.user, bench.issuer
    request = request_with(tokens.good)
    cases: dict[str, Call] = {
        OURS: accepted(partial(ours, request), user),
        **bench.everybody(lambda peer: accepted(partial(peer.warm, request), user)),
        "authenticate(), USERS local": _local(tokens, user),
        MACHINE: accepted(partial(ours, request_with(tokens.machine)), None),
        VERIFIED: lambda: verified.verify_token(tokens.good, time.time()),
        "parse_compact()": partial(parse_compact, tokens.good),
        DJANGO: partial(identity_by_django, url),
        STATEMENT: partial(identity_by_statement, url),
        USER: lambda: User.objects.get(pk=user.pk),
        FLOOR: Floor(statements_of(partial(identity_by_statement, url))),
    }
    goals = [
        *beside(SIMPLEJWT, wanted=THIRD),
        *beside(*(name for name in bench.peers if name != SIMPLEJWT)),
        *beside(SIMPLEJWT, case="authenticate(), USERS local"),
        *beside(SIMPLEJWT, case=MACHINE),
        *beside(VERIFIED, USER, FLOOR),
        *beside(DJANGO, USER, FLOOR, case=STATEMENT),
    ]
    bench.run("keys known", cases, goals)


def tokens_cached(bench: Bench) -> None:
    tokens, user = bench.tokens, bench.user
    request = request_with(tokens.good)
    cases = {
        OURS: accepted(partial(ours, request), user),
        **bench.everybody(lambda peer: accepted(partial(peer.warm, request), user)),
        "authenticate(), USERS local": _local(tokens, user),
        MACHINE: accepted(partial(ours, request_with(tokens.machine)), None),
        VERIFIED: lambda: verified.verify_token(tokens.good, time.time()),
    }
    goals = [
        *beside(*bench.peers),
        *beside(SIMPLEJWT, case="authenticate(), USERS local"),
        *beside(SIMPLEJWT, case=MACHINE),
    ]
    bench.run("keys known, and our cache of verified tokens on", cases, goals)


def keys_unknown(bench: Bench) -> None:
    tokens, user, url = bench.tokens, bench.user, bench.issuer
    request = request_with(tokens.good)
    given = "authenticate(), JWKS_URI given"
    direct = partial(cold, url + DIRECT, request_with(tokens.direct))
    cases = {
        OURS: accepted(partial(cold, url, request), user),
        given: accepted(direct, user),
        **bench.everybody(lambda peer: accepted(partial(peer.cold, request), user)),
    }
    goals = [*beside(OIDC_AUTH), *beside(BY_URL, case=given)]
    bench.run("keys unknown to process and cache", cases, goals, repeat=1)


def refused(bench: Bench, title: str, *tokens: str) -> None:
    def call(authenticate: Callable[[Any], Any]) -> Call:
        return refusal(each_in_turn(authenticate, tokens))

    accepts = {SIMPLEJWT} if title != "expired" else set()
    peers = {n: call(p.warm) for n, p in bench.peers.items() if n not in accepts}
    bench.run(f"refused, {title}", {OURS: call(ours), **peers}, beside(*peers))


def _local(tokens: Tokens, user: User) -> Call:
    return accepted(partial(ours, request_with(tokens.local)), user)


def main() -> None:
    chosen = options(__doc__)
    # Some of them tell a log about each refusal, which is not to be timed.
    logging.getLogger().handlers = [logging.NullHandler()]
    with provider_apart() as issuer, throw_away_database(chosen.database):
        bench = Bench(chosen, issuer)
        tokens = bench.tokens
        compare_algorithms(chosen.rounds)
        with bench.settings():
            keys_known(bench)
            refused(bench, "expired", tokens.expired)
            refused(bench, "unknown kid", tokens.unknown)
            refused(bench, "a new unknown kid each time", *tokens.strangers)
        with bench.settings(TOKEN_CACHE_SIZE=ENTRIES):
            tokens_cached(bench)
        with bench.settings():
            keys_unknown(bench)


if __name__ == "__main__":
    main()
