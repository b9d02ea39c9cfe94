import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.traces import parse_trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"00-{TRACE}-{PARENT}-01", id="sampled"),
        pytest.param(f"00-{TRACE}-{PARENT}-00", id="not-sampled"),
        pytest.param(f"00-{TRACE}-{PARENT}-ff", id="unknown-flags"),
        pytest.param(f" \t00-{TRACE}-{PARENT}-01\t ", id="space-around"),
        pytest.param(f"01-{TRACE}-{PARENT}-01", id="later-version"),
        pytest.param(f"fe-{TRACE}-{PARENT}-01", id="last-version"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be", id="longer"),
        pytest.param(f"cc-{TRACE}-{PARENT}-01-", id="longer-by-a-dash"),
    ],
)
def test_a_valid_header_has_a_trace(value: str) -> None:
    assert parse_trace_id(value) == TRACE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="space"),
        pytest.param("00", id="version-alone"),
        pytest.param(TRACE, id="trace-alone"),
        pytest.param(f"ff-{TRACE}-{PARENT}-01", id="forbidden-version"),
        pytest.param(f"X00-{TRACE}-{PARENT}-01X", id="letters-around"),
        pytest.param(f"0-{TRACE}-{PARENT}-01", id="short-version"),
        pytest.param(f".0-{TRACE}-{PARENT}-01", id="odd-version"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="no-trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no-parent"),
        pytest.param(f"01-{'0' * 32}-{PARENT}-01", id="no-trace-later-version"),
        pytest.param(f"00-{TRACE.upper()}-{PARENT}-01", id="uppercase-trace"),
        pytest.param(f"00-{TRACE}-{PARENT.upper()}-01", id="uppercase-parent"),
        pytest.param(f"FE-{TRACE}-{PARENT}-01", id="uppercase-version"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-more", id="too-long"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-", id="too-long-by-a-dash"),
        pytest.param(f"00-{TRACE}-{PARENT}-011", id="too-long-flags"),
        pytest.param(f"01-{TRACE}-{PARENT}-01.more", id="longer-without-a-dash"),
        pytest.param(f"01-{TRACE}-{PARENT}-01-a b", id="longer-with-a-space"),
        pytest.param(f"00-{TRACE}-{PARENT}-0", id="short-flags"),
        pytest.param(f"00-{TRACE}-{PARENT}", id="no-flags"),
        pytest.param(f"00-{TRACE[1:]}-{PARENT}-01", id="short-trace"),
        pytest.param(f"00-{TRACE}0-{PARENT}-01", id="long-trace"),
        pytest.param(f"00-{TRACE}-{PARENT[1:]}-01", id="short-parent"),
        pytest.param(f"00-{TRACE[:-1]}g-{PARENT}-01", id="no-hex"),
        pytest.param(f"00-{TRACE[:-1]}٣-{PARENT}-01", id="other-digits"),
        pytest.param(f"00_{TRACE}_{PARENT}_01", id="underscores"),
        pytest.param(f"00-{TRACE}-{PARENT}-01\n", id="newline"),
        pytest.param(f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01", id="two"),
        pytest.param("0" * 100_000, id="huge"),
    ],
)
def test_what_is_invalid_has_none(value: str) -> None:
    assert parse_trace_id(value) is None


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"))
def test_what_is_found_is_a_trace_id(value: str) -> None:
    found = parse_trace_id(value)
    assert found is None or (len(found) == 32 and set(found) <= set("0123456789abcdef"))
