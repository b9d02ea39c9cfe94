"""What a payload is, so that the same key with another payload is seen."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from drf_apikit.idempotency.canonical import MAX_VALUES, UnwritableError, canonical
from drf_apikit.idempotency.keys import digest
from drf_apikit.idempotency.payloads import Payload, watch

__all__ = ["fingerprint", "ignoring"]

#: The types of a whole JSON document. What is in it has no others.
_JSON = frozenset({dict, list, str, int, float, bool, type(None)})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def fingerprint(
    request: Request, key: str, select: Callable[[Request], Any] | None = None
) -> str:
    """Read the body, and digest the payload together with its key.

    The key is in it so that nobody who reads the digest can guess a payload that
    has few possible values. Further come the media type without its parameters,
    the query string as it was sent, and the body:

    - JSON counts as it was parsed: white space, escapes and the order of members
      make no difference; `1`, `1.0`, `true` and `"1"` do. Where a member comes
      twice, the one that the view is given counts.
    - Forms count by name: the list of its values, and of its files the name,
      content type and content. The boundary makes no difference, nor does the
      order of names; the order within a name does.
    - Of anything else, and where a parser gives objects that cannot be compared,
      the octets count, and the names of files. They are hashed while the parser
      reads them; where something has had the body parsed before, such as a
      permission, what was parsed counts.
    - With `select`, what it returns counts instead: None, booleans, numbers,
      texts, octets, dates and times, UUIDs, files, and lists and mappings of them.

    Raises:
        ParseError: 400, what the parser says of the body, or a part of it is missing.
        UnsupportedMediaType: 415, no parser takes it.
        TypeError: nothing of the body can be compared, or what `select` returned.

    """
    media_type = str(request.content_type or "").partition(";")[0].strip().lower()
    query = request.META.get("QUERY_STRING", "")
    if select is None:
        kind, body = _payload(request, media_type)
    else:
        kind, body = "selected", _selected(request, select)
    return digest([key, media_type, query, kind, body])


def ignoring(*names: str) -> Callable[[Request], Any]:
    """Let members of the payload differ: `fingerprint=ignoring("sent_at")`.

    A name with dots, `"meta.nonce"`, goes into objects, and through lists into
    each of their items; in a form, it is the name of a field. Files stay. The
    request keeps all of its payload.

    Raises:
        TypeError: no name, or none that can be one.

    """
    if not names or not all(map(_is_name, names)):
        raise TypeError("Name the members to ignore: 'sent_at' or 'meta.nonce'.")
    tree = _tree(names)

    def select(request: Request) -> Any:
        data = request.data
        if isinstance(data, MultiValueDict):
            return {name: data.getlist(name) for name in data if name not in names}
        return _without(data, tree)

    return select


def _payload(request: Request, media_type: str) -> tuple[str, str]:
    payload = watch(request)
    data = request.data
    is_parsed = media_type in _FORMS or _is_json(media_type)
    # DRF takes a body whose length nobody has told for none, and parses nothing.
    octets = None if is_parsed and not payload.is_unread else payload.octets()
    if octets is None:
        if type(data) in _JSON:
            # Much faster; not for what has lists of values, or is no JSON at all.
            with suppress(TypeError, ValueError, RecursionError):
                return "json", json.dumps(data, sort_keys=True)
        with suppress(UnwritableError):
            return "parsed", canonical(data)
        octets = _octets(payload, data)
    # A parser of a project may give no mapping, or no files in it.
    files = request.FILES if isinstance(request.FILES, Mapping) else {}
    names = {name: str(getattr(files[name], "name", "")) for name in files}
    return "octets", canonical([octets, names])


def _is_name(name: object) -> bool:
    return isinstance(name, str) and all(name.split("."))


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _octets(payload: Payload, data: Any) -> str:
    octets = payload.octets()
    if octets is not None:
        return octets
    raise TypeError(
        f"The body was parsed to {type(data).__name__}, two of which cannot be "
        "compared, and its octets are gone. Give `fingerprint=` a function that "
        "returns what of the request counts."
    )


def _selected(request: Request, select: Callable[[Request], Any]) -> str:
    selected = select(request)
    # A slow upload must not go on while the claim is held. Without a parser, the
    # view reads the stream itself.
    with suppress(UnsupportedMediaType):
        _ = request.data
    try:
        return canonical(selected)
    except UnwritableError as error:
        raise TypeError(
            f"What `fingerprint=` returned cannot be compared: {error}. It may have "
            "None, booleans, numbers, texts, octets, dates and times, UUIDs, files, "
            "and lists and mappings of them."
        ) from error


#: The members of each member; one without any is left out itself.
_Tree = dict[str, "_Tree"]


def _tree(names: tuple[str, ...]) -> _Tree:
    tree: _Tree = {}
    # Longer names first: what is left out has no members to be left out.
    for name in sorted(names, key=len, reverse=True):
        *path, last = name.split(".")
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node[last] = {}
    return tree


def _without(value: Any, tree: _Tree) -> Any:
    """Copy what has members to be left out, however deep, without recursion."""
    root = [value]
    todo: list[tuple[Any, Any, _Tree]] = [(root, 0, tree)]
    for _ in range(MAX_VALUES):
        if not todo:
            break
        holder, place, names = todo.pop()
        match holder[place]:
            case Mapping() as members:
                kept = {n: v for n, v in members.items() if names.get(n) != {}}
                todo += [(kept, name, names[name]) for name in kept if name in names]
                holder[place] = kept
            case list() | tuple() as items:
                holder[place] = copied = list(items)
                todo += [(copied, number, names) for number in range(len(copied))]
    return root[0]
