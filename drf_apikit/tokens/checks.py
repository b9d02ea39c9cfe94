"""Checks of what signing needs: keys of the settings and the database, and claims."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import connections

from drf_apikit.conf import TokensSettings, apikit_settings
from drf_apikit.tokens.claims import REGISTERED
from drf_apikit.tokens.keyring import rows
from drf_apikit.tokens.keyring.given import GivenKeys
from drf_apikit.tokens.keyring.material import KeyMaterialError
from drf_apikit.tokens.keyring.stored import StoredKeys
from drf_apikit.tokens.keyring.timeline import phase_at
from drf_apikit.tokens.models import SigningKeyRecord
from drf_apikit.tokens.simplejwt_settings import names_primary_key, simple_jwt

__all__ = ["check_given_keys", "check_stored_keys", "check_user_claim", "register"]


def register() -> None:
    """Add the checks to Django's registry."""
    checks.register(check_given_keys, checks.Tags.security, deploy=True)
    checks.register(check_user_claim, checks.Tags.security, deploy=True)
    checks.register(check_stored_keys, checks.Tags.database)


def check_given_keys(**_: Any) -> list[checks.CheckMessage]:
    """Read each of `KEYS`, where the secrets are: `E038` one that cannot be used."""
    tokens = _issuing()
    if tokens is None:
        return []
    return [
        checks.Error(
            f"DRF_APIKIT['TOKENS']['KEYS']: {key.fault}",
            hint="Give an RSA key of 2048 bits or more, an EC or an Ed25519 key, in PEM"
            " without a password (RFC 7518 section 3.3).",
            id="drf_apikit.E038",
        )
        for key in GivenKeys(tokens).read()
        if key.fault is not None
    ]


def check_user_claim(**_: Any) -> list[checks.CheckMessage]:
    """Compare `USER_ID_CLAIM` with names of ours: `E044` one that says another thing.

    The primary key of a user is what `sub` says anyway.
    """
    name = simple_jwt("USER_ID_CLAIM")
    if _issuing() is None or name not in REGISTERED or names_primary_key():
        return []
    return [
        checks.Error(
            f"SIMPLE_JWT['USER_ID_CLAIM'] is {name!r}, with USER_ID_FIELD"
            f" {simple_jwt('USER_ID_FIELD')!r}: access tokens say something else by"
            " that name, and every login fails.",
            hint="Give the claim a name of its own, or leave both out: `sub` is the"
            " primary key (RFC 9068 section 2.2).",
            id="drf_apikit.E044",
        )
    ]


def check_stored_keys(
    databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """Decrypt the keys that sign, now or next: `E039` one that cannot be decrypted.

    Asks the database, and so only with `check --database`.
    """
    tokens, alias = _issuing(), rows.alias()
    if tokens is None or tokens.keys or alias not in (databases or ()):
        return []
    # Before the first migration there is nothing to ask.
    tables = connections[alias].introspection.table_names()
    return list(_sealed(tokens)) if SigningKeyRecord._meta.db_table in tables else []


def _issuing() -> TokensSettings | None:
    """Give the settings, if they are good and something is given out."""
    if apikit_settings.faults() or apikit_settings.tokens.issuer is None:
        return None
    return apikit_settings.tokens


def _sealed(tokens: TokensSettings) -> Iterator[checks.CheckMessage]:
    stored = StoredKeys(tokens)
    phase = phase_at(stored.read(), time.time())
    for key in (phase.active, phase.next):
        if key is None:
            continue
        try:
            stored.signer(key)
        except KeyMaterialError as error:
            yield checks.Error(
                f"The database has the key {key.kid!r}, and nobody can sign with it.",
                hint=f"{error} (OpenID Connect Core section 10.1.1).",
                id="drf_apikit.E039",
            )
