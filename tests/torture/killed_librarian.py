"""A process that makes one change of `stale_reads`, and is killed behind its commit.

It takes its order from standard input.
"""

import json
import os
import random
import signal
import sys
from unittest import mock

from django.db import connections, transaction
from django.test import override_settings
from django.utils import timezone

from tests.torture.stale_reads import Clock, World, with_generations


def main() -> None:
    order = json.load(sys.stdin)
    connections.settings["default"] = order["database"]
    del connections["default"]
    world, clock = World(random.Random(order["seed"])), Clock(order["behind"])
    world.number = order["number"]
    with (
        override_settings(CACHES=order["caches"]),
        with_generations(),
        mock.patch.object(timezone, "now", clock.now),
        transaction.atomic(),
    ):
        # Before what finishes the marks.
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        world.change()


if __name__ == "__main__":
    main()
