"""The conditions that a request comes with."""

from rest_framework.request import Request

from drf_apikit.http.preconditions import Preconditions

__all__ = ["NO_CONDITIONS", "conditions_of"]

NO_CONDITIONS = Preconditions()


def conditions_of(request: Request) -> Preconditions:
    """Read the four conditional fields (RFC 9110 section 13.1)."""
    field = request.META.get
    return Preconditions(
        field("HTTP_IF_MATCH"),
        field("HTTP_IF_NONE_MATCH"),
        field("HTTP_IF_MODIFIED_SINCE"),
        field("HTTP_IF_UNMODIFIED_SINCE"),
    )
