"""The tables of the package."""

from drf_apikit.models.idempotency import IdempotencyRecord
from drf_apikit.models.identities import ExternalIdentity

__all__ = ["ExternalIdentity", "IdempotencyRecord"]
