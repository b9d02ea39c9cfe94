"""The users of a seeded ledger, and as whom the issuer's tokens come in."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.contrib.auth.models import User

from drf_apikit.models import ExternalIdentity

__all__ = ["People", "Person", "write_people"]

FIRST_NAMES = ("Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user, with all the subjects that its tokens may name.

    The id of a machine client is such a subject too: the client then acts as the
    user. Without a password nobody signs in at the admin site.
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


def write_people(people: People, customers: int) -> list[int]:
    """Make the users and their identities; give the ids of `customers` owners.

    The named customers own the first accounts; nameless ones the rest.
    """
    made = [_write_person(people.issuer, person) for person in people.persons]
    named = [user.pk for user in made if not user.is_staff]
    extras = User.objects.bulk_create(
        User(username=f"{FIRST_NAMES[n % len(FIRST_NAMES)].lower()}{n:03d}")
        for n in range(len(named), customers)
    )
    return [*named, *(user.pk for user in extras)]


def _write_person(issuer: str, person: Person) -> User:
    user = User(username=person.username, is_staff=person.staff)
    # The staff of the example reads everything in the admin site.
    user.is_superuser = person.staff
    user.set_password(person.password)
    user.save()
    ExternalIdentity.objects.bulk_create(
        ExternalIdentity(issuer=issuer, subject=subject, user=user)
        for subject in person.subjects
    )
    return user
