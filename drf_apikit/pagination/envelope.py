"""What every paginator of this package answers with: envelope, links, controls."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.template import loader
from django.utils.encoding import force_str
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import InvalidPageSize, ParameterError, Problem
from drf_apikit.http.links import format_links
from drf_apikit.keyset import STRATEGIES, Total, count_rows
from drf_apikit.pagination.attributes import COUNTS, SIZES, require

__all__ = [
    "EnvelopePagination",
    "describe",
    "envelope_schema",
    "not_below",
    "read_number",
]

#: More digits than any number that is meant.
_MAX_DIGITS: Final = 18
_HUGE: Final = 10**_MAX_DIGITS
_SAID: Final = {
    "exact": _("%(count)s in all"),
    "at_least": _("at least %(count)s"),
    "approximate": _("about %(count)s"),
}

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView


class EnvelopePagination(BasePagination, ABC):
    """Page size, total, links and schema, the same for all paginators.

    The answer is `{"count", "count_relation", "next", "previous", "results"}`
    with a `Link` header (RFC 8288) of the relations first, prev, next and last,
    as far as there are any. An attribute of None asks the setting of the same
    name in `PAGINATION`.
    """

    template: str | None = "drf_apikit/pager.html"
    #: `exact`, `bounded`, `estimated` or `none`; None asks `COUNT`.
    count_strategy: str | None = None
    #: What clients may choose, one or several; None asks `COUNT_CHOICES`.
    count_choices: Any = None
    count_query_param = "count"
    count_query_description = _("How `count` is found.")
    #: None asks `COUNT_BOUND`.
    count_bound: int | None = None
    #: Milliseconds, 0 for no limit; None asks `COUNT_TIMEOUT`.
    count_timeout: int | None = None
    #: None asks `CLAMP_PAGE_SIZE`.
    clamp_page_size: bool | None = None
    #: None asks `INVALID_AS_404`.
    invalid_as_404: bool | None = None

    request: Request
    total: Total

    @property
    def count(self) -> int | None:
        """The number of rows as far as it is known; `total` has its relation."""
        return self.total.count

    @abstractmethod
    def get_first_link(self) -> str | None:
        """Give the URL of the first page."""

    @abstractmethod
    def get_previous_link(self) -> str | None:
        """Give the URL of the page before this one."""

    @abstractmethod
    def get_next_link(self) -> str | None:
        """Give the URL of the page behind this one."""

    @abstractmethod
    def get_last_link(self) -> str | None:
        """Give the URL of the last page; None if it is not known."""

    def get_links(self) -> dict[str, str]:
        """Give the targets by their relation types, as in the `Link` header."""
        links = {
            "first": self.get_first_link(),
            "prev": self.get_previous_link(),
            "next": self.get_next_link(),
            "last": self.get_last_link(),
        }
        return {relation: url for relation, url in links.items() if url is not None}

    def get_paginated_response(self, data: Any) -> Response:
        """Put the page into its envelope."""
        links = self.get_links()
        envelope = {
            "count": self.total.count,
            "count_relation": self.total.relation,
            "next": links.get("next"),
            "previous": links.get("prev"),
            "results": data,
        }
        return Response(envelope, headers={"Link": format_links(links)})

    def get_paginated_response_schema(
        self, schema: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Describe the envelope for OpenAPI."""
        return envelope_schema(schema)

    def get_count_strategy(self, request: Request) -> str:
        """Give the way to count: the client's choice, if it has one, or ours.

        Raises:
            ParameterError: 400, not one of the choices.

        """
        choices = self._count_choices()
        asked = request.query_params.get(self.count_query_param)
        if not choices or asked is None:
            return self.count_strategy or apikit_settings.pagination.count
        if asked not in choices:
            text = _("This is not one of: %(choices)s.") % {
                "choices": ", ".join(choices)
            }
            raise ParameterError(
                {self.count_query_param: [text]}, location="query", code="invalid"
            )
        return asked

    def count_queryset(self, queryset: Any, strategy: str) -> Total:
        """Count the rows of the whole list; not even asked for `none`."""
        timeout = self.count_timeout
        if timeout is None:
            timeout = apikit_settings.pagination.count_timeout
        return count_rows(
            queryset, strategy, bound=self._bound(), timeout=timeout or None
        )

    def get_html_context(self) -> dict[str, Any]:
        """Give what the pager of the browsable API shows."""
        links = self.get_links()
        return {
            "first_url": links.get("first"),
            "previous_url": links.get("prev"),
            "next_url": links.get("next"),
            "last_url": links.get("last"),
            "count": self.total.count,
            "count_relation": self.total.relation,
            "total": _in_words(self.total),
        }

    def to_html(self) -> str:
        """Draw the pager."""
        if self.template is None:
            return ""
        return loader.get_template(self.template).render(self.get_html_context())

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        del view
        choices = self._count_choices()
        if not choices:
            return []
        default = self.count_strategy or apikit_settings.pagination.count
        schema = {"type": "string", "enum": choices, "default": default}
        return [describe(self.count_query_param, self.count_query_description, schema)]

    def _bound(self) -> int:
        return self.count_bound or apikit_settings.pagination.count_bound

    def _count_choices(self) -> list[str]:
        require(self, COUNTS)
        choices = self.count_choices
        if choices is None:
            choices = apikit_settings.pagination.count_choices
        choices = [choices] if isinstance(choices, str) else choices
        return [strategy for strategy in STRATEGIES if strategy in choices]

    def _read_size(
        self, request: Request, name: str | None, default: int | None, own: int | None
    ) -> int:
        """Read the size strictly: what is not understood is refused."""
        maximum = self._maximum(default, own)
        asked = None if name is None else request.query_params.get(name)
        if asked is None:
            return self._usual(default, maximum)
        clamp = self.clamp_page_size
        if clamp is None:
            clamp = apikit_settings.pagination.clamp_page_size
        size = read_number(asked, signed=clamp)
        if clamp and size is not None:
            return min(max(size, 1), maximum)
        if size is None or not 1 <= size <= maximum:
            raise InvalidPageSize(parameter=name, maximum=maximum)
        return size

    def _maximum(self, default: int | None, own: int | None) -> int:
        """Give the largest page: what the class says, even if by its default alone."""
        require(self, SIZES)
        return own or max(apikit_settings.pagination.max_page_size, default or 0)

    def _usual(self, default: int | None, maximum: int) -> int:
        """Give the size of a page when the client asks for none."""
        size = default or apikit_settings.pagination.page_size or api_settings.PAGE_SIZE
        return min(size or maximum, maximum)

    def _describe_size(
        self, name: str | None, description: Any, default: int | None, own: int | None
    ) -> list[dict[str, Any]]:
        if name is None:
            return []
        maximum = self._maximum(default, own)
        schema = {
            "type": "integer",
            "minimum": 1,
            "maximum": maximum,
            "default": self._usual(default, maximum),
        }
        return [describe(name, description, schema)]

    def _refuse(self, problem: Problem, message: Any) -> Exception:
        """Give the problem; or, by choice, the 404 that DRF's classes answer with."""
        as_404 = self.invalid_as_404
        if as_404 is None:
            as_404 = apikit_settings.pagination.invalid_as_404
        return NotFound(message) if as_404 else problem


