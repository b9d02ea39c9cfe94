"""The attack matrix: what is sent, and what must come of it.

Each case has a name, a way to make its token, the outcome and the section of a
specification that asks for it. `tests/authentication/test_attacks.py` sends them all.
"""

from tests.authentication.attacks.cases import Case
from tests.authentication.attacks.claims import CLAIM_CASES
from tests.authentication.attacks.compact import COMPACT_CASES
from tests.authentication.attacks.good import GOOD_CASES
from tests.authentication.attacks.header import HEADER_CASES
from tests.authentication.attacks.keys import KEY_CASES
from tests.authentication.attacks.kinds import KIND_CASES
from tests.authentication.attacks.provider import PROVIDER_CASES
from tests.authentication.attacks.request import REQUEST_CASES
from tests.authentication.attacks.signature import SIGNATURE_CASES

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *REQUEST_CASES,
    *COMPACT_CASES,
    *HEADER_CASES,
    *SIGNATURE_CASES,
    *CLAIM_CASES,
    *KIND_CASES,
    *KEY_CASES,
    *PROVIDER_CASES,
    *GOOD_CASES,
)
