"""Conditional requests: ETag, 304, and writes that cannot lose an update.

On a view set, before its other bases:

    class AccountViewSet(ConditionalMixin, ModelViewSet):
        version_field = "version"
"""

from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["ConditionalMixin"]
