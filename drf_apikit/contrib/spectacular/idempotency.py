"""What idempotency adds to an operation: the key, the refusals, the header."""

from typing import Any, Final

from django.utils.translation import gettext as _
from drf_spectacular.settings import spectacular_settings

from drf_apikit import problem_types
from drf_apikit.conf import apikit_settings
from drf_apikit.contrib.spectacular.components import Refusal, component
from drf_apikit.idempotency.answers import REPLAYED
from drf_apikit.idempotency.keys import MAX_LENGTH
from drf_apikit.idempotency.options import Options

__all__ = ["REFUSALS", "add_header", "add_key"]

#: What a protected operation may answer besides.
REFUSALS: Final = (
    Refusal(
        "Idempotency",
        (
            problem_types.IDEMPOTENCY_KEY_MISSING,
            problem_types.IDEMPOTENCY_KEY_MALFORMED,
            problem_types.IDEMPOTENCY_KEY_ANONYMOUS,
        ),
    ),
    Refusal(
        "Idempotency",
        (
            problem_types.IDEMPOTENCY_IN_PROGRESS,
            problem_types.IDEMPOTENCY_RESPONSE_NOT_KEPT,
        ),
    ),
    Refusal("Idempotency", (problem_types.IDEMPOTENCY_KEY_REUSED,)),
    Refusal("Idempotency", (problem_types.IDEMPOTENCY_UNAVAILABLE,)),
)


def add_key(parameters: list[dict[str, Any]], options: Options, registry: Any) -> None:
    """Add the parameter, unless the view itself has one."""
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
        parameter = component(registry, "parameters", name, parameter)
    parameters.append(parameter)


def add_header(responses: dict[str, Any], registry: Any) -> None:
    """Say of each success that it may be a replay."""
    header = {
        "schema": {"type": "string", "enum": ["true"]},
        "description": _("A stored answer, sent again."),
    }
    reference = component(registry, "headers", "IdempotentReplayed", header)
    for status, response in responses.items():
        if status.startswith("2") and "$ref" not in response:
            response.setdefault("headers", {}).setdefault(REPLAYED, reference)
