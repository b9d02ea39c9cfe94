"""The verifier against tokens near to good ones, with PyJWT and joserfc as judges.

Whatever the input: nothing is raised but a token error or a key set error; what is
accepted, both of them accept under the same policy; what is good is accepted. The
same seed makes the same inputs.
"""

import logging
import random
import sys
import time
import warnings
from array import array
from collections import Counter
from typing import Any, Final

from joserfc.errors import SecurityWarning

from drf_apikit.jose import (
    KeySet,
    KeySetError,
    TokenError,
    parse_compact,
    parse_key_set,
    verify,
)
from tests.jose.minting import KEYS, NOW
from tests.torture.forged_tokens import JWKS, make_input, make_key_set
from tests.torture.harness import conclude, options
from tests.torture.token_oracles import WRONG as FAULTS
from tests.torture.token_oracles import Input, faults

WRONG: Final = ("raised", "good ones refused", *FAULTS)
ACCEPTED: Final = "accepted"
#: One input in so many is a key set alone.
_KEY_SETS: Final = 20
_QUANTILES: Final = {"median": 0.5, "p99": 0.99}

logger = logging.getLogger(__name__)


class Fuzzer:
    """Makes inputs, and counts what comes of them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.outcomes: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.nanoseconds = array("Q")

    def attempt(self, number: int) -> None:
        """Try the input with a number: each can be made again by itself."""
        rng = random.Random(f"{self._seed}-{number}")
        if number % _KEY_SETS == 0:
            self._try_key_set(number, make_key_set(rng))
        else:
            self._try_token(number, make_input(rng))

    def _try_key_set(self, number: int, document: Any) -> None:
        try:
            parse_key_set(document)
        except KeySetError:
            self.outcomes["no key set"] += 1
        except Exception:
            logger.exception("Input %s: it raised", number)
            self.wrong["raised"] += 1
        else:
            self.outcomes["a key set"] += 1

    def _try_token(self, number: int, given: Input) -> None:
        # Of the processor: what else the machine does is not measured.
        began = time.thread_time_ns()
        try:
            outcome = judge(given)
        except Exception:
            logger.exception("Input %s: it raised", number)
            self.wrong["raised"] += 1
            return
        self.nanoseconds.append(time.thread_time_ns() - began)
        self.outcomes[outcome] += 1
        found = faults(given) if outcome == ACCEPTED else set()
        if given.is_good and outcome != ACCEPTED:
            found.add("good ones refused")
        if found:
            logger.error("Input %s: %s, %s", number, outcome, sorted(found))
        self.wrong.update(found)


def judge(given: Input) -> str:
    """Give the reason of a refusal, or `ACCEPTED`."""
    keys = KEYS if given.jwks is JWKS else _keys(given)
    try:
        claims = verify(parse_compact(given.token), keys, given.policy, NOW)
    except TokenError as error:
        return error.reason.value
    # What is read of a token that is accepted must be readable.
    profile = given.policy.claims.profile
    profile.scopes_of(claims)
    profile.is_of_client(claims, profile.client_of(claims))
    return ACCEPTED


def _keys(given: Input) -> KeySet:
    return parse_key_set({"keys": list(given.jwks)})


def run(inputs: int, seed: int) -> int:
    """Run the inputs; print the result and give the exit code."""
    # That EdDSA has another name by now.
    warnings.simplefilter("ignore", SecurityWarning)
    fuzzer, began = Fuzzer(seed), time.perf_counter()
    for number in range(inputs):
        fuzzer.attempt(number)
    _report(fuzzer, inputs / (time.perf_counter() - began))
    counts = {"inputs": inputs, ACCEPTED: fuzzer.outcomes[ACCEPTED]}
    wrong = {name: fuzzer.wrong[name] for name in WRONG}
    return conclude(f"tokens --seed {seed}", counts, wrong)


def _report(fuzzer: Fuzzer, rate: float) -> None:
    """Print how fast it was, and what became of how many."""
    times = sorted(fuzzer.nanoseconds)
    found = {name: times[int(len(times) * q)] for name, q in _QUANTILES.items()}
    found["slowest"] = times[-1]
    told = ", ".join(f"{name} {ns // 1000} us" for name, ns in found.items())
    print(f"{rate:.0f} inputs/s with both judges; our part: {told}")
    for reason, count in fuzzer.outcomes.most_common():
        print(f"{count:>9} {reason}")


def main() -> int:
    chosen = options(__doc__, inputs=20_000)
    return run(chosen.inputs, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
