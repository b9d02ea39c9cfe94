"""Make the tables and the one person: `python -m tests.torture.issuing.prepare`."""

import os
from typing import Final

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

__all__ = ["PASSWORD", "PERSON"]

#: Who logs in, and the variable that has the password.
PERSON: Final = "ann"
PASSWORD: Final = "PERSONS_PASSWORD"


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0, skip_checks=True)
    users = get_user_model().objects
    user = users.filter(username=PERSON).first() or users.create_user(username=PERSON)
    user.set_password(os.environ[PASSWORD])
    user.save()


if __name__ == "__main__":
    main()
