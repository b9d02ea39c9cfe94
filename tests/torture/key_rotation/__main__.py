"""Keys rotate while gunicorn processes give out tokens and verify them.

Four processes with one database, and two services that fetch the keys over HTTP, as
anybody's would. Sessions at all of them refresh all the time, and present what they
get to everybody. The clock is set; everything else is real. Nobody is refused while
keys rotate by schedule, a key that signs no more dies in the second that
`apikit_keys list` has told, and one that is ended by hand within 15 seconds.
"""

import random
import sys
from typing import Any

from tests.torture.fleet.report import Report
from tests.torture.harness import conclude, options
from tests.torture.issuing.database import fresh_database
from tests.torture.key_rotation.fleet import Fleet, assembled
from tests.torture.key_rotation.phases import (
    cold,
    promised,
    retired,
    scheduled,
    sudden,
)

__all__ = ["run"]


def run(fleet: Fleet, rotations: int, seed: Any) -> Report:
    """Play all phases."""
    report, rng = Report(), random.Random(seed)
    try:
        cold(fleet, report)
        scheduled(fleet, report, rotations, rng)
        sudden(fleet, report, rounds=5 * rotations)
        promised(fleet, report, rng)
        retired(fleet, report)
    except RuntimeError as error:
        report.exactly(f"broken off: {error}", 1, 0)
    report.shown("seconds", round(report.lap(), 1))
    return report


def main() -> int:
    chosen = options(__doc__, databases=True, rotations=1)
    failed = 0
    for vendor in chosen.database:
        with fresh_database(vendor) as database, assembled(database) as fleet:
            report = run(fleet, chosen.rotations, f"{chosen.seed} {vendor}")
            if report.wrong:
                print(fleet.issuers.log(), fleet.services.log())
            counts = {"processes": fleet.issuers.count + fleet.services.count}
        print(report.table(), flush=True)
        counts |= {f"of {s}": n for s, n in sorted(report.answers.items())}
        name = f"key_rotation on {vendor} --seed {chosen.seed}"
        failed |= conclude(name, counts, {"wrong": report.wrong})
    return failed


if __name__ == "__main__":
    sys.exit(main())
