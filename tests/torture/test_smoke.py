"""A little of each run, and the proof that their judges see what is wrong."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conftest import Services
from tests.torture import failures, idempotency, lost_update
from tests.torture.harness import Answer, Ledger, conclude, running
from tests.torture.idempotency import BALANCES, Payment, judge


@pytest.fixture(scope="module")
def ledger(services: Services) -> Iterator[Ledger]:
    with running(services.url("postgresql")) as ledger:
        yield ledger


def test_payments_survive_kills(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert idempotency.run(ledger, kills=3, seed=1) == 0
    assert "idempotency --seed 1: ok: 3 kills" in capsys.readouterr().out


def test_of_several_writers_one_wins(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lost_update.run(ledger, rounds=3, seed=1) == 0
    assert "lost_update --seed 1: ok: 3 rounds" in capsys.readouterr().out


def test_no_exception_breaks_the_handler(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.run(rounds=300, seed=1) == 0
    assert "failures --seed 1: ok: 300 rounds" in capsys.readouterr().out


def test_what_is_wrong_ends_a_run_with_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert conclude("name", {"rounds": 2}, {"lost": 0, "stuck": 1}) == 1
    assert capsys.readouterr().out == "name: FAILED: 2 rounds, 0 lost, 1 stuck\n"


def pay(ledger: Ledger, key: str, reference: str) -> Answer:
    order = {"source": 1, "target": 2, "amount": 5, "currency": "EUR"}
    headers = {"Authorization": ledger.authorization(), "Idempotency-Key": key}
    order_with_text = {**order, "reference": reference}
    return ledger.send("POST", "/api/transfers/", order_with_text, headers)


def test_the_judge_of_payments_sees_every_fault(ledger: Ledger) -> None:
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


def test_a_race_without_a_common_tag_has_no_single_winner(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ledger.send

    def without_tag(
        method: str, path: str, body: object = None, headers: object = None
    ) -> Answer:
        given = dict(headers) if isinstance(headers, dict) else {}
        given.pop("If-Match", None)
        return send(method, path, body, given)

    monkeypatch.setattr(ledger, "send", without_tag)
    assert lost_update.race(ledger, 1, 2, "all win")["without one winner"] == 1
