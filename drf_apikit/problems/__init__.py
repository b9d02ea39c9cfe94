"""Problem details: every failure as one RFC 9457 document.

In the settings:

    REST_FRAMEWORK = {
        "EXCEPTION_HANDLER": "drf_apikit.problems.exception_handler",
    }
"""

from drf_apikit.exceptions import ParameterError, Problem
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import MEDIA_TYPE, ProblemResponse
from drf_apikit.problems.handler import exception_handler
from drf_apikit.problems.responses import problem_response

__all__ = [
    "MEDIA_TYPE",
    "ParameterError",
    "Problem",
    "ProblemResponse",
    "ProblemType",
    "exception_handler",
    "problem_response",
]
