"""The users of a seeded ledger, and as whom the issuer's tokens come in."""

from django.contrib.auth.models import User

from drf_apikit.models import ExternalIdentity
from ledger.spec import People, Person

__all__ = ["write_people"]

FIRST_NAMES = ("Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines")


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
