"""What RFC 9110 asks of conditional requests, as a table.

A header's value is filled in with what is true of the resource: `{tag}` its current
tag, `{opaque}` that without quotes, `{state}` its first part, `{stale}` the tag of
an earlier state, `{text}` that of another representation, `{other}` that of another
resource; `{modified}` its Last-Modified, in three forms, `{older}`, `{newer}`. Lines
of one field are separated by a line feed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.compliance.conditional_views import OWN_TAG

__all__ = ["DETAIL_CASES", "LIST_CASES", "MALFORMED", "Case"]


@dataclass(frozen=True)
class Case:
    """A request, and what is to be answered."""

    section: str
    name: str
    method: str
    headers: Mapping[str, str]
    status: int
    flavour: str = "plain"
    #: The resource: `one`, `fresh` (modified within this second), `missing`, `list`.
    target: str = "one"
    who: str = "owner"
    body: Any = field(default_factory=lambda: {"title": "new"})
    settings: Mapping[str, Any] = field(default_factory=dict)
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    spec: str = "RFC 9110"

    @property
    def id(self) -> str:
        """Name it."""
        return f"{self.section} {self.method} {self.target}/{self.flavour} {self.name}"


READS: Final = ("GET", "HEAD")
WRITES: Final = ("PUT", "PATCH", "DELETE", "POST")
ALL: Final = READS + WRITES
DONE: Final = {"GET": 200, "HEAD": 200, "DELETE": 204}

IM, INM = "If-Match", "If-None-Match"
IMS, IUS = "If-Modified-Since", "If-Unmodified-Since"

#: Of a list of tags, forms in which the current one is found (section 5.6.1).
FOUND: Final = {
    "exact": "{tag}",
    "any": "*",
    "any with blanks": " \t* ",
    "last of a list": '"x", {tag}',
    "list without blanks": '{tag},"x"',
    "list with tabs": '"x"\t,\t{tag}',
    "empty members": ", ,{tag}, ,",
    "two lines": '"x"\n{tag}',
    "twice": "{tag}, {tag}",
    "beside a comma in a tag": '"a,b", {tag}',
    "beside a quote-like comma": '",", {tag}',
    "beside obs-text": '"\xe4\xff", {tag}',
    "beside an empty tag": '"", {tag}',
    "beside a weak tag": 'W/"x", {tag}',
}
#: Forms that follow the grammar and name another tag.
OTHERS: Final = {
    "stale": "{stale}",
    "of another resource": "{other}",
    "unknown": '"x"',
    "list of others": '"x", {stale}',
    "empty tag": '""',
    "in another's commas": '"x,{opaque}"',
    "with a blank line of others": '"x"\n\n"y"',
    "with more before it": '"x{opaque}"',
}
#: Forms that do not follow the grammar.
MALFORMED: Final = {
    "unquoted": "{opaque}",
    "single quotes": "'{opaque}'",
    "open": '"{opaque}',
    "unopened": '{opaque}"',
    "no value": "",
    "nothing but commas": " , ,",
    "any in a list": "*, {tag}",
    "any after a tag": "{tag}, *",
    "any twice": "*, *",
    "one bad member": '{tag}, "x',
    "bad line": "{tag}\nx",
    "no comma": '"x" {tag}',
    "small w": "w/{tag}",
    "blank in a weak tag": "W/ {tag}",
    "blank in a tag": '"x y", {tag}',
    "control in a tag": '"x\x7f", {tag}',
    "a parameter": "{tag};q=1",
    "doubled quotes": '"{tag}"',
    "something behind": "{tag}x",
}


def each(
    section: str,
    methods: Iterable[str],
    header: str,
    values: Mapping[str, str],
    status: int | None = None,
    **more: Any,
) -> Iterator[Case]:
    """Give a case for each method and value; without a status: it is done."""
    for method in methods:
        expected = status or DONE.get(method, 200)
        for name, value in values.items():
            headers = {header: value}
            yield Case(section, f"{header} {name}", method, headers, expected, **more)


def in_turn(
    section: str,
    methods: Sequence[str],
    header: str,
    values: Mapping[str, str],
    status: int | None = None,
    **more: Any,
) -> Iterator[Case]:
    """Give a case for each value, with one method after the other."""
    for index, (name, value) in enumerate(values.items()):
        method = methods[index % len(methods)]
        yield from each(section, (method,), header, {name: value}, status, **more)


def pick(values: Mapping[str, str], *names: str) -> dict[str, str]:
    """Give some of them."""
    return {name: values[name] for name in names}


def _if_match() -> Iterator[Case]:
    section = "13.1.1"
    yield from in_turn(section, ("GET", "PATCH"), IM, FOUND)
    few = pick(FOUND, "exact", "any", "last of a list", "two lines")
    yield from each(section, ("HEAD", "PUT", "DELETE", "POST"), IM, few)
    weak = {
        "weak": "W/{tag}",
        "weak in a list": '"x", W/{tag}',
        "weak of another": 'W/"x"',
    }
    # Any current representation will do.
    states = {"of another representation": "{text}", "of the state": '"{state}"'}
    yield from each(section, ALL, IM, states)
    yield from each("8.8.3.2", ALL, IM, weak, 412)
    yield from each(section, ("GET", "PATCH"), IM, OTHERS, 412)
    yield from in_turn(section, ("GET", "PUT", "PATCH", "DELETE"), IM, MALFORMED, 412)
    few = pick(OTHERS, "stale", "list of others")
    few |= pick(MALFORMED, "no value", "any in a list")
    yield from each(section, ("HEAD", "PUT", "DELETE", "POST"), IM, few, 412)
    both = {"exact": "{tag}"}
    yield from each(section, WRITES, IM, both, flavour="locking")
    yield from each(section, WRITES, IM, {"stale": "{stale}"}, 412, flavour="locking")


def _if_none_match() -> Iterator[Case]:
    section = "13.1.2"
    weak = {"weak": "W/{tag}", "weak in a list": '"x",W/{tag}'}
    yield from each(section, ("GET",), INM, {**FOUND, **weak}, 304)
    few = {**pick(FOUND, "exact", "any", "last of a list", "two lines"), **weak}
    yield from each(section, ("HEAD",), INM, few, 304)
    few = pick(few, "exact", "any", "weak in a list")
    yield from each(section, WRITES, INM, few, 412)
    yield from each(section, ("GET",), INM, {**OTHERS, **MALFORMED})
    few = {**pick(OTHERS, "stale"), **pick(MALFORMED, "unquoted")}
    yield from each(section, ("HEAD", *WRITES), INM, few)
    of_text = {"of another representation": "{text}"}
    yield from each("8.8.3.3", READS, INM, of_text)
    text = {"Accept": "text/plain"}
    for value, status in (("{tag}", 200), ("{text}", 304)):
        headers = {INM: value, **text}
        yield Case("8.8.3.3", f"{value} for text", "GET", headers, status)


def _own_tag() -> Iterator[Case]:
    found = {"exact": OWN_TAG, "weak": f"W/{OWN_TAG}", "list": f'"a", {OWN_TAG}'}
    yield from each("8.8.3", READS, INM, found, 304, flavour="own")
    others = {"half": '"a', "parts": '"a", "b\xe4"', "without": '"ab\xe4"'}
    yield from each("8.8.3", ("GET",), INM, others, flavour="own")


DATES: Final = {
    "equal": "{modified}",
    "equal, RFC 850": "{modified850}",
    "equal, asctime": "{modifiedasc}",
    "later": "{newer}",
    "later, RFC 850": "{newer850}",
    "later, asctime": "{newerasc}",
    "far ahead": "Fri, 31 Dec 9999 23:59:59 GMT",
}
EARLIER: Final = {
    "earlier": "{older}",
    "earlier, RFC 850": "{older850}",
    "earlier, asctime": "{olderasc}",
    "of the second that has begun": "{begun}",
}
NO_DATES: Final = {
    "no date": "yesterday",
    "no value": "",
    "a number": "1700000000",
    "ISO 8601": "2024-05-06T07:08:10Z",
    "another zone": "Mon, 06 May 2024 07:08:10 +0000",
    "a list": "{modified}, {modified}",
    "two lines": "{modified}\n{modified}",
    "no such day": "Fri, 31 Feb 2024 07:08:10 GMT",
    "small letters": "mon, 06 may 2024 07:08:10 gmt",
    "in quotes": '"{modified}"',
}


def _dates() -> Iterator[Case]:
    since, unless = "13.1.3", "13.1.4"
    yield from in_turn(since, READS, IMS, DATES, 304)
    yield from in_turn(since, READS, IMS, EARLIER)
    yield from each(since, ("GET",), IMS, NO_DATES)
    yield from each(since, WRITES, IMS, pick(DATES, "equal"))
    yield from in_turn(since, READS, IMS, DATES | EARLIER, flavour="undated")
    yield from in_turn(unless, ("GET", "PUT"), IUS, DATES)
    yield from in_turn(unless, ("GET", "PATCH"), IUS, EARLIER, 412)
    yield from each(unless, ("PATCH",), IUS, NO_DATES)
    some = pick(EARLIER, "earlier", "of the second that has begun")
    yield from each(unless, ("HEAD", "PUT", "DELETE", "POST"), IUS, some, 412)
    yield from each(
        unless, ("HEAD", "PATCH", "DELETE", "POST"), IUS, pick(DATES, "equal")
    )
    yield from each(unless, ("GET", "PATCH"), IUS, some, flavour="undated")
    # A change within this second may still come: no date can hold.
    late = {"late": "Fri, 31 Dec 2998 23:59:59 GMT"}
    fresh: dict[str, Any] = {"target": "fresh"}
    yield from each("8.8.2.2", READS, IMS, late, lacks=("Last-Modified",), **fresh)
    yield from each("8.8.2.2", WRITES, IUS, late, 412, **fresh)
    yield Case("8.8.2", "has a date", "GET", {}, 200, has=("Last-Modified",))
    yield Case("8.8.2", "has a date", "HEAD", {}, 200, has=("Last-Modified",))
    no: dict[str, Any] = {"flavour": "undated", "lacks": ("Last-Modified",)}
    yield Case("8.8.2", "has none", "GET", {}, 200, **no)


#: In the order of section 13.2.2: fields, and what they make of a read and a write.
TOGETHER: Final = (
    ({IM: "{tag}", IUS: "{older}"}, 200, 200),
    ({IM: "*", IUS: "{older}"}, 200, 200),
    ({IM: "{stale}", IUS: "{newer}"}, 412, 412),
    ({IM: "{opaque}", IUS: "{newer}"}, 412, 412),
    ({IM: "", IUS: "{newer}"}, 412, 412),
    ({IM: "{tag}", INM: "{tag}"}, 304, 412),
    ({IM: "{tag}", INM: '"x"'}, 200, 200),
    ({IM: "{stale}", INM: "{tag}"}, 412, 412),
    ({IM: "{stale}", INM: '"x"'}, 412, 412),
    ({IM: "*", INM: "*"}, 304, 412),
    ({IM: "W/{tag}", INM: "W/{tag}"}, 412, 412),
    ({IM: "{tag}", IMS: "{modified}"}, 304, 200),
    ({IM: "{stale}", IMS: "{modified}"}, 412, 412),
    ({INM: '"x"', IMS: "{newer}"}, 200, 200),
    ({INM: "{tag}", IMS: "{older}"}, 304, 412),
    ({INM: "{opaque}", IMS: "{modified}"}, 200, 200),
    ({INM: "", IMS: "{modified}"}, 200, 200),
    ({INM: "*, *", IMS: "{modified}"}, 200, 200),
    ({IUS: "{older}", INM: "{tag}"}, 412, 412),
    ({IUS: "{modified}", INM: "{tag}"}, 304, 412),
    ({IUS: "{modified}", INM: '"x"'}, 200, 200),
    ({IUS: "{modified}", IMS: "{modified}"}, 304, 200),
    ({IUS: "{modified}", IMS: "{older}"}, 200, 200),
    ({IUS: "{older}", IMS: "{modified}"}, 412, 412),
    ({IUS: "no date", IMS: "{modified}"}, 304, 200),
    ({IM: "{tag}", IUS: "{older}", INM: '"x"', IMS: "{newer}"}, 200, 200),
    ({IM: "{tag}", IUS: "{older}", INM: "{tag}", IMS: "{older}"}, 304, 412),
    ({IM: "{stale}", IUS: "{newer}", INM: "{tag}", IMS: "{newer}"}, 412, 412),
)


def _together() -> Iterator[Case]:
    for headers, read, written in TOGETHER:
        name = " ".join(f"{field}: {value}" for field, value in headers.items())
        yield Case("13.2.2", name, "GET", headers, read)
        yield Case("13.2.2", name, "PATCH", headers, written)
    ranged = {"If-Range": "{tag}", "Range": "bytes=0-1"}
    yield Case("13.1.5", "without ranges", "GET", ranged, 200)
    yield Case("13.1.5", "of a stale range", "GET", {**ranged, INM: "{tag}"}, 304)


#: Conditions that would be 304 or 412, if anybody asked.
TRAPS: Final = ({INM: "{tag}"}, {INM: "*"}, {IM: "{stale}"}, {IM: "x"})


def _refused() -> Iterator[Case]:
    section = "13.2.1"
    refusals: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("unknown caller", 401, {"who": "anonymous"}),
        ("denied caller", 403, {"who": "denied"}),
        ("hidden", 404, {"who": "wrong"}),
        ("missing", 404, {"target": "missing"}),
    )
    for index, (name, status, more) in enumerate(refusals):
        for trap in TRAPS:
            text = f"{name} {trap}"
            yield Case(section, text, "GET", trap, status, **more)
            method = (*WRITES, "HEAD")[(index + TRAPS.index(trap)) % 5]
            yield Case(section, text, method, trap, status, **more)
    unacceptable = {"Accept": "image/png"}
    for trap in TRAPS:
        asked = {**trap, **unacceptable}
        yield Case(section, f"unacceptable {trap}", "GET", asked, 406)
        yield Case(section, f"unacceptable {trap}", "PATCH", asked, 406)
        yield Case(section, f"no method {trap}", "POST to the row", trap, 405)
        lacks = ("ETag", "Last-Modified")
        yield Case(section, f"any {trap}", "OPTIONS", trap, 200, lacks=lacks)
    for method in ("PUT", "PATCH"):
        for value in ("{stale}", "{tag}", "x"):
            typed = {"Content-Type": "text/csv", IM: value}
            yield Case(section, f"type not known, {value}", method, typed, 415)


def _content() -> Iterator[Case]:
    wrong = {"title": "x" * 101}
    for method in ("PUT", "PATCH"):
        for body, name in ((wrong, "invalid"), (b"{", "unreadable")):
            current, stale = {IM: "{tag}"}, {IM: "{stale}"}
            taken = {INM: "*"}
            yield Case("13.2", f"{name}, stale", method, stale, 412, body=body)
            yield Case("13.2", f"{name}, taken", method, taken, 412, body=body)
            yield Case("13.2", f"{name}, current", method, current, 400, body=body)
            yield Case("13.2", f"{name}, alone", method, {}, 400, body=body)


def _answers() -> Iterator[Case]:
    kept = ("ETag", "Vary", "Cache-Control", "Content-Location", "Expires")
    yield Case("15.4.5", "keeps", "GET", {INM: "{tag}"}, 304, has=kept)
    yield Case("15.4.5", "keeps", "HEAD", {INM: "*"}, 304, has=kept)
    yield Case("15.4.5", "keeps by date", "GET", {IMS: "{newer}"}, 304, has=kept)
    for method in ALL:
        stale = {IM: "{stale}"}
        yield Case("15.5.13", "explains", method, stale, 412, has=("ETag",))
    for method in READS:
        yield Case("8.8.3", "tag", method, {}, 200, has=("ETag",))
    bare = ("ETag", "Last-Modified")
    yield Case("9.3.4", "no validators", "PUT", {}, 200, lacks=bare)
    yield Case("9.3.4", "conditional", "PUT", {IM: "{tag}"}, 200, lacks=bare)
    always: dict[str, Any] = {
        "settings": {"PUT_VALIDATORS": "always"},
        "has": ("ETag",),
    }
    yield Case("9.3.4", "by choice", "PUT", {IM: "{tag}"}, 200, **always)
    yield Case("8.8.3", "new tag", "PATCH", {IM: "{tag}"}, 200, has=("ETag",))
    yield Case("8.8.3", "of nothing", "DELETE", {IM: "{tag}"}, 204, lacks=bare)
    yield Case("8.8.3", "of an action", "POST", {IM: "{tag}"}, 200, lacks=bare)


def _creation() -> Iterator[Case]:
    missing: dict[str, Any] = {"flavour": "puts", "target": "missing"}
    section, bare = "9.3.4", ("ETag", "Last-Modified")
    yield Case(section, "new", "PUT", {}, 201, lacks=bare, **missing)
    yield Case("13.1.2", "new, taken", "PUT", {INM: "*"}, 201, lacks=bare, **missing)
    yield Case("13.1.2", "new, not x", "PUT", {INM: '"x"'}, 201, lacks=bare, **missing)
    yield Case("13.1.2", "new, malformed", "PUT", {INM: "x"}, 201, **missing)
    for value in ("*", "{tag}", "x"):
        yield Case("13.1.1", f"new {value}", "PUT", {IM: value}, 412, **missing)
    yield Case("13.1.4", "new, no date", "PUT", {IUS: "{older}"}, 201, **missing)
    for method in ("GET", "PATCH", "DELETE"):
        yield Case("13.2.1", "not there", method, {INM: "*"}, 404, **missing)
    there: dict[str, Any] = {"flavour": "puts"}
    yield Case("13.1.2", "there", "PUT", {INM: "*"}, 412, **there)
    yield Case("13.1.1", "there", "PUT", {IM: "*"}, 200, **there)
    yield Case("9.3.4", "there", "PUT", {}, 200, lacks=bare, **there)
    hidden: dict[str, Any] = {"flavour": "puts", "who": "wrong"}
    traps: tuple[dict[str, str], ...] = ({}, {INM: "*"}, {IM: "*"}, {INM: '"x"'})
    for trap in traps:
        yield Case("13.2.1", f"hidden {trap}", "PUT", trap, 404, **hidden)


def _required() -> Iterator[Case]:
    strict: dict[str, Any] = {"spec": "RFC 6585", "flavour": "strict"}
    section, tag = "3", ("ETag",)
    for method in ("PUT", "PATCH", "DELETE"):
        done = DONE.get(method, 200)
        yield Case(section, "nothing", method, {}, 428, has=tag, **strict)
        yield Case(section, "of others", method, {INM: '"x"'}, 428, has=tag, **strict)
        yield Case(section, "since", method, {IMS: "{newer}"}, 428, **strict)
        yield Case(section, "current", method, {IM: "{tag}"}, done, **strict)
        yield Case(section, "any", method, {IM: "*"}, done, **strict)
        yield Case(section, "stale", method, {IM: "{stale}"}, 412, **strict)
        yield Case(section, "malformed", method, {IM: "x"}, 412, **strict)
        yield Case(section, "dated", method, {IUS: "{modified}"}, done, **strict)
    for who, status in (("anonymous", 401), ("denied", 403), ("wrong", 404)):
        yield Case(section, who, "PATCH", {}, status, who=who, **strict)
    yield Case(section, "read", "GET", {}, 200, **strict)
    yield Case(section, "known", "GET", {INM: "{tag}"}, 304, **strict)
    yield Case(section, "action", "POST", {}, 200, **strict)
    only: dict[str, Any] = {"spec": "RFC 6585", "flavour": "actions"}
    yield Case(section, "action", "POST", {}, 428, has=tag, **only)
    yield Case(section, "current", "POST", {IM: "{tag}"}, 200, **only)
    yield Case(section, "patch", "PATCH", {}, 200, **only)


def _lists() -> Iterator[Case]:
    of: dict[str, Any] = {"target": "list"}
    weak = {"weak": "W/{tag}"}
    yield from each("13.1.2", ("GET",), INM, {**FOUND, **weak}, 304, **of)
    few = pick(FOUND, "exact", "any", "two lines")
    yield from each("13.1.2", ("HEAD",), INM, {**few, **weak}, 304, **of)
    no = {**OTHERS, **MALFORMED}
    no["of another representation"] = "{text}"
    yield from each("13.1.2", ("GET",), INM, no, **of)
    yield from each("13.1.1", READS, IM, few, **of)
    few = pick(OTHERS, "stale", "of another resource", "unknown")
    few |= pick(MALFORMED, "unquoted", "no value", "any in a list") | weak
    yield from each("13.1.1", READS, IM, few, 412, **of)
    # A list has no date of its own.
    for header in (IMS, IUS):
        section = "13.1.3" if header == IMS else "13.1.4"
        dates = pick(DATES, "equal") | pick(EARLIER, "earlier")
        yield from each(section, READS, header, dates, lacks=("Last-Modified",), **of)
    kept = ("ETag", "Vary", "Cache-Control", "Content-Location", "Expires")
    yield Case("15.4.5", "keeps", "GET", {INM: "{tag}"}, 304, has=kept, **of)
    both = {IM: "{tag}", INM: "{tag}"}
    yield Case("13.2.2", "both", "GET", both, 304, **of)
    both = {IM: "{stale}", INM: "{tag}"}
    yield Case("13.2.2", "stale", "GET", both, 412, has=("ETag",), **of)
    both = {INM: "x", IMS: "{newer}"}
    yield Case("13.2.2", "malformed", "GET", both, 200, **of)
    # A new member cannot be judged by the tag of the list: no tag can hold.
    for value in ("{stale}", "W/{tag}", "x", ""):
        sent = {IM: value}
        yield Case("13.1.1", f"new {value}", "POST", sent, 412, lacks=("ETag",), **of)
    for trap in TRAPS:
        yield Case("13.2.1", f"unknown {trap}", "GET", trap, 401, who="anonymous", **of)
        unacceptable = {**trap, "Accept": "image/png"}
        yield Case("13.2.1", f"{trap}", "GET", unacceptable, 406, **of)
        yield Case("13.2.1", f"{trap}", "DELETE", trap, 405, **of)
        yield Case("13.2.1", f"{trap}", "OPTIONS", trap, 200, **of)


DETAIL_CASES: Final = (
    *_if_match(),
    *_if_none_match(),
    *_own_tag(),
    *_dates(),
    *_together(),
    *_refused(),
    *_content(),
    *_answers(),
    *_creation(),
    *_required(),
)
LIST_CASES: Final = tuple(_lists())
