from dataclasses import FrozenInstanceError
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.etags import ANY, AnyTag, EntityTag, TagList, parse_tag_list
from tests.http.work import count_calls

KIB = 1024
ETAGC = "".join(map(chr, [0x21, *range(0x23, 0x7F), *range(0x80, 0x100)]))
OUTSIDE = "".join(map(chr, [*range(0x21), 0x22, 0x7F, 0x100, 0x2028, 0xD800]))

tags = st.builds(EntityTag, st.text(ETAGC, max_size=20), st.booleans())
separators = st.text(" \t,", max_size=4).map(lambda space: f"{space},{space}")


def strong(*opaque: str) -> tuple[EntityTag, ...]:
    return tuple(map(EntityTag, opaque))


def weak(opaque: str) -> EntityTag:
    return EntityTag(opaque, weak=True)


@pytest.mark.compliance("RFC 9110", "8.8.3")
@pytest.mark.compliance("RFC 9110", "13.1.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('"a"', strong("a"), id="one"),
        pytest.param('""', strong(""), id="empty-opaque"),
        pytest.param('W/"a"', (weak("a"),), id="weak"),
        pytest.param('"a", W/"b","c"', (*strong("a"), weak("b"), *strong("c")), id="3"),
        pytest.param('"a,b", "c"', strong("a,b", "c"), id="comma-inside"),
        pytest.param('"a","b"', strong("a", "b"), id="no-space"),
        pytest.param('"a" \t, \t"b"', strong("a", "b"), id="space-and-tab"),
        pytest.param(' \t"a" \t', strong("a"), id="space-around"),
        pytest.param('"\xe9\xff\x80"', strong("\xe9\xff\x80"), id="obs-text"),
        pytest.param('"a\\"', strong("a\\"), id="a-backslash-escapes-nothing"),
        pytest.param('"W/x"', strong("W/x"), id="prefix-inside"),
        pytest.param('"*"', strong("*"), id="quoted-star"),
        pytest.param("*", ANY, id="star"),
        pytest.param(" \t* ", ANY, id="star-in-space"),
    ],
)
def test_a_list_of_entity_tags_is_read(value: str, expected: TagList) -> None:
    assert parse_tag_list(value) == expected


@pytest.mark.compliance("RFC 9110", "5.6.1")
@pytest.mark.parametrize(
    "value", [',"a"', '"a",', ', ,"a"\t,,', '"a",,', ' , "a"'], ids=repr
)
def test_empty_members_are_skipped(value: str) -> None:
    assert parse_tag_list(value) == strong("a")


@pytest.mark.compliance("RFC 9110", "8.8.3")
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ",",
        " , ,\t",
        "a",
        "'a'",
        '"a',
        'a"',
        '"',
        '"a""b"',
        '"a" "b"',
        '"a"x',
        '"a", x',
        '"a";"b"',
        '*, "a"',
        '"a", *',
        "*, *",
        "**",
        ", *",
        'w/"a"',
        'W "a"',
        'X"a"',
        "W/",
        'W/ "a"',
        'W/W/"a"',
        '"a b"',
        '"a\tb"',
        '"a\x00"',
        '"a\x7f"',
        '"a\nb"',
        '"a"\n',
        '"a"\xa0',
        '"a",\x0b"b"',
        '"\u0100"',
        '"\ud800"',
    ],
    ids=ascii,
)
def test_what_is_no_list_of_entity_tags_is_refused(value: str) -> None:
    assert parse_tag_list(value) is None


def test_each_legal_character_makes_a_tag() -> None:
    for character in ETAGC:
        tag = EntityTag(f"a{character}")
        assert parse_tag_list(str(tag)) == (tag,)


@pytest.mark.parametrize("character", OUTSIDE, ids=ascii)
def test_no_other_character_makes_a_tag(character: str) -> None:
    with pytest.raises(ValueError, match="not an opaque tag"):
        EntityTag(f"a{character}")
    assert parse_tag_list(f'"a{character}b"') is None


