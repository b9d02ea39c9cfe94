"""How fast each block is, as ratios measured within one run.

    python -m tests.benchmarks.pagination --database postgresql --rounds 40

Each prints the time of every case and its ratios beside the goals; nothing is
asserted, since a shared machine proves nothing. All work on a throw-away database.

- `pagination`: a page at any depth: ours, our peers' and the best raw SQL; totals.
- `planner`: the forms of a page on each database, the reason for what ours does.
- `conditional`: 200, 304 and the least that a view can do; PATCH with If-Match.
- `idempotency`: a first run, a replay, and the same view without protection.
- `authentication`: `authenticate()` beside three packages; signatures beside PyJWT and
  joserfc.
- `problems`: the exception handler beside DRF's own.
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
