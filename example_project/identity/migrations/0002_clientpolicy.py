import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Apart from the first one: the toolkit's tables need the user's, and this one
    # needs the toolkit's.
    dependencies = [("identity", "0001_initial"), ("oauth2_provider", "__first__")]

    operations = [
        migrations.CreateModel(
            name="ClientPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "access_token_format",
                    models.CharField(
                        choices=[("jwt", "JWT (RFC 9068)"), ("opaque", "Opaque")],
                        default="jwt",
                        max_length=10,
                    ),
                ),
                (
                    "scopes",
                    models.JSONField(
                        blank=True,
                        default=None,
                        help_text="Scopes that it may ask for; null for all that "
                        "suit its grant.",
                        null=True,
                    ),
                ),
                (
                    "application",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="policy",
                        to="oauth2_provider.application",
                    ),
                ),
            ],
            options={"verbose_name_plural": "client policies"},
        ),
    ]
