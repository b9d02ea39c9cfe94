"""Who uses a seeded ledger, as plain data.

It imports neither Django's models nor its settings, so that the process that
starts the API can use it with settings of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

__all__ = ["People", "Person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user, with all the subjects that its tokens may name.

    The id of a machine client is such a subject too: the client then acts as the
    user. Without a password nobody signs in here: the staff at the admin site, and
    customers with the mobile app.
    """

    username: str
    subjects: Sequence[str] = ()
    password: str | None = None
    staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What one issuer's subjects are called here."""

    issuer: str
    persons: Sequence[Person]

    @classmethod
    def from_json(cls, text: str) -> "People":
        """Read what `to_json` wrote; raises ValueError or TypeError otherwise."""
        data = json.loads(text)
        persons = [Person(**person) for person in data["persons"]]
        return cls(issuer=data["issuer"], persons=persons)

    def to_json(self) -> str:
        """Write it for `manage.py seed_ledger`."""
        return json.dumps(asdict(self))
