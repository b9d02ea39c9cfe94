"""Conditional requests: ETag, 304, and writes that cannot lose an update.

class AccountViewSet(ConditionalMixin, ModelViewSet):
    version_field = "version"
"""

from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["ConditionalMixin"]
