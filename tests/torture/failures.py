"""The exception handler against exceptions that nobody should raise.

It gives a strict document, or None for what is no problem of the client's, and
never raises. The same seed makes the same exceptions.
"""

import json
import logging
import random
import sys
from typing import Any, NoReturn
from uuid import UUID

from drf_apikit.problems import exception_handler
from tests.torture.harness import conclude, options
from tests.torture.hostile import make_context, make_error

WRONG = ("raised", "invalid")
MEMBERS = ("type", "title", "detail", "instance")

logger = logging.getLogger(__name__)


def judge(response: Any) -> str:
    """Say what is wrong with an answer; nothing when it is a strict document."""
    document = json.loads(response.content.decode("utf-8"), parse_constant=_refuse)
    # A lone surrogate is no Unicode text.
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    texts = [document[name] for name in MEMBERS]
    if not all(isinstance(text, str) and text for text in texts):
        return f"members: {texts}"
    UUID(document["instance"].removeprefix("urn:uuid:"))
    status = document["status"]
    if type(status) is not int or status != response.status_code:
        return f"status: {status!r}"
    if not 400 <= status <= 599:
        return f"no failure: {status}"
    if not isinstance(document.get("errors", []), list):
        return "errors"
    if response.headers["Content-Type"] != "application/problem+json":
        return "media type"
    return ""


def attempt(rng: random.Random) -> str:
    """Give the outcome of one exception; log what is wrong."""
    error, context = make_error(rng), make_context(rng)
    try:
        response = exception_handler(error, context)
    except Exception:
        logger.exception("It raised, given %s", type(error))
        return "raised"
    if response is None:
        return "left to Django"
    try:
        wrong = judge(response)
    except Exception:
        logger.exception("Not readable, given %s", type(error))
        return "invalid"
    if wrong:
        logger.error("Wrong, given %s: %s", type(error), wrong)
    return "invalid" if wrong else "valid"


def run(rounds: int, seed: int) -> int:
    """Run the exceptions; print the result and give the exit code."""
    rng = random.Random(seed)
    counts = {"rounds": rounds, "valid": 0, "left to Django": 0}
    wrong = dict.fromkeys(WRONG, 0)
    for _ in range(rounds):
        outcome = attempt(rng)
        (wrong if outcome in WRONG else counts)[outcome] += 1
    return conclude(f"failures --seed {seed}", counts, wrong)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def main() -> int:
    chosen = options(__doc__, rounds=5000)
    # It reports each fault that it survives, with its trace.
    logging.getLogger("drf_apikit").propagate = False
    logging.getLogger("drf_apikit").addHandler(logging.NullHandler())
    return run(chosen.rounds, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
