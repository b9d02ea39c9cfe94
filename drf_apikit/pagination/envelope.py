"""The envelope that every paginator of this package answers with."""

from collections.abc import Mapping
from typing import Any

__all__ = ["envelope_schema"]


def envelope_schema(results: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the envelope for OpenAPI; `results` is the schema of the rows."""
    link = {"type": "string", "format": "uri", "nullable": True}
    return {
        "type": "object",
        "required": ["count", "next", "previous", "results"],
        "properties": {
            "count": {"type": "integer", "minimum": 0},
            "next": link,
            "previous": link,
            "results": results,
        },
    }
