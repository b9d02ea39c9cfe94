"""The user behind a subject: found, linked by an e-mail address, or made."""

import logging
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, router, transaction
from django.db.models import EmailField

from drf_apikit.models import ExternalIdentity
from drf_apikit.models.identities import identity_digest
from drf_apikit.users.lookup import (
    filters_rows,
    identity_with_user,
    user_of_identity,
    user_with_key,
)
from drf_apikit.users.retries import read_on_new_connection, retry_on_contention
from drf_apikit.users.subject import Subject

__all__ = [
    "enrol",
    "find_identity",
    "find_user",
    "local_user",
    "make_user",
    "random_name",
    "users_with_email",
    "verified_email",
]

logger = logging.getLogger(__name__)

#: A domain that is nobody's (RFC 2606 section 2), for names that must be addresses.
_NOBODY: Final = "@identity.invalid"
#: How a user is found whom nobody has linked yet.
_BY_EMAIL: Final = "e-mail"
_BY_PROJECT: Final = "what the project finds"

#: Makes a user from a verified e-mail address or None, in a database; None refuses.
Make = Callable[[str | None, str], Any]
#: Finds users in a database.
Find = Callable[[str], Iterable[Any]]


def find_identity(who: Subject, alias: str | None = None) -> Any:
    """Give the identity of a subject with its user, in one query; None without.

    A user whom the default manager hides is not found.
    """
    digest = identity_digest(who.issuer, who.subject)
    alias = alias or router.db_for_read(ExternalIdentity)
    users = get_user_model()._default_manager
    if filters_rows(users):
        rows = ExternalIdentity.objects.using(alias).select_related("user")
        found = rows.filter(digest=digest, user__in=users.using(alias)).first()
    else:
        found = identity_with_user(digest, alias)
    # Raw SQL can change a row and leave its digest.
    if found is None or (found.issuer, found.subject) != (who.issuer, who.subject):
        return None
    return found


def find_user(who: Subject) -> Any:
    """Give the user of a subject's identity, in one query; None without.

    Quicker than with the identity, which nobody needs where claims grant nothing.
    """
    model: Any = get_user_model()
    if filters_rows(model._default_manager):
        identity = find_identity(who)
        return None if identity is None else identity.user
    issuer, subject = who.issuer, who.subject
    places = (identity_digest(issuer, subject), issuer, subject)
    return user_of_identity(model, places, router.db_for_read(ExternalIdentity))


def local_user(subject: str) -> Any:
    """Give the active user with that primary key, in one query; None without.

    What is no primary key as Python writes it is nobody's.
    """
    if not subject.isprintable():
        # Neither NUL nor half of a character gets as far as a database.
        return None
    model: Any = get_user_model()
    field = model._meta.pk
    while field.remote_field:
        field = field.target_field
    try:
        key = field.to_python(subject)
        field.run_validators(key)
    except (OverflowError, ValueError, ValidationError):
        return None
    # " 1", "+1" and "1_0" are numbers to Python; so are "nan" and "inf", which not all
    # databases take.
    is_odd = isinstance(key, float) and not math.isfinite(key)
    if is_odd or str(key) != subject:
        return None
    alias = router.db_for_read(model)
    if filters_rows(model._default_manager):
        user = model._default_manager.using(alias).filter(pk=key).first()
    else:
        user = user_with_key(model, key, alias)
    # A collation may have found what differs in case.
    if user is None or user.pk != key or not user.is_active:
        return None
    return user


def enrol(
    who: Subject, make: Make | None = None, find: Find | None = None
) -> ExternalIdentity | None:
    """Make the identity of a subject that nobody knows, as far as `USERS` allows.

    With `MATCH_VERIFIED_EMAIL` it is linked to the user with that e-mail address.
    Otherwise, with `USERS` "create", a user is made: its name is random, since a
    name out of a claim could be one that somebody has taken or will look for. Of
    concurrent requests one does this, and the others find what it has made.

    `find` gives the users to link in place of the address, and may give staff; `make`
    makes a user, from the verified address if there is one. Both run within a
    transaction, which may be taken back and come again.
    """
    settings = who.settings
    if settings.users != "create" and not settings.match_verified_email and not find:
        return None
    alias = router.db_for_write(ExternalIdentity)
    try:
        return retry_on_contention(lambda: _enrolled(who, alias, make, find), alias)
    except IntegrityError:
        found: ExternalIdentity | None = _made_meanwhile(who, alias)
        if found is None:
            # The database's own words may have the address in them.
            logger.warning("A user of %s collides with what is there", who.issuer)
        return found


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """Give the e-mail address if the issuer says that it has verified it.

    `email_verified` has to be the JSON value true. Providers that send the text
    "true" are not believed, since others of them send "false".
    """
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    try:
        validate_email(email)
    except ValidationError:
        return None
    return email if email.isprintable() else None


