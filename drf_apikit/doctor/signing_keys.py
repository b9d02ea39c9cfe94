"""Whether this project can sign the tokens that it gives out."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.apps import apps
from django.db import router
from django.utils.module_loading import import_string

from drf_apikit.conf import apikit_settings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Context, Examination, Finding, Subject
from drf_apikit.doctor.system_checks import messages

__all__ = ["SIGNING_KEYS", "signing_key_examinations"]

SIGNING_KEYS: Final = "issuers.signing_keys"
#: The app has models: without it they cannot be imported.
_APP: Final = "drf_apikit_tokens"
_RING: Final = "drf_apikit.tokens.keyring.current_ring"
_FAULTS: Final = ("drf_apikit.E038", "drf_apikit.E039")


def signing_key_examinations(context: Context) -> Iterator[Examination]:
    """Look at the keys of first-party tokens, where any are given out."""
    if _APP in apps.app_configs and apikit_settings.tokens.issuer is not None:
        yield Examination("TOKENS", partial(_findings, Subject("TOKENS"), context))


def _findings(subject: Subject, context: Context) -> Iterator[Finding]:
    given = bool(apikit_settings.tokens.keys)
    alias = router.db_for_write(apps.get_model(_APP, "SigningKeyRecord"))
    if not given and alias not in context.databases:
        seen = f"The keys are in the database {alias!r}, which nobody named."
        yield subject.skipped(SIGNING_KEYS, seen)
        return
    # What the database raises is told as it is.
    with Attempt() as attempt:
        found = messages("tokens.checks", *_FAULTS, databases=[alias])
        keys = import_string(_RING)().entries()
    if attempt.error is not None:
        remedy = "See that the database is there, and run manage.py migrate."
        yield subject.risk(SIGNING_KEYS, attempt.failure, remedy)
        return
    for message in found:
        yield subject.risk(SIGNING_KEYS, message.msg, message.hint or "")
    if not found:
        states = {str(key.state): key.kid for key in reversed(keys)}
        yield _judged(subject, states, given=given)


def _judged(subject: Subject, states: dict[str, str], *, given: bool) -> Finding:
    """Tell which key signs, by the states of all of them."""
    if "active" in states:
        following = f"; {states['next']} is next" if "next" in states else ""
        seen = f"{states['active']} signs{following}."
        return subject.ok(SIGNING_KEYS, seen)
    if given:
        seen = "None of KEYS signs now: no token can be given out."
        remedy = "Add a key to KEYS: DEAD_FROM of the one that signed is over."
        return subject.risk(SIGNING_KEYS, seen, remedy)
    return subject.ok(SIGNING_KEYS, "No key signs yet: it is made when it is needed.")
