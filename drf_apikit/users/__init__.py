"""Who a subject of an issuer is among the users of this project."""

from drf_apikit.users.enrolment import enrol, find_identity, find_user, local_user
from drf_apikit.users.grants import apply_grants, maps_claims
from drf_apikit.users.subject import Subject, SubjectSettings

__all__ = [
    "Subject",
    "SubjectSettings",
    "apply_grants",
    "enrol",
    "find_identity",
    "find_user",
    "local_user",
    "maps_claims",
]