def test_a_tag_cannot_be_changed() -> None:
    tag = EntityTag("v7")
    for name in ("opaque", "weak"):
        with pytest.raises(FrozenInstanceError):
            setattr(tag, name, "v8")
    assert not hasattr(tag, "__dict__")
    assert len({tag, EntityTag("v7"), weak("v7"), EntityTag("v8")}) == 3


@given(st.lists(st.tuples(tags, separators), min_size=1))
def test_a_written_list_is_read_back(members: list[tuple[EntityTag, str]]) -> None:
    text = "".join(f"{tag}{separator}" for tag, separator in members)
    assert parse_tag_list(text) == tuple(tag for tag, _ in members)


@given(st.text(alphabet='W/"*a, \t\x80\x00'))
def test_whatever_is_read_means_the_same_when_written(text: str) -> None:
    parsed = parse_tag_list(text)
    if isinstance(parsed, tuple):
        assert parsed
        assert parse_tag_list(", ".join(map(str, parsed))) == parsed
    elif isinstance(parsed, AnyTag):
        assert text.strip(" \t") == "*"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    parse_tag_list(text)


@pytest.mark.parametrize(
    "unit",
    ['"",', ",", '"a" ', 'W/"', '"', "W/", " \t", '"a",\t \t', '"a', "*,"],
    ids=repr,
)
def test_hostile_values_cost_linear_work(unit: str) -> None:
    def work(size: int) -> int:
        value = unit * (size // len(unit))
        return count_calls(lambda: parse_tag_list(value))

    small, large = work(16 * KIB), work(64 * KIB)
    assert large <= 4.2 * small
    # At most a few calls for each octet.
    assert large <= 8 * 64 * KIB


def test_a_hostile_value_is_still_read() -> None:
    members = 64 * KIB // 3
    parsed = parse_tag_list('"",' * members)
    assert isinstance(parsed, tuple)
    assert len(parsed) == members


@pytest.mark.compliance("RFC 9110", "8.8.3.2")
@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [
        pytest.param(weak("1"), weak("1"), False, True, id="both-weak"),
        pytest.param(weak("1"), weak("2"), False, False, id="weak-and-different"),
        pytest.param(weak("1"), EntityTag("1"), False, True, id="one-weak"),
        pytest.param(EntityTag("1"), weak("1"), False, True, id="other-weak"),
        pytest.param(EntityTag("1"), EntityTag("1"), True, True, id="both-strong"),
        pytest.param(EntityTag("1"), EntityTag("2"), False, False, id="different"),
        pytest.param(EntityTag("a"), EntityTag("A"), False, False, id="case"),
    ],
)
def test_the_two_comparisons(
    one: EntityTag, other: EntityTag, strongly: bool, weakly: bool
) -> None:
    assert one.matches_strongly(other) is strongly
    assert one.matches_weakly(other) is weakly


@given(tags, tags)
def test_comparisons_are_symmetric_and_strong_implies_weak(
    one: EntityTag, other: EntityTag
) -> None:
    for a, b in product((one, other), repeat=2):
        assert a.matches_strongly(b) == b.matches_strongly(a)
        assert a.matches_weakly(b) == b.matches_weakly(a)
        assert a.matches_weakly(b) or not a.matches_strongly(b)


@pytest.mark.parametrize(
    ("opaque", "state"),
    [("v7.gzip", "v7"), ("v7", "v7"), ("v7.a.b", "v7"), (".a", ""), ("", "")],
)
def test_the_state_is_what_stands_before_the_first_dot(opaque: str, state: str) -> None:
    assert EntityTag(opaque).state == state


def test_tags_are_written_as_the_grammar_says() -> None:
    assert str(EntityTag("v7")) == '"v7"'
    assert str(weak("v7")) == 'W/"v7"'
    assert repr(ANY) == "ANY"
