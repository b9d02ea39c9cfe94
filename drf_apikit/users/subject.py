"""What the engine needs to know of somebody whom an issuer vouches for."""

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Subject", "SubjectSettings"]


class SubjectSettings(Protocol):
    """From claims to users, groups and staff status, as the settings have it."""

    @property
    def users(self) -> str | None:
        """`create`: a subject that nobody knows gets a user."""
        ...

    @property
    def match_verified_email(self) -> bool:
        """Whether a verified e-mail address links such a subject to a user."""
        ...

    @property
    def groups_claim(self) -> str | None:
        """The claim with the values that the next two speak of."""
        ...

    @property
    def groups(self) -> Mapping[str, str]:
        """From a value to the name of a group."""
        ...

    @property
    def staff(self) -> frozenset[str] | None:
        """The values of which one makes a user staff."""
        ...


class Subject(Protocol):
    """The verified claims of somebody, as of a token."""

    @property
    def issuer(self) -> str:
        """Who vouches for the claims."""
        ...

    @property
    def subject(self) -> str:
        """Unique within the issuer, never reassigned."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """All that the issuer says."""
        ...

    @property
    def issued_at(self) -> float:
        """When it said so, in seconds since the epoch."""
        ...

    @property
    def settings(self) -> SubjectSettings:
        """How users come out of the claims."""
        ...
