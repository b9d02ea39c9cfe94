"""Who a subject is: looked up, made, linked by e-mail, or a primary key."""

import logging
import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.test.utils import isolate_apps
from django.utils import timezone

from drf_apikit.authentication import ClientPrincipal
from drf_apikit.models import ExternalIdentity
from drf_apikit.users import enrolment as users
from drf_apikit.users.enrolment import verified_email
from tests.app.models import Author, Profile
from tests.authentication.tokens import ISSUER, cost, resolved, token

pytestmark = pytest.mark.django_db
everywhere = pytest.mark.usefixtures("database")

LOOKUP: Final = {"users": "lookup"}
CREATE: Final = {"users": "create"}
LOCAL: Final = {"users": "local"}
MATCH: Final = {**LOOKUP, "match_verified_email": True}
BOTH: Final = {**CREATE, "match_verified_email": True}
ADA: Final[dict[str, Any]] = {"email": "ada@a.test", "email_verified": True}


class Making(models.Manager[Any]):
    """As Django's own, which makes nothing of a proxy."""

    def create_user(self, **values: Any) -> Any:
        return User.objects.create_user(**values)


def identity(user: User, subject: str = "s-1", issuer: str = ISSUER) -> Any:
    return ExternalIdentity.objects.create(issuer=issuer, subject=subject, user=user)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@a.test", "secret")


# Looked up.


@everywhere
@pytest.mark.parametrize("settings", [LOOKUP, CREATE, MATCH, BOTH], ids=str)
def test_one_query_finds_who_is_known(ada: User, settings: Any) -> None:
    identity(ada)
    assert resolved(settings) == ada
    assert cost(lambda: resolved(settings).is_active) == 1


@everywhere
def test_an_unknown_subject_is_refused_after_one_query(ada: User) -> None:
    identity(ada)
    assert cost(lambda: resolved(LOOKUP, "s-2")) == 1
    assert resolved(LOOKUP, "S-1") is None
    assert resolved(LOOKUP, "s-1", iss="https://ID.example") is None
    assert User.objects.get() == ada


@pytest.mark.parametrize("settings", [LOOKUP, CREATE, MATCH, BOTH], ids=str)
def test_who_is_not_active_stays_out_and_is_not_made_anew(
    ada: User, settings: Any
) -> None:
    identity(ada)
    User.objects.update(is_active=False)
    assert resolved(settings, **ADA) is None
    assert resolved(settings, client_id="s-1") is None
    assert User.objects.count() == ExternalIdentity.objects.count() == 1


def test_a_row_whose_digest_is_of_another_identity_is_nobody_s(ada: User) -> None:
    identity(ada)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE drf_apikit_identity SET subject = 'eve'")
    assert resolved(LOOKUP) is None