def envelope_schema(results: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the envelope for OpenAPI; `results` is the schema of the rows."""
    link = {"type": "string", "format": "uri", "nullable": True}
    return {
        "type": "object",
        "required": ["count", "count_relation", "next", "previous", "results"],
        "properties": {
            "count": {"type": "integer", "minimum": 0, "nullable": True},
            "count_relation": {
                "type": "string",
                # OpenAPI 3.0.3: without it there, null is none of them.
                "enum": [*_SAID, None],
                "nullable": True,
            },
            "next": link,
            "previous": link,
            "results": results,
        },
    }


def _in_words(total: Total) -> str:
    """Say the total to a person."""
    number = number_format(total.count or 0, force_grouping=True)
    text = _SAID.get(total.relation or "", _SAID["exact"])
    return str(text % {"count": number})


def not_below(total: Total, seen: int) -> Total:
    """Correct a guess, or the lack of one, by the rows that were seen."""
    if total.count is None:
        return Total(seen, "at_least")
    if total.relation == "exact":
        return total
    return Total(max(total.count, seen), total.relation)


def read_number(text: str, *, signed: bool = False) -> int | None:
    """Read a whole number of ASCII digits; None if it is none.

    One that is larger than any that is meant is read as a smaller one that is, too.
    """
    digits = text.removeprefix("-") if signed else text
    if not digits.isascii() or not digits.isdigit():
        return None
    significant = digits.lstrip("0")
    number = int(significant or 0) if len(significant) <= _MAX_DIGITS else _HUGE
    return -number if digits != text else number


def describe(name: str, description: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a query parameter for OpenAPI."""
    return {
        "name": name,
        "required": False,
        "in": "query",
        "description": force_str(description),
        "schema": schema,
    }
