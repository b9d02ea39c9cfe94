"""The keys of the database that sign first-party tokens."""

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["SigningKeyRecord"]


class SigningKeyRecord(models.Model):
    """One key: what is published of it, and from when it signs.

    Moments are seconds since the epoch, whole ones, by the clock of the process that
    has made the row: all processes judge by them, whatever their time zones.
    """

    #: The next number is the right to make the next key: one process gets it.
    sequence = models.PositiveIntegerField(_("number"), primary_key=True)
    kid = models.CharField(_("key id"), max_length=100, unique=True)
    algorithm = models.CharField(_("algorithm"), max_length=16)
    #: RFC 7517 section 4. Whoever only verifies needs nothing else.
    public_jwk = models.JSONField(_("public key"))
    #: Encrypted: see `keyring.sealing`. Empty when it cannot sign any more.
    private_key = models.TextField(_("private key"), blank=True, editable=False)
    created_at = models.BigIntegerField(_("created at"))
    active_from = models.BigIntegerField(_("active from"))
    #: From when nothing that it has signed is accepted, in an emergency.
    ended_at = models.BigIntegerField(_("ended at"), null=True)
    #: Seconds for which a token that it has signed is good, at the most.
    token_lifetime = models.PositiveIntegerField(_("lifetime of tokens"))

    class Meta:
        db_table = "drf_apikit_signing_key"
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")

    def __str__(self) -> str:
        return self.kid
