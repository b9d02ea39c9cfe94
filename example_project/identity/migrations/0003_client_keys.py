import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0002_clientpolicy"),
        ("oauth2_provider", "__first__"),
    ]

    operations = [
        migrations.AddField(
            model_name="clientpolicy",
            name="jwks",
            field=models.JSONField(
                blank=True,
                default=None,
                help_text="Public keys of a client that signs instead of sending a "
                "secret.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="UsedAssertion",
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
                    "digest",
                    models.CharField(help_text="SHA-256 of its jti.", max_length=64),
                ),
                (
                    "expires",
                    models.BigIntegerField(help_text="Seconds since the epoch."),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="oauth2_provider.application",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("application", "digest"),
                        name="identity_assertion_once",
                    )
                ],
                "indexes": [
                    models.Index(fields=["expires"], name="identity_assertion_expires")
                ],
            },
        ),
    ]
