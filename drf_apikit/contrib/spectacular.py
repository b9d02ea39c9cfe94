"""drf-spectacular: what our classes look like in an OpenAPI document.

Loaded by the app where drf-spectacular is installed; there is nothing to
configure.
"""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from drf_spectacular import plumbing
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiViewExtension,
)
from drf_spectacular.plumbing import ResolvedComponent, get_class
from drf_spectacular.settings import spectacular_settings

from drf_apikit import problem_types
from drf_apikit.conditional import ConditionalGetMixin, ConditionalMixin
from drf_apikit.conf import apikit_settings
from drf_apikit.handlers import LayeredView
from drf_apikit.idempotency import IdempotencyMixin
from drf_apikit.idempotency.answers import REPLAYED
from drf_apikit.idempotency.declared import operations
from drf_apikit.idempotency.keys import MAX_LENGTH
from drf_apikit.idempotency.layer import SAFE
from drf_apikit.idempotency.options import Options
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import MEDIA_TYPE, type_uri

__all__ = ["IdempotentOperations", "JWTBearerScheme", "get_lib_doc_excludes"]

#: What a protected operation may answer besides: the name of the component, and
#: the types that share its status.
_REFUSALS: Final[Mapping[str, tuple[ProblemType, ...]]] = {
    "Idempotency400": (
        problem_types.IDEMPOTENCY_KEY_MISSING,
        problem_types.IDEMPOTENCY_KEY_MALFORMED,
        problem_types.IDEMPOTENCY_KEY_ANONYMOUS,
    ),
    "Idempotency409": (
        problem_types.IDEMPOTENCY_IN_PROGRESS,
        problem_types.IDEMPOTENCY_RESPONSE_NOT_KEPT,
    ),
    "Idempotency422": (problem_types.IDEMPOTENCY_KEY_REUSED,),
    "Idempotency503": (problem_types.IDEMPOTENCY_UNAVAILABLE,),
}

if TYPE_CHECKING:

    class _Extension:
        """What of theirs is used here; `__init_subclass__` has no annotations."""

        target: Any
        target_class: Any
        target_callback: Any

    _ViewExtension = _Extension

    class _Schema:
        """What of their schemas is extended here."""

        def get_operation(self, *arguments: Any) -> dict[str, Any] | None: ...

else:
    _Extension = OpenApiAuthenticationExtension
    _ViewExtension = OpenApiViewExtension
    _Schema = object


def get_lib_doc_excludes() -> list[type]:
    """Keep the docstrings of our mixins out of the descriptions of operations.

    For `SPECTACULAR_SETTINGS["GET_LIB_DOC_EXCLUDES"]`, by its dotted path: a view
    without a docstring has that of its first base otherwise.
    """
    theirs: Any = plumbing.get_lib_doc_excludes
    ours = (ConditionalGetMixin, ConditionalMixin, IdempotencyMixin, LayeredView)
    return [*theirs(), *ours]


