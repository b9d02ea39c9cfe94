"""`gunicorn tests.torture.stepped.wsgi`: the ledger with steps.

`TORTURE_ATOMIC_REQUESTS=1` puts each request in a transaction.
"""

import os
from collections.abc import Iterable
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.urls import resolve

from ledger.wsgi import application as ledger
from tests.torture.stepped.steps import HEADER, Step, now

__all__ = ["application"]

VARIABLE: Final = "HTTP_" + HEADER.upper().replace("-", "_")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer as the ledger does, unless a step is the end of it."""
    now.begin(environ.get(VARIABLE, ""))
    answer: Iterable[bytes] = ledger(environ, start_response)
    now.reach(Step.ANSWERING, Step.REPLAYING)
    return answer


connections.settings[DEFAULT_DB_ALIAS].update(
    ENGINE="tests.torture.stepped",
    ATOMIC_REQUESTS=os.environ.get("TORTURE_ATOMIC_REQUESTS") == "1",
)
del connections[DEFAULT_DB_ALIAS]
# Once for all workers, so that a new one is soon there.
resolve("/api/transfers/")
