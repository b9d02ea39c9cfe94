"""Who a token's subject is in this project."""

import hashlib
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext_lazy as _

from drf_apikit.digests import feed
from drf_apikit.models.digest_field import DigestField

__all__ = ["ExternalIdentity", "IdentityDigest", "IdentityQuerySet", "identity_digest"]

#: What an identity is; all else is about it.
_PARTS: Final = frozenset({"issuer", "subject"})
_DIGEST: Final = "digest"


def identity_digest(issuer: str, subject: str) -> str:
    """Name a subject of an issuer by a text of fixed width."""
    sha256 = hashlib.sha256()
    feed(sha256, [issuer, subject])
    return sha256.hexdigest()


class _Computed(DeferredAttribute):
    """What the other two columns of the instance say, whatever it was set to."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        return identity_digest(instance.issuer, instance.subject)

    def __set__(self, instance: Any, value: Any) -> None:
        # Django looks there for what an instance was loaded with.
        vars(instance)[_DIGEST] = value


class IdentityDigest(DigestField):
    """The digest of `issuer` and `subject`, however a row is saved."""

    descriptor_class = _Computed


class IdentityQuerySet(models.QuerySet["ExternalIdentity"]):
    """Identities: bulk writes keep the digest in step."""

    def update(self, **kwargs: Any) -> int:
        """Write; where that changes an identity, write its digest too."""
        if _PARTS.isdisjoint(kwargs):
            return super().update(**kwargs)
        # As Django's `update()` does first: `db` is now where writes go.
        self._for_write = True
        with transaction.atomic(using=self.db, savepoint=False):
            keys = list(self.values_list("pk", flat=True))
            updated = super().update(**kwargs)
            rows = self.model._base_manager.using(self.db).filter(pk__in=keys)
            rows.bulk_update(rows, [_DIGEST])
        return updated

    def bulk_update(
        self,
        objs: Iterable["ExternalIdentity"],
        fields: Iterable[str],
        batch_size: int | None = None,
    ) -> int:
        """Write some columns of some rows."""
        return super().bulk_update(objs, _completed(fields), batch_size)

    def bulk_create(
        self,
        objs: Iterable["ExternalIdentity"],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list["ExternalIdentity"]:
        """Insert rows."""
        names = None if update_fields is None else _completed(update_fields)
        return super().bulk_create(
            objs,
            batch_size,
            ignore_conflicts,
            update_conflicts,
            names,
            unique_fields,
        )


class ExternalIdentity(models.Model):
    """A user as an issuer knows it: (issuer, subject) and nothing else.

    `sub` is unique and never reassigned within one issuer (OpenID Connect Core
    section 2); a name or an e-mail address is neither. Both are compared octet
    by octet: the digest is what is unique and what is looked for, so that no
    collation of a database makes one of two subjects.
    """

    digest = IdentityDigest(_("digest"), unique=True, editable=False)
    issuer = models.CharField(_("issuer"), max_length=255)
    subject = models.CharField(_("subject"), max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="external_identities",
        verbose_name=_("user"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    #: What groups and staff status a token has given, see `users.grants`.
    grants = models.CharField(
        _("digest of grants"), max_length=64, default="", editable=False
    )
    #: The `iat` of that token.
    grants_issued_at = models.FloatField(
        _("grants issued at"), null=True, editable=False
    )

    objects = IdentityQuerySet.as_manager()

    class Meta:
        db_table = "drf_apikit_identity"
        verbose_name = _("external identity")
        verbose_name_plural = _("external identities")

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"

    def save(self, **kwargs: Any) -> None:
        """Write the row; its digest with either part of the identity."""
        names = kwargs.get("update_fields")
        if names is not None:
            kwargs["update_fields"] = _completed(names)
        super().save(**kwargs)

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """Find the identity's other row, and name what people know of it."""
        super().validate_unique({*(exclude or ()), _DIGEST})
        same = type(self)._default_manager.filter(digest=self.digest)
        if same.exclude(pk=self.pk).exists():
            message = self.unique_error_message(type(self), ("issuer", "subject"))
            raise ValidationError(message)


def _completed(names: Iterable[str]) -> AbstractSet[str]:
    """Add the digest to columns that it is of."""
    given = frozenset(names)
    return given if _PARTS.isdisjoint(given) else given | {_DIGEST}
