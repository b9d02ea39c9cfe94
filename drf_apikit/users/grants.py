"""Groups and staff status out of claims, by an explicit mapping.

Only groups that `GROUPS` names are given and taken away, `is_staff` only where
`STAFF` is set, `is_superuser` never. What is done is noted on the identity, so that
requests with nothing new cost no query:

- The newest token decides, by `iat`; an older one changes nothing any more. So a role
  that is taken away at the issuer is gone with the first token that lacks it.
- What is changed here by hand stays until the claims change.
- A group that is not there is skipped and logged. It is looked for again with the
  next token rather than with each request.
"""

import hashlib
import logging
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import OperationalError, router, transaction
from django.db.models import Q

from drf_apikit.digests import feed
from drf_apikit.jose import claim_at
from drf_apikit.models import ExternalIdentity
from drf_apikit.users.retries import (
    is_serialization_failure,
    retry_on_contention,
)
from drf_apikit.users.subject import Subject, SubjectSettings

__all__ = ["Grants", "apply_grants", "granted", "maps_claims"]

logger = logging.getLogger(__name__)

#: Changes whenever the meaning of the digest does.
_FORMAT: Final = 1
_STAFF: Final = "is_staff"


@dataclass(frozen=True, slots=True)
class Grants:
    """What a token says of groups and staff status.

    `groups` are those that the user gets, out of `known`, all that the mapping
    names; `staff` is None where that is not for claims to say; `oddity` names the
    kind of a claim that says nothing that is understood.
    """

    groups: frozenset[str]
    known: frozenset[str]
    staff: bool | None
    oddity: str | None = None

    def digest(self, *more: object) -> str:
        """Give a text that is another one for other grants."""
        sha256 = hashlib.sha256()
        listed = (len(self.groups), *sorted(self.groups), *sorted(self.known))
        feed(sha256, [_FORMAT, self.staff, self.oddity, *more, *listed])
        return sha256.hexdigest()


def maps_claims(settings: SubjectSettings) -> bool:
    """Tell whether claims of an issuer have a say about groups or staff status."""
    mapped = bool(settings.groups) or settings.staff is not None
    return settings.groups_claim is not None and mapped


def granted(who: Subject) -> Grants | None:
    """Read what a token grants; None if claims have no say at this issuer.

    The claim is a list of texts, or one text of words with spaces between them.
    Anything else grants nothing, and so does a claim that is not there.
    """
    settings = who.settings
    if settings.groups_claim is None or not maps_claims(settings):
        return None
    claim = claim_at(who.claims, settings.groups_claim)
    values, oddity = _values(claim)
    return Grants(
        groups=frozenset(settings.groups[v] for v in values if v in settings.groups),
        known=frozenset(settings.groups.values()),
        staff=_staff(values, settings.staff),
        oddity=oddity,
    )


def apply_grants(who: Subject, identity: ExternalIdentity) -> None:
    """Give the user of an identity what its token grants, unless that is done.

    The user has it afterwards in the database and as an instance.
    """
    grants = granted(who)
    if grants is None:
        return
    whole = grants.digest(identity.user_id)
    issued, noted = who.issued_at, identity.grants_issued_at
    done = identity.grants in {whole, grants.digest(identity.user_id, issued)}
    if noted is not None and (issued < noted or (done and issued == noted)):
        return
    alias = router.db_for_write(ExternalIdentity)
    write = _note if done else _write
    try:
        retry_on_contention(lambda: write(who, identity, grants, alias), alias)
    except OperationalError as error:
        # Another request has just written grants, which the next one will see.
        if not is_serialization_failure(error, alias):
            raise


def _values(claim: Any) -> tuple[frozenset[str], str | None]:
    if claim is None:
        return frozenset(), None
    listed = claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(listed, list):
        return frozenset(), type(claim).__name__
    if not all(isinstance(value, str) for value in listed):
        return frozenset(), "list of more than texts"
    return frozenset(listed), None


def _staff(values: frozenset[str], mapped: frozenset[str] | None) -> bool | None:
    """Tell what the claim says, unless the user model has no such field."""
    names = {each.name for each in get_user_model()._meta.fields}
    return None if mapped is None or _STAFF not in names else bool(values & mapped)


def _note(
    who: Subject, identity: ExternalIdentity, _grants: Grants, alias: str
) -> None:
    """Note a token that changes nothing: an older one must not, after it."""
    rows = ExternalIdentity.objects.using(alias).filter(pk=identity.pk)
    issued = who.issued_at
    same = rows.filter(grants=identity.grants, grants_issued_at__lt=issued)
    same.update(grants_issued_at=issued)


def _write(
    who: Subject, identity: ExternalIdentity, grants: Grants, alias: str
) -> None:
    user: Any = identity.user
    rows = ExternalIdentity.objects.using(alias).filter(pk=identity.pk)
    whole, issued = grants.digest(user.pk), who.issued_at
    older = Q(grants_issued_at=None) | Q(grants_issued_at__lte=issued)
    with transaction.atomic(using=alias):
        # From here on the row is locked; who comes second finds that it is done.
        first = rows.filter(older).exclude(grants=whole)
        if first.update(grants=whole, grants_issued_at=issued):
            missing = _set_groups(user, grants, alias)
            if missing:
                # For this token alone: with the next one they may be there.
                rows.update(grants=grants.digest(user.pk, issued))
            _tell(who, grants, missing)
            _set_staff(user, grants, alias)
        elif grants.staff is not None:
            user.is_staff = rows.filter(user__is_staff=True).exists()


def _set_groups(user: Any, grants: Grants, alias: str) -> frozenset[str]:
    """Give and take groups of the mapping; name those that are not there."""
    manager: Any = getattr(user, "groups", None)
    # A user model of one's own may call something else groups.
    if not grants.known or not hasattr(manager, "through"):
        return grants.groups
    found = manager.model._default_manager.using(alias).filter(name__in=grants.known)
    # A collation may have found what differs in case.
    keys = {group.name: group.pk for group in found if group.name in grants.known}
    # A locking read sees more than a snapshot.
    rows = manager.through._base_manager.using(alias).select_for_update()
    rows = rows.filter(**{manager.source_field_name: user})
    held = set(rows.values_list(manager.target_field_name, flat=True))
    wanted = {key for name, key in keys.items() if name in grants.groups}
    if given := wanted - held:
        manager.add(*given)
    if taken := (held & set(keys.values())) - wanted:
        manager.remove(*taken)
    return grants.groups - keys.keys()


def _set_staff(user: Any, grants: Grants, alias: str) -> None:
    if grants.staff is None:
        return
    rows = type(user)._base_manager.using(alias).select_for_update()
    user.refresh_from_db(fields=[_STAFF], from_queryset=rows)
    if user.is_staff is not grants.staff:
        user.is_staff = grants.staff
        user.save(using=alias, update_fields=[_STAFF])


def _tell(who: Subject, grants: Grants, missing: frozenset[str]) -> None:
    claim, issuer = who.settings.groups_claim, who.issuer
    if grants.oddity is not None:
        kind = grants.oddity
        logger.warning("%s of %s is a %s: it grants nothing", claim, issuer, kind)
    if who.settings.staff is not None and grants.staff is None:
        logger.warning("The user model has no field %s", _STAFF)
    if missing:
        names = ", ".join(sorted(missing))
        logger.warning("%s of %s: there is no group %s", claim, issuer, names)
