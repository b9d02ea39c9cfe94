import dataclasses
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from drf_apikit import problem_types
from drf_apikit.problem_types import RESERVED_MEMBERS, ProblemType

OURS = [value for value in vars(problem_types).values() if type(value) is ProblemType]


@pytest.mark.parametrize("slug", ["a", "not-found", "a1-2b", "http2"])
def test_slugs(slug: str) -> None:
    assert ProblemType(slug, "Title", 400).slug == slug


@pytest.mark.parametrize(
    "slug", ["", "A", "not_found", "-a", "a-", "a--b", "1a", "a/b", "a b", "ä", "a\n"]
)
def test_what_is_no_slug(slug: str) -> None:
    with pytest.raises(ValueError, match="lower-case-with-hyphens"):
        ProblemType(slug, "Title", 400)


@pytest.mark.parametrize("status", [400, 404, 599])
def test_statuses(status: int) -> None:
    assert ProblemType("a", "Title", status).status == status


@pytest.mark.parametrize("status", [200, 304, 399, 600, 0])
def test_what_is_no_failure(status: int) -> None:
    with pytest.raises(ValueError, match="is not 4xx or 5xx"):
        ProblemType("a", "Title", status)


def test_a_title_is_needed() -> None:
    with pytest.raises(ValueError, match="a title is needed"):
        ProblemType("a", "", 400)
    assert str(ProblemType("a", gettext_lazy("Lazy"), 400).title) == "Lazy"


@pytest.mark.compliance("RFC 9457", "3.2")
@pytest.mark.parametrize("name", ["abc", "aB_9", "errors"])
def test_members(name: str) -> None:
    assert name in ProblemType("a", "Title", 400, extensions={name: {}}).extensions


@pytest.mark.compliance("RFC 9457", "3.2")
@pytest.mark.parametrize(
    "name",
    ["ab", "1ab", "_ab", "a-b", "a.b", "äbc", "", "abc\n", *sorted(RESERVED_MEMBERS)],
)
def test_what_is_no_member(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be an extension member"):
        ProblemType("a", "Title", 400, extensions={name: {}})


def test_a_type_never_changes() -> None:
    kind: Any = ProblemType("a-b", "Title", 400)
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind.status = 500
    with pytest.raises(TypeError):
        kind.extensions["more"] = {}
    assert kind == ProblemType("a-b", "Title", 400)
    assert len({kind, ProblemType("a-b", "Title", 400)}) == 1
    assert kind.code == "a_b"


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.slug)
def test_ours_tell_a_person_what_to_do(kind: ProblemType) -> None:
    assert str(kind.title)
    assert str(kind.documentation).endswith(".")


def test_ours_have_different_slugs() -> None:
    assert len({kind.slug for kind in OURS}) == len(OURS)


@pytest.mark.parametrize("schema", [None, "string", ["string"], True, 7], ids=repr)
def test_a_member_needs_a_schema(schema: Any) -> None:
    with pytest.raises(ValueError, match="'balance' needs a JSON Schema"):
        ProblemType("a", "Title", 400, extensions={"balance": schema})


def test_headers_have_words() -> None:
    kind = ProblemType("a", "Title", 400, headers={"Retry-After": gettext_lazy("Lazy")})
    assert {name: str(text) for name, text in kind.headers.items()} == {
        "Retry-After": "Lazy"
    }
    empty: Any = ProblemType("a", "Title", 400).headers
    with pytest.raises(TypeError):
        empty["X-Own"] = "1"
