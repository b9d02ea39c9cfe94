"""A project with a user model of its own, in a database of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

MODELS: Final = """
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager):
    def get_queryset(self):
        return super().get_queryset().filter(is_deleted=False)


class Person(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    phone = models.CharField(max_length=20, unique=True)
    is_deleted = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "phone"
    objects = Manager()
    everybody = models.Manager()

    class Meta:
        db_table = "hr people"


class Router:
    def _place(self, app):
        return "people" if app in {"people", "drf_apikit_tokens"} else "default"

    def db_for_write(self, model, **_):
        return self._place(model._meta.app_label)

    db_for_read = db_for_write

    def allow_migrate(self, db, app_label, **_):
        return db == self._place(app_label)
"""
PROJECT: Final = """
import django
from django.conf import settings
from django.core.management import call_command

sqlite = {"ENGINE": "django.db.backends.sqlite3"}
settings.configure(
    SECRET_KEY="own" * 20,
    DATABASES={
        "default": {**sqlite, "NAME": "default.sqlite3"},
        "people": {**sqlite, "NAME": "people.sqlite3"},
    },
    DATABASE_ROUTERS=["people.models.Router"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "people", "drf_apikit",
        "drf_apikit.tokens",
    ],
    AUTH_USER_MODEL="people.Person",
    USE_TZ=True,
)
django.setup()
for alias in ("default", "people"):
    call_command("migrate", database=alias, run_syncdb=True, verbosity=0)

from people.models import Person
from drf_apikit.tokens.sessions import *


def came_to(text):
    try:
        return str(rotate(text).session.user.pk == person.pk)
    except RefreshRefusedError as error:
        return error.refusal


def begin():
    return open_session(person, client_id="first-party", scopes=[])


person = Person.objects.create(phone="+1")
session, text = begin()
assert session._state.db == person._state.db == "people"
assert came_to(text) == "True" and came_to(text) == "used"
assert [one.pk for one in live_sessions(person)] == [session.pk]
assert end_session(session.pk, Ending.LOGOUT, person)
session, text = begin()
Person.objects.update(is_deleted=True)
assert came_to(text) == "inactive"
Person.everybody.update(is_deleted=False)
session, text = begin()
person.is_active = False
person.save()
assert came_to(text) == "ended"
call_command("apikit_purge")
assert not person.token_sessions.exists()
"""


def test_it_has_all_that_others_have(tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    (people / "__init__.py").touch()
    (people / "models.py").write_text(MODELS, "utf-8")
    (tmp_path / "own.py").write_text(PROJECT, "utf-8")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    run = subprocess.run(
        [sys.executable, "own.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "0 expired idempotency records were deleted in 'default'.",
        "3 token sessions deleted so far.",
        "3 expired token sessions were deleted in 'people'.",
    ]
