"""The class of problem types (RFC 9457 section 3.1.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from django.utils.functional import Promise

__all__ = ["RESERVED_MEMBERS", "ProblemType"]

#: RFC 9457 section 3.1.
RESERVED_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "instance"})

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: RFC 9457 section 3.2.
_MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of failure that clients can tell from every other.

    `slug` ends the type's URI and never changes once published; `title` is
    short and the same in every occurrence; `status` is the HTTP status code;
    `documentation` tells a person what happened and what to do; `extensions`
    maps the names of further members to their JSON Schemas, `headers` the names
    of headers that come along to what they say.

    Raises:
        ValueError: a slug, status or member name outside of RFC 9457.

    """

    slug: str
    title: str | Promise
    status: int
    documentation: str | Promise = ""
    extensions: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    headers: Mapping[str, str | Promise] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"slug {self.slug!r} must be lower-case-with-hyphens")
        # A lazy text cannot be asked before Django is up.
        if not isinstance(self.title, Promise) and not self.title:
            raise ValueError(f"{self.slug}: a title is needed")
        if not 400 <= self.status <= 599:
            raise ValueError(f"{self.slug}: status {self.status} is not 4xx or 5xx")
        for name, schema in self.extensions.items():
            if not isinstance(schema, Mapping):
                raise ValueError(f"{self.slug}: {name!r} needs a JSON Schema")
            if name in RESERVED_MEMBERS or not _MEMBER.fullmatch(name):
                raise ValueError(f"{self.slug}: {name!r} cannot be an extension member")

    @property
    def code(self) -> str:
        """The slug as DRF writes error codes: with underscores."""
        return self.slug.replace("-", "_")
