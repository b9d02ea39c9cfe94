"""The tables of the package, and the base of rows that have a version.

Abstract models and fields have no table of their own: a project that does not
use them sees nothing of them.
"""

from drf_apikit.models.idempotency import IdempotencyRecord
from drf_apikit.models.identities import ExternalIdentity
from drf_apikit.models.versioned import VersionedModel
from drf_apikit.models.versioned_claims import claimed
from drf_apikit.models.versioned_fields import UpdateTime, VersionNumber
from drf_apikit.models.versioned_rows import VersionedManager, VersionedQuerySet

__all__ = [
    "ExternalIdentity",
    "IdempotencyRecord",
    "UpdateTime",
    "VersionNumber",
    "VersionedManager",
    "VersionedModel",
    "VersionedQuerySet",
    "claimed",
]
