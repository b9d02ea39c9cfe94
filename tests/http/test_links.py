import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.links import format_links
from tests.http.links import parse_links, targets


@pytest.mark.compliance("RFC 8288", "3")
def test_each_target_has_its_relation() -> None:
    links = {"first": "https://api.example/a", "next": "https://api.example/a?x=1"}
    header = format_links(links)
    assert header == (
        '<https://api.example/a>; rel="first", <https://api.example/a?x=1>; rel="next"'
    )
    assert targets(header) == links


def test_no_links_are_an_empty_text() -> None:
    assert format_links({}) == ""


@pytest.mark.compliance("RFC 8288", "3.1")
@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("/?a=1,2;3", "/?a=1,2;3"),
        ("/?a=b&c=d", "/?a=b&c=d"),
        ('/?a="b"', "/?a=%22b%22"),
        ("/?a=<b>", "/?a=%3Cb%3E"),
        ("/?a=%3E%2C", "/?a=%3E%2C"),
        ("/?a=b c", "/?a=b%20c"),
        ("/?a=100%&b=%zz%2", "/?a=100%25&b=%25zz%252"),
        ("/?a=é日", "/?a=%C3%A9%E6%97%A5"),
        ("/?a=b\r\nX: 1", "/?a=b%0D%0AX:%201"),
        ("/?a=\\{|}^`", "/?a=%5C%7B%7C%7D%5E%60"),
        ("https://[::1]:80/a?b#c", "https://[::1]:80/a?b#c"),
    ],
)
def test_a_target_neither_ends_early_nor_becomes_another(
    target: str, written: str
) -> None:
    assert targets(format_links({"next": target})) == {"next": written}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_one_target(text: str) -> None:
    header = format_links({"prev": f"/?x={text}", "next": "/"})
    assert header.isascii()
    assert header.isprintable()
    assert [parameters for _, parameters in parse_links(header)] == [
        {"rel": "prev"},
        {"rel": "next"},
    ]


@pytest.mark.compliance("RFC 8288", "3.3")
@pytest.mark.parametrize("relation", ["", "Next", "next prev", 'a"', "1a", "next\n"])
def test_a_relation_that_is_not_registered_is_refused(relation: str) -> None:
    with pytest.raises(ValueError, match="is no registered relation type"):
        format_links({relation: "/"})


@pytest.mark.parametrize(
    "header",
    [
        "",
        "/a",
        "<a b>",
        "<a>, ",
        "<a>,, <b>",
        "<a>; rel=",
        '<a>; rel="b',
        '<a>; rel="b" <c>',
        '<a>; rel="b"; rel="c"',
        "<%zz>",
        "<é>",
        '<a>; rel="é"',
    ],
)
def test_the_reader_of_these_tests_is_strict(header: str) -> None:
    with pytest.raises(ValueError, match=r"no link|neither|twice"):
        parse_links(header)


def test_the_reader_of_these_tests_reads_what_is_allowed() -> None:
    header = '<a> ;REL=next ; title="x, \\"y\\"" , <b>'
    links = [("a", {"rel": "next", "title": 'x, "y"'}), ("b", {})]
    assert parse_links(header) == links
    with pytest.raises(ValueError, match="two links are 'next'"):
        targets('<a>; rel="next", <b>; rel="x next"')