class JWTBearerScheme(_Extension):
    """`JWTBearerAuthentication` as the HTTP bearer scheme `bearer`.

    A subclass gets a scheme under its own name, since one name must not stand
    for two classes.
    """

    target_class: Any = "drf_apikit.authentication.bearer.JWTBearerAuthentication"
    match_subclasses = True

    @property
    def name(self) -> str:
        """What security requirements call the scheme."""
        actual = type(self.target)
        return "bearer" if actual is self.target_class else actual.__name__

    def get_security_definition(self, _auto_schema: Any) -> dict[str, Any]:
        """Describe the scheme (OpenAPI 3.0, Security Scheme Object)."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class IdempotentOperations(_ViewExtension):
    """The key, the refusals and the header of the operations that are protected.

    What the view says of a status itself stays. A project's own extension for a
    view comes before this one.
    """

    target_class: Any = "rest_framework.views.APIView"
    match_subclasses = True
    priority = -100

    def view_replacement(self) -> Any:
        """Give the view with schemas of ours around those of its handlers."""
        view, callback = self.target, self.target_callback
        found = operations(
            view, callback.initkwargs, getattr(callback, "actions", None)
        )
        described = {
            operation.name: _described(view, operation.name, operation.options)
            for operation in found
            if operation.method not in SAFE
        }
        if not described:
            return view
        names = ("__doc__", "__module__", "__qualname__")
        own = {name: getattr(view, name) for name in names}
        return type(view)(view.__name__, (view,), {**own, **described})


def _described(view: Any, name: str, options: Options) -> Callable[..., Any]:
    """Copy a handler; the copy has a schema of its own, as by `@extend_schema`."""
    handler = getattr(view, name)

    @functools.wraps(handler)
    def copied(*arguments: Any, **named: Any) -> Any:
        return handler(*arguments, **named)

    given = getattr(handler, "kwargs", {})
    base = get_class(given.get("schema") or view.schema)
    schema = type(base.__name__, (_ProtectedSchema, base), {"options": options})
    vars(copied)["kwargs"] = {**given, "schema": schema}
    return copied


class _ProtectedSchema(_Schema):
    """Goes before a schema class."""

    options: Options

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        """Add to the operation what the layer does."""
        operation = super().get_operation(
            path, path_regex, path_prefix, method, registry
        )
        if operation is not None and method.lower() not in SAFE:
            _add_key(operation.setdefault("parameters", []), self.options, registry)
            _add_refusals(operation["responses"], registry)
            _add_header(operation["responses"], registry)
        return operation


def _add_key(parameters: list[dict[str, Any]], options: Options, registry: Any) -> None:
    if any(one.get("name") == "Idempotency-Key" for one in parameters):
        return
    required = options.required
    if required is None:
        required = apikit_settings.idempotency.required
    usual = apikit_settings.idempotency.ttl
    ttl = usual if options.ttl is None else options.ttl
    about = _("Unique to a request, the same in its retries, for %(seconds)d seconds.")
    parameter: dict[str, Any] = {
        "in": "header",
        "name": "Idempotency-Key",
        "schema": {"type": "string", "maxLength": MAX_LENGTH},
        "description": about % {"seconds": ttl},
    }
    if required:
        parameter["required"] = True
    if not spectacular_settings.CAMELIZE_NAMES:
        # A reference is shorter; camelizing wants to look into each parameter.
        name = "IdempotencyKeyRequired" if required else "IdempotencyKey"
        name = name if ttl == usual else f"{name}{ttl}"
        parameter = _component(registry, "parameters", name, parameter)
    parameters.append(parameter)


def _add_refusals(responses: dict[str, Any], registry: Any) -> None:
    for name, kinds in _REFUSALS.items():
        response = {
            "description": ", ".join(type_uri(kind) for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": _problem(registry)}},
        }
        headers = {
            header: {"schema": {"type": "string"}, "description": str(text)}
            for kind in kinds
            for header, text in kind.headers.items()
        }
        if headers:
            response["headers"] = headers
        reference = _component(registry, "responses", name, response)
        responses.setdefault(str(kinds[0].status), reference)


def _add_header(responses: dict[str, Any], registry: Any) -> None:
    """Say of each success that it may be a replay."""
    header = {
        "schema": {"type": "string", "enum": ["true"]},
        "description": _("A stored answer, sent again."),
    }
    reference = _component(registry, "headers", "IdempotentReplayed", header)
    for status, response in responses.items():
        if status.startswith("2") and "$ref" not in response:
            response.setdefault("headers", {}).setdefault(REPLAYED, reference)


def _problem(registry: Any) -> dict[str, Any]:
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
    return _component(registry, "schemas", "IdempotencyProblem", schema)


def _component(registry: Any, kind: str, name: str, content: Any) -> dict[str, Any]:
    """Put what all operations share into the document once; give the reference."""
    make: Any = ResolvedComponent
    registry.register_on_missing(make(name, kind, content, IdempotentOperations))
    return {"$ref": f"#/components/{kind}/{name}"}