@isolate_apps("tests.app")
def test_who_is_hidden_by_the_default_manager_is_nobody(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kept(Making):
        def get_queryset(self) -> Any:
            return super().get_queryset().exclude(last_name="deleted")

    class Person(User):
        objects: ClassVar[Any] = Kept()

        class Meta:
            app_label = "app"
            proxy = True

    monkeypatch.setattr(users, "get_user_model", lambda: Person)
    identity(ada)
    assert resolved(LOOKUP).pk == ada.pk
    assert cost(lambda: resolved(LOOKUP)) == 1
    User.objects.update(last_name="deleted")
    assert resolved(LOOKUP) is None
    # Nor is there a second one.
    assert resolved(CREATE) is None
    assert resolved(LOCAL, str(ada.pk)) is None
    assert User.objects.get() == ada


# Machine clients.


@everywhere
@pytest.mark.parametrize("settings", [LOOKUP, CREATE, MATCH, BOTH], ids=str)
def test_a_client_that_is_nobody_is_itself_after_one_query(settings: Any) -> None:
    robot = ClientPrincipal(ISSUER, "robot")
    call = {"client_id": "robot", **ADA}
    assert resolved(settings, "robot", **call) == robot
    assert cost(lambda: resolved(settings, "robot", **call)) == 1
    assert not User.objects.exists()


def test_a_client_may_have_a_user(ada: User) -> None:
    identity(ada, "robot")
    assert resolved(LOOKUP, "robot", client_id="robot") == ada


# Made.


@everywhere
def test_a_user_is_made_at_first_sight_and_once() -> None:
    assert cost(lambda: resolved(CREATE, preferred_username="root", name="Root")) == 3
    user = resolved(CREATE)
    assert (user, 1) == (User.objects.get(), ExternalIdentity.objects.count())
    row = ExternalIdentity.objects.get()
    assert (row.issuer, row.subject, row.user) == (ISSUER, "s-1", user)
    assert uuid.UUID(hex=user.username).version == 4
    assert not user.has_usable_password()
    assert (user.email, user.first_name, user.is_active) == ("", "", True)
    assert not user.is_staff
    assert not user.is_superuser
    assert resolved(CREATE, "s-2") != user
    assert resolved(CREATE, iss="https://other.example") != user
    assert User.objects.count() == 3


@everywhere
@pytest.mark.parametrize("subject", ["\U0001f600" * 255, "x" * 255, "ada", "Ada", " "])
def test_any_subject_gets_a_user(subject: str) -> None:
    assert resolved(CREATE, subject) == resolved(CREATE, subject) == User.objects.get()


def test_a_user_whose_identity_was_deleted_is_left_alone() -> None:
    first = resolved(CREATE)
    ExternalIdentity.objects.all().delete()
    assert resolved(CREATE) not in {first, None}


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        pytest.param(ADA, "ada@a.test", id="verified"),
        pytest.param({**ADA, "email": "Ada@A.Test"}, "Ada@a.test", id="normalised"),
        pytest.param({"email": "ada@a.test"}, "", id="nothing-said"),
        pytest.param({**ADA, "email_verified": False}, "", id="not-verified"),
        pytest.param({**ADA, "email_verified": "true"}, "", id="text"),
        pytest.param({**ADA, "email_verified": 1}, "", id="number"),
        pytest.param({**ADA, "email_verified": [True]}, "", id="list"),
        pytest.param({"email_verified": True}, "", id="no-address"),
        pytest.param({**ADA, "email": ["ada@a.test"]}, "", id="several"),
        pytest.param({**ADA, "email": "ada"}, "", id="no-domain"),
        pytest.param({**ADA, "email": ""}, "", id="empty"),
        pytest.param({**ADA, "email": "a@" + "b.test," * 999}, "", id="long"),
        pytest.param({**ADA, "email": f"{'a' * 250}@a.test"}, "", id="longer-than-db"),
        pytest.param({**ADA, "email": "a\0@a.test"}, "", id="nul"),
        pytest.param({**ADA, "email": "a@\ud800b.test"}, "", id="surrogate"),
    ],
)
@everywhere
def test_an_address_is_kept_only_if_it_is_verified(
    claims: dict[str, Any], email: str
) -> None:
    assert resolved(CREATE, **claims).email == email


def test_what_the_validator_lets_through_and_no_database_takes() -> None:
    assert verified_email({**ADA, "email": "a@\ud800b.test"}) is None


