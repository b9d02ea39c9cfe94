"""Bring users and clients into the provider's database."""

import secrets
from typing import Any, Final

from django.contrib.auth.hashers import check_password
from django.db import transaction
from oauth2_provider.models import get_application_model

from identity.models import ClientPolicy, User
from identity.spec import Client, Spec
from identity.spec import User as UserSpec

__all__ = ["seed"]

GRANTS: Final = {
    "authorization_code": "authorization-code",
    "client_credentials": "client-credentials",
}


def seed(spec: Spec) -> None:
    """Make what `spec` names, or bring it up to date; nothing is ever deleted.

    All or nothing. Raises django.core.exceptions.ValidationError for values that the
    models refuse, such as a redirect URI with a fragment.
    """
    with transaction.atomic():
        for user in spec.users:
            _seed_user(user)
        for client in spec.clients:
            _seed_client(client)


def _seed_user(spec: UserSpec) -> None:
    user = User.objects.filter(username=spec.username).first()
    user = user or User(username=spec.username)
    user.subject = spec.subject
    user.email = spec.email
    user.first_name, _, user.last_name = spec.name.partition(" ")
    # Setting the same password again would end the sessions of the user.
    if not user.check_password(spec.password):
        user.set_password(spec.password)
    user.full_clean()
    user.save()


def _seed_client(spec: Client) -> None:
    application_model = get_application_model()
    application = application_model.objects.filter(client_id=spec.client_id).first()
    application = application or application_model(client_id=spec.client_id)
    application.name = spec.name or spec.client_id
    application.client_type = spec.type
    application.authorization_grant_type = GRANTS[spec.grant]
    application.redirect_uris = " ".join(spec.redirect_uris)
    application.post_logout_redirect_uris = " ".join(spec.post_logout_redirect_uris)
    application.skip_authorization = spec.skip_consent
    application.algorithm = application_model.RS256_ALGORITHM
    _set_secret(application, spec.client_secret)
    application.full_clean()
    application.save()
    ClientPolicy.objects.update_or_create(
        application=application,
        defaults={
            "access_token_format": spec.access_token_format,
            "scopes": None if spec.scopes is None else list(spec.scopes),
            "jwks": spec.jwks,
        },
    )


def _set_secret(application: Any, secret: str) -> None:
    if not secret:
        # A client without one: nobody may ever authenticate with the empty one.
        application.client_secret = secrets.token_urlsafe(32)
    elif not check_password(secret, application.client_secret):
        application.client_secret = secret
