"""A session: one login of one user by one client, with its family of refresh tokens."""

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from drf_apikit.models.digest_field import DigestField

__all__ = ["OptionalDigestField", "TokenSession"]

if TYPE_CHECKING:
    _OptionalText = models.CharField[str | None, str | None]
else:
    _OptionalText = DigestField


class OptionalDigestField(_OptionalText):
    """SHA-256 in hexadecimal, or NULL."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["null"] = True
        super().__init__(*args, **kwargs)


class TokenSession(models.Model):
    """One row for a login, however often it is refreshed.

    Of a refresh token only the digest is kept, so that who reads the table has none.
    All times are by the clock of the database.
    """

    #: The `sid` of its access tokens.
    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="token_sessions",
        verbose_name=_("user"),
    )
    client_id = models.CharField(_("client"), max_length=100)
    #: Separated by spaces (RFC 6749 section 3.3).
    scopes = models.TextField(_("scopes"), blank=True, default="")
    #: Further claims of its access tokens.
    claims = models.JSONField(_("claims"), blank=True, default=dict)
    #: The digest of what Django ends its own sessions by when a password changes.
    auth_hash = DigestField(_("digest of the password's hash"))
    #: Of the refresh token that is good.
    token_digest = DigestField(_("digest of the refresh token"))
    #: Of the one before.
    previous_digest = OptionalDigestField(_("digest of the one before"))
    #: The refresh token that is good, with `REPEAT_SUCCESSOR`: encrypted by what only
    #: who has the one before can know.
    successor = models.TextField(_("successor"), blank=True, default="")
    #: Of the token of simplejwt that it was exchanged for; that token's `exp`.
    origin = OptionalDigestField(_("digest of the exchanged token"), unique=True)
    origin_expires_at = models.DateTimeField(
        _("expiry of the exchanged token"), null=True
    )
    user_agent = models.CharField(
        _("user agent"), max_length=200, blank=True, default=""
    )
    created_at = models.DateTimeField(_("created at"))
    #: When the refresh token that is good was made.
    refreshed_at = models.DateTimeField(_("refreshed at"))
    #: The same two in seconds since 1970, which no end of daylight saving time repeats:
    #: whether a token comes again soon enough is judged by these.
    created_epoch = models.FloatField()
    refreshed_epoch = models.FloatField()
    #: When it is over: not used for too long, too old, or ended.
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    #: However often it is refreshed.
    ends_at = models.DateTimeField(_("ends at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    #: A value of `drf_apikit.tokens.sessions.Ending`.
    end_reason = models.CharField(
        _("reason of the end"), max_length=16, blank=True, default=""
    )

    class Meta:
        db_table = "drf_apikit_token_session"
        verbose_name = _("token session")
        verbose_name_plural = _("token sessions")
        permissions = [("end_tokensession", _("Can end a token session"))]

    def __str__(self) -> str:
        return f"{self.client_id} {self.id}"
