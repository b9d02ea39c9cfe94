"""The record behind an Idempotency-Key."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from drf_apikit.models.digest_field import DigestField

__all__ = ["IdempotencyRecord"]


class IdempotencyRecord(models.Model):
    """One protected operation: its claim, then its answer.

    Claim, effects and answer are committed together, so a row that others can
    see always has its answer. The key itself is not stored, only digests are:
    `scope` of who called what with which key, `principal` of who that was,
    `fingerprint` of the payload.
    """

    scope = DigestField(_("scope"), primary_key=True)
    principal = DigestField(_("principal"))
    fingerprint = DigestField(_("fingerprint"))
    #: How scope, fingerprint and answer are to be read: see `idempotency.keys`.
    format_version = models.PositiveSmallIntegerField(_("format version"))
    method = models.CharField(_("method"), max_length=16)
    route = models.CharField(_("route"), max_length=255)
    status_code = models.PositiveSmallIntegerField(_("status code"), null=True)
    #: False where the answer was too long to be kept.
    has_body = models.BooleanField(_("has a body"))
    #: Whether `answer` is compressed, and whether it is encrypted: see
    #: `idempotency.sealing`.
    codec = models.PositiveSmallIntegerField(_("codec"), null=True)
    #: Headers and body.
    answer = models.BinaryField(_("answer"), null=True)
    created_at = models.DateTimeField(_("created at"))
    completed_at = models.DateTimeField(_("completed at"), null=True)
    #: By the clock of the database, as the two above.
    expires_at = models.DateTimeField(_("expires at"), db_index=True)

    class Meta:
        db_table = "drf_apikit_idempotency"
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        permissions = [
            ("release_idempotencyrecord", _("Can let an operation run again")),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.scope[:12]}"
