"""Idempotency-Key: a retry never repeats an effect.

On whatever has the effect:

    class PaymentViewSet(ModelViewSet):
        @idempotent(required=True)
        def create(self, request): ...
"""

from drf_apikit.idempotency.decorator import IdempotencyMixin, idempotent
from drf_apikit.idempotency.fingerprint import ignoring

__all__ = ["IdempotencyMixin", "idempotent", "ignoring"]