def _enrolled(
    who: Subject, alias: str, make: Make | None, find: Find | None
) -> ExternalIdentity | None:
    email = verified_email(who.claims)
    way = _BY_EMAIL if find is None else _BY_PROJECT
    found: list[Any] = []
    with transaction.atomic(using=alias):
        if find is not None:
            found = list(find(alias))
        elif who.settings.match_verified_email and email is not None:
            found = users_with_email(email, alias)
        if found:
            user = _linkable(found, who, alias, way)
        else:
            is_made = who.settings.users == "create"
            user = (make or make_user)(email, alias) if is_made else None
        if user is None:
            return None
        identity = ExternalIdentity.objects.using(alias).create(
            issuer=who.issuer, subject=who.subject, user=user
        )
    done = f"Linked to a user by {way}" if found else "Made a user"
    logger.info("%s: %s is %s", done, identity.digest, user.pk)
    return identity


def _made_meanwhile(who: Subject, alias: str) -> Any:
    found = find_identity(who, alias)
    if found is None:
        found = read_on_new_connection(lambda: find_identity(who, alias), alias)
    return found


def _email_field() -> str | None:
    """Name the field of the user model that holds the address, if there is one."""
    model: Any = get_user_model()
    name: str = model.get_email_field_name()
    return name if name in {field.name for field in model._meta.fields} else None


def users_with_email(email: str, alias: str) -> list[Any]:
    """Give all users with an address, active or not, in whatever case of ASCII."""
    name = _email_field()
    if name is None:
        return []
    users = get_user_model()._default_manager.using(alias)
    users = users.filter(**{f"{name}__iexact": email})
    return [user for user in users if _is_same(getattr(user, name), email)]


def _is_same(one: str, other: str) -> bool:
    """Compare without the case of ASCII alone.

    To a database, and to Python, a letter of another alphabet may be the upper case
    of an ASCII one: an address with it is somebody else's.
    """
    return one.encode().lower() == other.encode().lower()


def _linkable(found: list[Any], who: Subject, alias: str, way: str) -> Any:
    """Give the one user who may be linked; None refuses the token.

    By an address never one who is staff or a superuser: whoever makes an issuer call
    it verified, by a mistake of the issuer or an address that changed hands, would
    take over the account, and with it the admin. Never one who has an identity at
    that issuer already: the address has been given to somebody else since. These are
    linked by hand, if at all.
    """
    # Of two subjects with one address, the second sees what the first has done.
    rows = get_user_model()._base_manager.using(alias).select_for_update()
    users = list(rows.filter(pk__in=[user.pk for user in found]))
    reason = _why_not(users, who, alias, way)
    if reason is None:
        return users[0]
    keys = ", ".join(str(user.pk) for user in users)
    logger.warning("Nobody linked by %s: %s (%s)", way, reason, keys)
    return None


def _why_not(users: list[Any], who: Subject, alias: str, way: str) -> str | None:
    if len(users) != 1:
        return f"{len(users)} users are found"
    user = users[0]
    if not user.is_active:
        return "the user is not active"
    is_staff = getattr(user, "is_staff", False)
    if way == _BY_EMAIL and (is_staff or getattr(user, "is_superuser", False)):
        return "the user is staff"
    own = ExternalIdentity.objects.using(alias).filter(user=user, issuer=who.issuer)
    # The same one is what another request has just made.
    own = own.exclude(digest=identity_digest(who.issuer, who.subject))
    return "the user has another identity there" if own.exists() else None


def make_user(email: str | None, alias: str, name: str | None = None) -> Any:
    """Make a user by `create_user` of the default manager; None if it refuses.

    It has no password. Without a name, its name is random.
    """
    model: Any = get_user_model()
    manager = model._default_manager.db_manager(alias)
    name = random_name(model) if name is None else name
    values = {model.USERNAME_FIELD: name, **_address(model, email)}
    try:
        user = manager.create_user(password=None, **values)
    except (AttributeError, TypeError, ValueError, ValidationError):
        logger.exception("create_user() wants what no token gives")
        return None
    if user.has_usable_password():
        user.set_unusable_password()
        user.save(using=alias, update_fields=["password"])
    return user


def random_name(model: Any) -> str:
    """Give a name that is nobody's, and that nobody can foresee."""
    field = model._meta.get_field(model.USERNAME_FIELD)
    name = uuid.uuid4().hex
    if isinstance(field, EmailField):
        return f"{name}{_NOBODY}"
    return name[: field.max_length]


def _address(model: Any, email: str | None) -> dict[str, str]:
    """Give the value of the field for the address, if it takes it."""
    name = _email_field()
    if email is None or name is None or name == model.USERNAME_FIELD:
        return {}
    try:
        model._meta.get_field(name).run_validators(email)
    except ValidationError:
        return {}
    return {name: email}
