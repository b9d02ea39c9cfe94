"""A little of the runs with keys, and the proof that their judges see what is wrong."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import Services
from tests.services import UnavailableError, durable_postgresql
from tests.torture import idempotency, same_key
from tests.torture.crowd import Crowd
from tests.torture.harness import Answer
from tests.torture.idempotency import KILL, STOP, Run
from tests.torture.keyed import UNPROTECTED, Told
from tests.torture.payments import BALANCES, Payment, judge
from tests.torture.same_key import Race, settings_of
from tests.torture.stepped import ledger as stepped
from tests.torture.stepped.ledger import SteppedLedger
from tests.torture.stepped.steps import Step

ENTERED, EFFECTS, ANSWERS, DIFFERING, WAITED, REFUSED = same_key.WRONG


@pytest.fixture(scope="module")
def ledger(services: Services) -> Iterator[SteppedLedger]:
    # A server of its own: it is to crash.
    with ExitStack() as resources:
        try:
            postgresql = resources.enter_context(durable_postgresql())
        except UnavailableError as error:
            services.refuse("postgresql", str(error))
        yield resources.enter_context(SteppedLedger(postgresql, atomic=True))


def test_payments_survive_kills_and_a_stop(
    ledger: SteppedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = [KILL, *Step, STOP]
    assert idempotency.run(ledger, "", plan, seed=1) == 0
    line = capsys.readouterr().out
    assert "idempotency --seed 1: ok: 11 kills, " in line
    assert all(f", 1 of them {step}, " in line for step in Step)
    assert ", 1 stops of PostgreSQL, " in line


def test_a_client_that_forgets_its_key_pays_twice(ledger: SteppedLedger) -> None:
    before: dict[int, int] = dict(ledger.query(BALANCES))
    played = Run(ledger, seed=2, forgetful=True)
    found = judge(ledger, played.play([Step.COMMITTED]), before)
    assert found["duplicated"]
    assert found["wrong balances"]


def test_a_step_that_nobody_comes_to_is_a_fault(
    ledger: SteppedLedger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stepped, "SECONDS_FOR_STEP", 0.01)
    monkeypatch.setattr(stepped.Trap, "take", lambda *_: None)
    assert idempotency.run(ledger, "", [Step.MOVED], seed=3) == 1
    assert ", 1 steps missed" in capsys.readouterr().out


def pay(ledger: SteppedLedger, key: str, reference: str) -> Answer:
    order = {"source": 1, "target": 2, "amount": 5, "currency": "EUR"}
    headers = {"Authorization": ledger.authorization(), "Idempotency-Key": key}
    order_with_text = {**order, "reference": reference}
    return ledger.send("POST", "/api/transfers/", order_with_text, headers)


def test_the_judge_of_payments_sees_every_fault(ledger: SteppedLedger) -> None:
    before: dict[int, int] = dict(ledger.query(BALANCES))
    good = Payment("judge-good", 1, 2, 5)
    good.answers = [pay(ledger, good.key, good.key) for _ in range(2)]
    assert not any(judge(ledger, [good], before).values())

    twice = Payment("judge-twice", 1, 2, 5)
    twice.answers = [pay(ledger, f"{twice.key}-{n}", twice.key) for n in range(2)]
    stuck = Payment("judge-stuck", 2, 1, 5)
    answer = good.answers[0]
    lost = Payment("judge-lost", 1, 2, 5, [answer])
    refused = replace(good, answers=[replace(answer, status=409)])
    differing = replace(good, answers=[answer, replace(answer, body=b'{"id": 0}')])
    failed = replace(good, failed=2)

    def seen(*payments: Payment) -> set[str]:
        return {name for name, n in judge(ledger, [*payments], before).items() if n}

    assert seen(good, twice) == {"duplicated", "differing", "wrong balances"}
    assert "stuck" in seen(stuck)
    assert "lost" in seen(lost)
    assert "lost" in seen(refused)
    assert {"lost", "differing"} <= seen(differing)
    assert "answers of 5xx" in seen(failed)
    richer = {**before, 1: before[1] + 1}
    assert "out of balance" in {
        name for name, n in judge(ledger, [good], richer).items() if n
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_of_several_processes_with_a_key_one_enters(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Crowd(8) as crowd, crowd.part(8):
        crowd.use(settings_of(atomic=True))
        assert same_key.run(crowd, database, keys=2) == 0
        unprotected = Race("unprotected", held=True, path=UNPROTECTED)
        same_key.race(crowd, unprotected)
    line = f"same_key on {database}: ok: 2 keys, 48 requests, 2 held, 10 of 201 at once"
    assert line in capsys.readouterr().out
    found = same_key.judge(unprotected)
    assert unprotected.entered == 16
    assert set(+found) == {ENTERED, EFFECTS, ANSWERS, DIFFERING}


NEW, OLD = {"Location": "/1"}, {"Location": "/1", "Idempotent-Replayed": "true"}
MADE, SAID_AGAIN, BUSY = Told(201, NEW), Told(201, OLD), Told(409, {"Retry-After": "1"})
OTHER_PLACE = Told(201, {**OLD, "Location": "/2"})


@pytest.mark.parametrize(
    ("first", "again", "changed", "wrong"),
    [
        ((BUSY, MADE, BUSY), (SAID_AGAIN,), {}, set()),
        ((BUSY, MADE, SAID_AGAIN), (SAID_AGAIN,), {"held": False}, set()),
        ((BUSY, MADE, SAID_AGAIN), (SAID_AGAIN,), {}, {ANSWERS}),
        ((BUSY, MADE), (SAID_AGAIN,), {"entered": 2}, {ENTERED}),
        ((BUSY, MADE), (SAID_AGAIN,), {"effects": 2}, {EFFECTS}),
        ((BUSY, MADE), (SAID_AGAIN,), {"waited": 1}, {WAITED}),
        ((BUSY, MADE), (MADE,), {}, {ANSWERS}),
        ((BUSY, MADE), (BUSY,), {}, {ANSWERS, DIFFERING}),
        ((BUSY, MADE), (OTHER_PLACE,), {}, {DIFFERING}),
        ((MADE, MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((MADE, OTHER_PLACE), (SAID_AGAIN,), {"held": False}, {DIFFERING}),
        ((Told(409), MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((Told(503), MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((BUSY,), (SAID_AGAIN,), {"unrelated": True}, {REFUSED, ANSWERS, DIFFERING}),
    ],
)
def test_the_judge_of_keys_sees_every_fault(
    first: tuple[Told, ...],
    again: tuple[Told, ...],
    changed: dict[str, Any],
    wrong: set[str],
) -> None:
    race = Race("mark", held=True, entered=1, effects=1)
    race.first, race.again = list(first), list(again)
    assert set(+same_key.judge(replace(race, **changed))) == wrong
