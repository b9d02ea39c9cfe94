"""What log records learn from a request.

Django sets logging up before it loads apps, so nothing here needs any.
"""

import logging
from typing import Any, Final

__all__ = ["INSTANCE_ATTRIBUTE", "ProblemInstanceFilter", "django_request"]

#: Where a request keeps the `instance` of its problem.
INSTANCE_ATTRIBUTE: Final = "_drf_apikit_instance"


class ProblemInstanceFilter(logging.Filter):
    """Puts the id on log records: `%(problem_instance)s`, or `-` without one.

    Django logs a failure after it has been answered, with the request on the
    record; so the record and the document that the client got have one id.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute; every record passes."""
        request = django_request(getattr(record, "request", None))
        record.problem_instance = getattr(request, INSTANCE_ATTRIBUTE, "-")
        return True


def django_request(request: Any) -> Any:
    """Give Django's request, which the records have, for DRF's around it."""
    return getattr(request, "_request", request)
