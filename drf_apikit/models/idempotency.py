"""The record behind an Idempotency-Key."""

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["IdempotencyRecord"]


class IdempotencyRecord(models.Model):
    """One protected operation: its claim, then its answer.

    Claim, effects and answer are committed together, so a row that others can
    see always has its answer. The key itself is not stored, only digests are:
    `scope` of who called what with which key, `fingerprint` of the payload.
    """

    scope = models.CharField(_("scope"), max_length=64, primary_key=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    #: How scope, fingerprint and answer are to be read: see `idempotency.keys`.
    format_version = models.PositiveSmallIntegerField(_("format version"))
    method = models.CharField(_("method"), max_length=16)
    route = models.CharField(_("route"), max_length=255)
    status_code = models.PositiveSmallIntegerField(_("status code"), null=True)
    #: Pairs of name and value, in the order in which they were sent.
    headers = models.JSONField(_("headers"), null=True)
    #: None where the answer was too long to be kept.
    body = models.BinaryField(_("body"), null=True)
    created_at = models.DateTimeField(_("created at"))
    completed_at = models.DateTimeField(_("completed at"), null=True)
    expires_at = models.DateTimeField(_("expires at"), db_index=True)

    class Meta:
        db_table = "drf_apikit_idempotency"
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.scope[:12]}"
