"""Who can sign in, and what this provider adds to the toolkit's clients."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from oauth2_provider.settings import oauth2_settings

__all__ = ["ClientPolicy", "UsedAssertion", "User"]


class User(AbstractUser):
    """A person with a stable, opaque name for APIs: the `sub` claim."""

    subject = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)


class ClientPolicy(models.Model):
    """What a client's tokens look like and which scopes it may ask for.

    It stands beside the toolkit's application model instead of replacing it: a copy
    of that model's columns in migrations of ours would break with every release of
    the toolkit that adds one.
    """

    class AccessTokenFormat(models.TextChoices):
        """A signed RFC 9068 token, or a random string for introspection."""

        JWT = "jwt", "JWT (RFC 9068)"
        OPAQUE = "opaque", "Opaque"

    application = models.OneToOneField(
        oauth2_settings.APPLICATION_MODEL,
        on_delete=models.CASCADE,
        related_name="policy",
    )
    access_token_format = models.CharField(
        max_length=10,
        choices=AccessTokenFormat.choices,
        default=AccessTokenFormat.JWT,
    )
    scopes = models.JSONField(
        null=True,
        blank=True,
        default=None,
        help_text="Scopes that it may ask for; null for all that suit its grant.",
    )
    jwks = models.JSONField(
        null=True,
        blank=True,
        default=None,
        help_text="Public keys of a client that signs instead of sending a secret.",
    )

    objects: ClassVar[models.Manager["ClientPolicy"]] = models.Manager()

    class Meta:
        """Django's names for it."""

        verbose_name_plural = "client policies"

    def __str__(self) -> str:
        return f"{self.application}: {self.access_token_format}"


class UsedAssertion(models.Model):
    """An assertion of a client that has been used; it cannot be used again."""

    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 of its jti.")
    expires = models.BigIntegerField(help_text="Seconds since the epoch.")

    objects: ClassVar[models.Manager["UsedAssertion"]] = models.Manager()

    class Meta:
        """What makes it unique, and what it is forgotten by."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["application", "digest"], name="identity_assertion_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["expires"], name="identity_assertion_expires")
        ]

    def __str__(self) -> str:
        return f"{self.application}: {self.digest}"
