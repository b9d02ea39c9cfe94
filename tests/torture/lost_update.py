"""Writers with one and the same entity tag: exactly one of them may win."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.torture.harness import Answer, Ledger, conclude, options, running

WRITERS = (2, 8)
WRONG = ("without one winner", "with another loser", "lost", "of 5xx")


def race(ledger: Ledger, account: int, writers: int, mark: str) -> dict[str, int]:
    """Let the writers go at once; count what went wrong."""
    path = f"/api/accounts/{account}/"
    token = {"Authorization": ledger.authorization()}
    before = ledger.send("GET", path, headers=token)
    barrier = Barrier(writers)

    def write(number: int) -> Answer:
        headers = {**token, "If-Match": before.headers["ETag"]}
        barrier.wait()
        return ledger.send("PATCH", path, {"name": f"{mark}-{number}"}, headers)

    with ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(write, range(writers)))
    statuses = [answer.status for answer in answers]
    after = ledger.send("GET", path, headers=token).json()
    names = [f"{mark}-{n}" for n, status in enumerate(statuses) if status == 200]
    kept = [after["name"]] == names
    moved = after["version"] == before.json()["version"] + 1
    return {
        WRONG[0]: int(len(names) != 1),
        WRONG[1]: int(any(status not in {200, 412} for status in statuses)),
        WRONG[2]: int(not kept or not moved),
        WRONG[3]: sum(status >= 500 for status in statuses),
    }


def run(ledger: Ledger, rounds: int, seed: int) -> int:
    """Run the races; print the result and give the exit code."""
    rng = random.Random(seed)
    wrong = dict.fromkeys(WRONG, 0)
    for number in range(rounds):
        writers = WRITERS[number % len(WRITERS)]
        found = race(ledger, rng.randrange(1, 40), writers, f"{seed}-{number}")
        wrong = {name: wrong[name] + count for name, count in found.items()}
    counts = {"rounds": rounds, "writers at most": max(WRITERS)}
    return conclude(f"lost_update --seed {seed}", counts, wrong)


def main() -> int:
    chosen = options(__doc__, rounds=60)
    with running() as ledger:
        return run(ledger, chosen.rounds, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
