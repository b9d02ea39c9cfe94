import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.etags import EntityTag
from drf_apikit.http.preconditions import Decision, Preconditions, evaluate
from tests.http.work import count_calls

KIB = 1024
TAG = EntityTag("v7")
WEAK = EntityTag("v7", weak=True)
TWO_PARTS = EntityTag("v7.json")
PROCEED, NOT_MODIFIED, FAILED = Decision

SAFE = ("GET", "HEAD")
UNSAFE = ("PUT", "PATCH", "DELETE", "POST")
ALL = (*SAFE, *UNSAFE)

#: If-Match, the selected representation, whether it holds.
IF_MATCH = [
    ("*", TAG, True),
    ("*", WEAK, True),
    ("*", None, False),
    ('"v7"', TAG, True),
    ('"v6", "v7"', TAG, True),
    ('"v6"', TAG, False),
    ('"v7"', None, False),
    ('W/"v7"', TAG, False),
    ('"v7"', WEAK, False),
    ('W/"v7"', WEAK, False),
    ('W/"v7", "v7"', TAG, True),
    ("v7", TAG, False),
    ("", TAG, False),
    ('*, "v7"', TAG, False),
    ('"v7.xml"', TWO_PARTS, True),
    ('"v7"', TWO_PARTS, True),
    ('"v6.json"', TWO_PARTS, False),
    ('"v70.json"', TWO_PARTS, False),
    ('W/"v7.json"', TWO_PARTS, False),
]

#: If-None-Match, the selected representation, whether it holds.
IF_NONE_MATCH = [
    ("*", TAG, False),
    ("*", None, True),
    ('"v7"', TAG, False),
    ('"v6", "v7"', TAG, False),
    ('"v6"', TAG, True),
    ('"v7"', None, True),
    ('W/"v7"', TAG, False),
    ('"v7"', WEAK, False),
    ('W/"v7"', WEAK, False),
    ("v7", TAG, True),
    ("", TAG, True),
    ('"v7", *', TAG, True),
    ('"v7.xml"', TWO_PARTS, True),
    ('"v7"', TWO_PARTS, True),
    ('"v7.json"', TWO_PARTS, False),
]

fields = st.none() | st.sampled_from(
    sorted({row[0] for row in (*IF_MATCH, *IF_NONE_MATCH)})
)


def name(value: object) -> str:
    return str(value) or "empty"


@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.compliance("RFC 9110", "8.8.3.2")
@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("field", "tag", "holds"), IF_MATCH, ids=name)
def test_if_match(method: str, field: str, tag: EntityTag | None, holds: bool) -> None:
    decision = evaluate(method, Preconditions(if_match=field), tag)
    assert decision is (PROCEED if holds else FAILED)


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.compliance("RFC 9110", "8.8.3.2")
@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize(("field", "tag", "holds"), IF_NONE_MATCH, ids=name)
def test_if_none_match_of_a_read(
    method: str, field: str, tag: EntityTag | None, holds: bool
) -> None:
    decision = evaluate(method, Preconditions(if_none_match=field), tag)
    assert decision is (PROCEED if holds else NOT_MODIFIED)


@pytest.mark.compliance("RFC 9110", "13.1.2")
@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(("field", "tag", "holds"), IF_NONE_MATCH, ids=name)
def test_if_none_match_of_a_write(
    method: str, field: str, tag: EntityTag | None, holds: bool
) -> None:
    decision = evaluate(method, Preconditions(if_none_match=field), tag)
    assert decision is (PROCEED if holds else FAILED)


@pytest.mark.compliance("RFC 9110", "13.2.2")
@pytest.mark.parametrize("method", ALL)
def test_if_match_is_decided_before_if_none_match(method: str) -> None:
    stale = Preconditions(if_match='"v6"', if_none_match='"v7"')
    assert evaluate(method, stale, TAG) is FAILED
    current = Preconditions(if_match='"v7"', if_none_match='"v7"')
    after = NOT_MODIFIED if method in SAFE else FAILED
    assert evaluate(method, current, TAG) is after


@pytest.mark.compliance("RFC 9110", "13.2.2")
@pytest.mark.parametrize(
    ("method", "tag"), list(itertools.product(ALL, (TAG, WEAK, None))), ids=name
)
def test_without_conditions_every_request_proceeds(
    method: str, tag: EntityTag | None
) -> None:
    assert evaluate(method, Preconditions(), tag) is PROCEED


@given(st.sampled_from(ALL), fields, fields, st.sampled_from((TAG, WEAK, None)))
def test_both_together_decide_as_one_after_the_other(
    method: str,
    if_match: str | None,
    if_none_match: str | None,
    tag: EntityTag | None,
) -> None:
    first = evaluate(method, Preconditions(if_match=if_match), tag)
    second = evaluate(method, Preconditions(if_none_match=if_none_match), tag)
    both = evaluate(method, Preconditions(if_match, if_none_match), tag)
    assert both is (second if first is PROCEED else first)


def test_a_hostile_list_costs_linear_work() -> None:
    def work(size: int) -> int:
        field = '"a",' * (size // 4)
        return count_calls(
            lambda: evaluate("PUT", Preconditions(field, field), EntityTag("b"))
        )

    small, large = work(16 * KIB), work(64 * KIB)
    assert large <= 4.2 * small
    assert large <= 8 * 64 * KIB
