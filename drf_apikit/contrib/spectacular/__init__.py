"""drf-spectacular: what our classes look like in an OpenAPI document.

Loaded by the app where drf-spectacular is installed; there is nothing to
configure.
"""

from typing import Any

from drf_spectacular import plumbing

from drf_apikit.conditional import ConditionalGetMixin, ConditionalMixin
from drf_apikit.contrib.spectacular.oauth2 import OAuth2Scheme
from drf_apikit.contrib.spectacular.operations import DescribedOperations
from drf_apikit.contrib.spectacular.security import JWTBearerScheme
from drf_apikit.handlers import LayeredView
from drf_apikit.idempotency import IdempotencyMixin

__all__ = [
    "DescribedOperations",
    "JWTBearerScheme",
    "OAuth2Scheme",
    "get_lib_doc_excludes",
]


def get_lib_doc_excludes() -> list[type]:
    """Keep the docstrings of our mixins out of the descriptions of operations.

    For `SPECTACULAR_SETTINGS["GET_LIB_DOC_EXCLUDES"]`, by its dotted path: a view
    without a docstring has that of its first base otherwise.
    """
    theirs: Any = plumbing.get_lib_doc_excludes
    ours = (ConditionalGetMixin, ConditionalMixin, IdempotencyMixin, LayeredView)
    return [*theirs(), *ours]