def custom(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> None:
    """Have a user model that differs in these."""

    class Meta:
        app_label = "app"
        proxy = True

    names = {"Meta": Meta, "__module__": __name__, **attributes}
    with isolate_apps("tests.app"):
        model = type("Custom", (User,), names)
    monkeypatch.setattr(users, "get_user_model", lambda: model)


class ByEmail(models.Manager[Any]):
    """As in Django's own example of a user model."""

    def create_user(self, email: str, password: str | None = None) -> Any:
        user = self.model(email=email, username="x")
        if password:
            user.set_password(password)
        user.save(using=self._db)
        return user


class Demanding(models.Manager[Any]):
    def create_user(self, username: str, birthday: str) -> Any:
        return self.model(username=username, last_name=birthday)


def test_a_model_whose_users_are_named_by_their_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    custom(monkeypatch, USERNAME_FIELD="email", objects=ByEmail())
    user = resolved(CREATE, **ADA)
    name, _, domain = user.email.partition("@")
    assert (len(name), domain) == (32, "identity.invalid")
    # Which its manager has forgotten to do.
    assert not User.objects.get().has_usable_password()


def test_a_model_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    custom(monkeypatch, EMAIL_FIELD="no_such_field", objects=Making())
    assert resolved(BOTH, **ADA).email == ""


def test_a_manager_that_wants_more_refuses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    custom(monkeypatch, objects=Demanding())
    assert resolved(CREATE) is None
    assert "create_user() wants what no token gives" in caplog.text
    assert not ExternalIdentity.objects.exists()


class Picky(models.Manager[Any]):
    """As managers that call `full_clean()`."""

    def create_user(self, **_: Any) -> Any:
        raise ValidationError("We know no such people.")


@everywhere
def test_a_manager_that_finds_a_user_invalid_refuses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    custom(monkeypatch, objects=Picky())
    assert resolved(CREATE) is None
    assert "create_user() wants what no token gives" in caplog.text
    assert not ExternalIdentity.objects.exists()


@everywhere
def test_what_collides_with_something_else_is_refused(
    ada: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Same(models.Manager[Any]):
        def create_user(self, *_: Any, **__: Any) -> Any:
            return User.objects.create(username=ada.username)

    custom(monkeypatch, objects=Same())
    assert resolved(CREATE) is None
    assert f"A user of {ISSUER} collides with what is there" in caplog.text
    assert connection.is_usable()
    assert User.objects.get() == ada


# Linked by e-mail.


@everywhere
@pytest.mark.parametrize("settings", [MATCH, BOTH], ids=str)
@pytest.mark.parametrize("email", ["ada@a.test", "ADA@a.test", "Ada@A.TEST"])
def test_a_verified_address_links_once(
    ada: User, caplog: pytest.LogCaptureFixture, settings: Any, email: str
) -> None:
    caplog.set_level(logging.INFO)
    claims = {**ADA, "email": email}
    assert cost(lambda: resolved(settings, **claims)) == 5
    row = ExternalIdentity.objects.get()
    assert (row.user, row.subject) == (ada, "s-1")
    told = f"Linked to a user by e-mail: {row.digest} is {ada.pk}"
    assert told in caplog.messages
    assert email not in caplog.text
    # From now on it is the subject that counts.
    assert resolved(settings) == ada
    assert cost(lambda: resolved(settings, **claims)) == 1


UNVERIFIED: Final[list[Any]] = [None, False, "true", "True", 1, "1", [True], {}]


@pytest.mark.parametrize("said", UNVERIFIED, ids=repr)
def test_an_address_that_is_not_verified_links_nobody(ada: User, said: Any) -> None:
    claims = {"email": ada.email, "email_verified": said}
    assert resolved(MATCH, **claims) is None
    made = resolved(BOTH, **claims)
    assert made != ada
    assert made.email == ""


def test_without_the_setting_an_address_links_nobody(ada: User) -> None:
    assert resolved(LOOKUP, **ADA) is None
    assert resolved(CREATE, **ADA) != ada


@everywhere
@pytest.mark.parametrize(
    "email",
    ["ada@a.test.", "adà@a.test", "\u0430da@a.test", "ada%@a.test", "_da@a.test"],
    ids=ascii,
)
def test_an_address_that_is_alike_links_nobody(ada: User, email: str) -> None:
    assert resolved(MATCH, **{**ADA, "email": email}) is None
    assert not ada.external_identities.exists()


@everywhere
def test_the_case_of_other_alphabets_is_not_that_of_ascii() -> None:
    # U+212A, the sign of Kelvin, whose lower case is "k"; U+017F is an "s".
    User.objects.create_user("mike", "mike@some.test")
    for email in ("mi\u212ae@some.test", "mike@\u017fome.test"):
        assert resolved(MATCH, **{**ADA, "email": email}) is None


def twin(_: User) -> None:
    User.objects.create_user("twin", "ADA@a.test")


def twin_who_left(_: User) -> None:
    User.objects.create_user("twin", "ada@a.test", is_active=False)


def write(**values: Any) -> Any:
    def change(user: User) -> None:
        User.objects.filter(pk=user.pk).update(**values)

    change.__name__ = str(*values)
    return change


def other_identity(user: User) -> None:
    identity(user, "s-0")


REFUSED: Final = [
    (twin, "2 users are found"),
    (twin_who_left, "2 users are found"),
    (write(is_active=False), "the user is not active"),
    (write(is_staff=True), "the user is staff"),
    (write(is_superuser=True), "the user is staff"),
    (other_identity, "the user has another identity there"),
]


@everywhere
@pytest.mark.parametrize("settings", [MATCH, BOTH], ids=["lookup", "create"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [pytest.param(*row, id=row[0].__name__) for row in REFUSED],
)
def test_whom_no_address_may_link(
    ada: User,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
    change: Any,
    reason: str,
) -> None:
    change(ada)
    before = set(ExternalIdentity.objects.values_list("subject"))
    assert resolved(settings, **ADA) is None
    assert f"Nobody linked by e-mail: {reason}" in caplog.text
    assert ADA["email"] not in caplog.text
    assert set(ExternalIdentity.objects.values_list("subject")) == before


def test_an_identity_elsewhere_is_no_hindrance(ada: User) -> None:
    identity(ada, issuer="https://other.example")
    assert resolved(MATCH, **ADA) == ada


def test_a_new_user_is_made_where_nobody_has_the_address(ada: User) -> None:
    made = resolved(BOTH, **{**ADA, "email": "eve@a.test"})
    assert made not in {ada, None}
    assert made.email == "eve@a.test"
    assert resolved(MATCH, "s-2", **{**ADA, "email": "bob@a.test"}) is None


# Primary keys.


@everywhere
def test_a_subject_that_is_a_primary_key(ada: User) -> None:
    assert resolved(LOCAL, str(ada.pk)) == ada
    assert cost(lambda: resolved(LOCAL, str(ada.pk))) == 1
    assert not ExternalIdentity.objects.exists()
    User.objects.update(is_active=False)
    assert resolved(LOCAL, str(ada.pk)) is None


@everywhere
@pytest.mark.parametrize(
    "subject",
    [
        *("", "x", "ada", "1.0", "1e0", "-1", "0", "None", "True", "nan", "\ud800"),
        *(str(2**31), str(2**63 - 1), str(2**63), "9" * 255, "-" + "9" * 255, "a\0b"),
    ],
    ids=ascii,
)
def test_what_is_no_primary_key_is_nobody_s(ada: User, subject: str) -> None:
    assert ada.pk > 0
    assert resolved(LOCAL, subject) is None


@pytest.mark.parametrize(
    "shape", [" {}", "{} ", "+{}", "0{}", "{}.0", "{}\0", "\t{}", "{}\n", "_{}"]
)
def test_a_key_is_written_in_one_way(ada: User, shape: str) -> None:
    assert resolved(LOCAL, shape.format(ada.pk)) is None


def test_the_digits_of_other_alphabets_are_none(ada: User) -> None:
    arabic = "".join(chr(0x0660 + int(digit)) for digit in str(ada.pk))
    assert int(arabic) == ada.pk
    assert resolved(LOCAL, arabic) is None


def test_a_client_whose_name_is_somebody_s_key_is_not_that_user(ada: User) -> None:
    name = str(ada.pk)
    principal = resolved(LOCAL, name, client_id=name)
    assert principal == ClientPrincipal(ISSUER, name)
    assert cost(lambda: resolved(LOCAL, name, client_id=name)) == 0


def with_keys_of(model: type[models.Model], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have users with the primary keys of a model."""

    class Meta:
        app_label = "app"
        proxy = True

    names = {"Meta": Meta, "__module__": __name__, "is_active": True}
    with isolate_apps("tests.app"):
        proxy: Any = type("Keyed", (model,), names)
    monkeypatch.setattr(users, "get_user_model", lambda: proxy)
    return proxy


@everywhere
def test_keys_that_are_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_keys_of(Session, monkeypatch)
    model._default_manager.create(
        session_key="a b", session_data="", expire_date=timezone.now()
    )
    assert resolved(LOCAL, "a b").pk == "a b"
    for subject in ("A B", "a b ", "\u00e0 b", "a\0b", "\ud800", "x" * 41, "a%"):
        assert resolved(LOCAL, subject) is None


@everywhere
def test_keys_that_are_relations(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_keys_of(Profile, monkeypatch)
    profile = model._default_manager.create(author=Author.objects.create(name="x"))
    assert resolved(LOCAL, str(profile.pk)) == profile
    for subject in ("x", "9" * 255, str(2**63)):
        assert resolved(LOCAL, subject) is None


class Odd:
    """A model as far as its key is looked at; nothing gets to a database."""

    is_active = True

    def __init__(self, pk: Any) -> None:
        self._meta = SimpleNamespace(pk=pk)


@pytest.mark.parametrize(
    ("pk", "subject"),
    [
        (models.BinaryField(), "a"),
        (models.DurationField(), f"{10**12} 00:00:00"),
        (models.FloatField(), "nan"),
        (models.FloatField(), "inf"),
        (models.FloatField(), "-inf"),
        (models.DecimalField(max_digits=5, decimal_places=2), "NaN"),
        (models.UUIDField(), "x"),
        (models.DateField(), "2026-02-30"),
    ],
)
def test_what_no_key_can_be_is_nobody_s(
    monkeypatch: pytest.MonkeyPatch, pk: Any, subject: str
) -> None:
    monkeypatch.setattr(users, "get_user_model", lambda: Odd(pk))
    assert users.local_user(subject) is None


# A project with a user model of its own, from its first migration on.

OWN_MODELS: Final = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager):
    def create_user(self, phone, password=None):
        user = self.model(phone=phone)
        user.set_password(password)
        user.save(using=self._db)
        return user


class Person(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=__import__("uuid").uuid4)
    phone = models.CharField(max_length=20, unique=True)
    USERNAME_FIELD = "phone"
    objects = Manager()
"""
OWN_PROJECT: Final = """
import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="own",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.auth", "people", "drf_apikit"
    ],
    AUTH_USER_MODEL="people.Person",
    USE_TZ=True,
)
django.setup()
call_command("migrate", run_syncdb=True, verbosity=0)

from drf_apikit.authentication import AccessToken
from drf_apikit.authentication.principals import resolve_principal
from drf_apikit.conf import IssuerSettings


def resolved(sub, **settings):
    claims = {
        "iss": "https://id.example", "sub": sub, "client_id": "shop", "iat": 1,
        "email": "ada@a.test", "email_verified": True, "roles": ["admin"],
    }
    return resolve_principal(AccessToken(claims, IssuerSettings(**settings)))


create = {"users": "create", "match_verified_email": True, "groups_claim": "roles"}
user = resolved("s", **create, groups={"admin": "a"}, staff=frozenset({"admin"}))
assert user == resolved("s", users="lookup") == resolved(str(user.pk), users="local")
assert len(user.phone) == 20 and not user.has_usable_password()
for subject in (user.pk.hex, str(user.pk).upper(), "{%s}" % user.pk, "x", "1"):
    assert resolved(subject, users="local") is None
print("done")
"""


def test_a_project_with_a_user_model_of_its_own(tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    (people / "__init__.py").touch()
    (people / "models.py").write_text(OWN_MODELS, "utf-8")
    (tmp_path / "own.py").write_text(OWN_PROJECT, "utf-8")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    run = subprocess.run(
        [sys.executable, "own.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr


# With hooks of a login.


@everywhere
def test_a_maker_of_ones_own_gets_the_verified_address() -> None:
    asked: list[Any] = []

    def make(email: str | None, alias: str) -> Any:
        asked.append((email, alias))
        return User.objects.db_manager(alias).create_user("made", email)

    for settings in (LOOKUP, MATCH):
        assert users.enrol(token(settings), make) is None
    for subject, claims in (("s-2", {"email": "b@a.test"}), ("s-3", ADA)):
        User.objects.filter(username="made").delete()
        found = users.enrol(token(CREATE, subject, **claims), make)
        assert found is not None
        assert found.user.get_username() == "made"
    assert asked == [(None, "default"), (ADA["email"], "default")]
    assert users.enrol(token(CREATE, "s-4"), lambda *_: None) is None
    assert users.enrol(token(CREATE, "s-5"), make) is None, "the name is taken"


@everywhere
def test_a_finder_of_ones_own_replaces_the_address_and_may_give_staff(
    ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.update(is_staff=True)
    everybody = User.objects.all
    found = users.enrol(token(LOOKUP), find=lambda _: everybody())
    assert found is not None
    assert found.user == ada
    assert users.enrol(token(LOOKUP, "s-2"), find=lambda _: everybody()) is None
    assert "Nobody linked by what the project finds" in caplog.text
    # Nobody is found, so that the settings decide.
    assert users.enrol(token(BOTH, "s-3", **ADA), find=lambda _: []) is not None
    assert User.objects.count() == 2
