"""Long runs against the real thing: a ledger under gunicorn, and real databases.

Each prints one line and exits with 1 on a violation. `--seed` repeats the choices
of a run, though not the timing of the machine.

- `python -m tests.torture.idempotency --kills 40 --stops 1`: clients pay like a
  payment SDK does, retrying with the same key whatever happens, while workers are
  killed (SIGKILL) at every step of a request and at random instants, and PostgreSQL
  is stopped at once. Judged by the books: every key has exactly one transfer, every
  retry of it the same answer, and no money came or went. With ATOMIC_REQUESTS and
  without (`--atomic-requests`).
- `python -m tests.torture.same_key --keys 20`: 64 processes send the same request at
  the same moment. The view is entered once, and while it is held all others have
  409; later all get its answer. On SQLite (8 processes), PostgreSQL and MariaDB, with
  ATOMIC_REQUESTS and without.
- `python -m tests.torture.lost_update --rounds 60`: 2, 8 or 32 writers with the
  same If-Match at the same moment: PATCH, PUT, DELETE, all mixed, or PUT of a new
  name. Exactly one wins, the others get 412, and what is stored is what the winner
  wrote. By each way to protect a write, on SQLite, PostgreSQL and MariaDB, with
  ATOMIC_REQUESTS and without (`--atomic-requests`).
- `python -m tests.torture.stale_reads --mutations 1000`: rows, related rows, rights,
  languages, pages and formats change, by every way to write, also by a process that
  is killed behind its commit; then clients ask with all the tags that they hold,
  through every validator. Each 304 is compared with a fresh answer.
- `python -m tests.torture.failures --rounds 5000`: exceptions that nobody should
  raise (bytes, cycles, 5,000 levels, texts that raise) go into the exception
  handler. It never raises, and what it gives is a strict document. No servers.
- `python -m tests.torture.pagination --mutations 20000`: lists in all orderings of
  up to three columns are walked against one ORDER BY (`--orderings 0`, the default
  is a sample), and while rows come and go before every query (`--schedules`): none
  is lost, repeated or misplaced. Cursors are forged: none is accepted, none breaks
  anything. On SQLite, PostgreSQL and MariaDB, or with `--database` on one.
- `python -m tests.torture.fleet --tokens 2000`: four gunicorn processes with a Redis
  and a provider, by a clock that is set: a cold start, a day, rotations, a flood,
  outages, deaths. Fetches and waits are asserted.
- `python -m tests.torture.refresh --rounds 20`: fifty clients present one refresh
  token at the same moment to four gunicorn workers. One wins, and the session goes on;
  with REPEAT_SUCCESSOR all get the same successor. A copy that comes later ends its
  session, workers are killed at every step, and simplejwt's views run beside it.
- `python -m tests.torture.key_rotation --rotations 1`: four processes give out tokens
  and verify them, and two services fetch the keys, while keys rotate by a clock that
  is set. Nobody is refused, and a key ends in the second that was promised.
- `python -m tests.torture.tokens --inputs 20000`: tokens and keys with every fault at
  which a parser may fail. Nothing but our own errors comes out, and what is accepted
  is accepted by PyJWT and joserfc too. No servers.
"""

import os
import sys
from pathlib import Path

import django
from django.apps import apps

# As manage.py and pytest see the example, for `python -m` from the checkout.
sys.path.append(str(Path(__file__).parents[2] / "example_project"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
if not apps.ready:
    django.setup()
