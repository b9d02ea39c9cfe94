"""What operations share stands in the document once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from drf_spectacular.plumbing import ResolvedComponent

from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import MEDIA_TYPE, type_uri

__all__ = ["Refusal", "add_refusals", "component"]


class _Ours:
    """Whose the components are, for drf-spectacular."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The types of problems that one block answers with one status."""

    block: str
    kinds: tuple[ProblemType, ...]
    #: What is particular to some operations.
    note: str = ""

    @property
    def status(self) -> str:
        """The status that all of them have."""
        return str(self.kinds[0].status)


def add_refusals(
    responses: dict[str, Any], refusals: Iterable[Refusal], registry: Any
) -> None:
    """Add a response for each status that the view itself says nothing of."""
    ordered = sorted(refusals, key=lambda one: (one.status, one.block))
    for status, several in groupby(ordered, key=lambda one: one.status):
        if status not in responses:
            responses[status] = _response(status, list(several), registry)


def component(registry: Any, kind: str, name: str, content: Any) -> Any:
    """Put something into the document once; give the reference.

    If something else has the name, give the content itself.
    """
    make: Any = ResolvedComponent
    made = make(name, kind, content, _Ours)
    registry.register_on_missing(made)
    if registry[made].schema != content:
        return content
    return {"$ref": f"#/components/{kind}/{name}"}


def _response(status: str, refusals: list[Refusal], registry: Any) -> Any:
    name = "".join(refusal.block for refusal in refusals) + status
    notes = [refusal.note for refusal in refusals if refusal.note]
    if _is_there(registry, name, notes):
        return {"$ref": f"#/components/responses/{name}"}
    kinds = [kind for refusal in refusals for kind in refusal.kinds]
    content: dict[str, Any] = {
        "description": " ".join([", ".join(map(type_uri, kinds)), *notes]),
        "content": {MEDIA_TYPE: {"schema": _problem(registry)}},
    }
    headers = {
        header: {"schema": {"type": "string"}, "description": str(text)}
        for kind in kinds
        for header, text in kind.headers.items()
    }
    if headers:
        content["headers"] = headers
    return component(registry, "responses", name, content)


def _is_there(registry: Any, name: str, notes: list[str]) -> bool:
    """Most operations have what others have: it need not be made again."""
    try:
        known = registry[name, "responses"]
    except KeyError:
        return False
    # Without notes the name says it all.
    same = known.schema["description"].endswith(" ".join(notes))
    return known.object is _Ours and same


def _problem(registry: Any) -> Any:
    text = {"type": "string"}
    uri = {"type": "string", "format": "uri-reference"}
    members = {
        "type": uri,
        "title": text,
        "status": {"type": "integer"},
        "detail": text,
        "instance": uri,
    }
    schema = {"type": "object", "required": list(members), "properties": members}
    return component(registry, "schemas", "ApikitProblem", schema)
