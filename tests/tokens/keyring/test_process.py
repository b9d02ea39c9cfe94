"""The ring of a process follows the settings, and goes on in a child."""

import os
import threading
import warnings
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from drf_apikit.jose import Reason, TokenError
from drf_apikit.oidc import verify_token
from drf_apikit.tokens.keyring import (
    SigningRing,
    current_ring,
    forget,
    local_keys,
    process,
)
from drf_apikit.tokens.keyring.material import new_private_key
from drf_apikit.tokens.models import SigningKeyRecord
from tests.databases import in_threads
from tests.jose.minting import CLAIMS
from tests.tokens.keyring.rings import NOW, TOKENS

SECTION = {**TOKENS, "KEYS": {"main": {"PRIVATE_KEY": new_private_key("ES256")}}}


@pytest.fixture(autouse=True)
def _given(settings: Any) -> None:
    settings.DRF_APIKIT = {"TOKENS": SECTION}


def test_a_process_has_one_ring_until_the_settings_change() -> None:
    ring = current_ring()
    assert current_ring() is ring
    assert in_threads(current_ring, current_ring) == [ring, ring]
    other = {**SECTION, "KEYS": {"other": SECTION["KEYS"]["main"]}}
    with override_settings(DRF_APIKIT={"TOKENS": other}):
        assert current_ring().signing_key().kid == "other"
    assert current_ring().signing_key().kid == "main"
    forget()
    assert current_ring() is not ring


def test_two_threads_have_one_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    asked = threading.Semaphore(0)

    class Lock:
        def __init__(self) -> None:
            self.real = threading.Lock()

        def __enter__(self) -> None:
            asked.release()
            self.real.acquire()

        def __exit__(self, *_: object) -> None:
            self.real.release()

    def build(settings: Any) -> Any:
        # The other one is at the lock by now.
        assert asked.acquire(timeout=60)
        assert asked.acquire(timeout=60)
        made.append(settings)
        return SigningRing(settings)

    monkeypatch.setattr(process, "SigningRing", build)
    one = process.Process()
    vars(one)["_lock"] = Lock()
    first, second = in_threads(one.current, one.current)
    assert first is second
    assert len(made) == 1


def test_the_local_keys_are_those_of_the_ring() -> None:
    source = local_keys()
    assert source.keys() is source.refreshed("other") is current_ring().keys()
    other = {**SECTION, "KEYS": {"other": SECTION["KEYS"]["main"]}}
    with override_settings(DRF_APIKIT={"TOKENS": other}):
        assert [key.kid for key in source.keys().keys] == ["other"]


@pytest.mark.django_db(transaction=True)
def test_new_tables_have_other_keys(settings: Any) -> None:
    settings.DRF_APIKIT = {"TOKENS": TOKENS}
    first = current_ring().signing_key().kid
    SigningKeyRecord.objects.all().delete()
    assert current_ring().signing_key().kid == first
    call_command("migrate", verbosity=0)
    assert current_ring().signing_key().kid != first


@pytest.mark.django_db(transaction=True)
def test_what_is_remembered_ends_with_its_key(settings: Any) -> None:
    entry = {
        "AUDIENCE": CLAIMS["aud"],
        "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
    }
    settings.DRF_APIKIT = {
        "TOKENS": TOKENS,
        "AUTHENTICATION": {
            "ISSUERS": {TOKENS["ISSUER"]: entry},
            "TOKEN_CACHE_SIZE": 10,
        },
    }
    signer = current_ring().signing_key()
    text = signer.sign({**CLAIMS, "iss": TOKENS["ISSUER"]}, "at+jwt")
    first = verify_token(text, NOW)
    assert verify_token(text, NOW) is first
    assert current_ring().rotate()
    assert verify_token(text, NOW).claims == first.claims
    current_ring().retire(signer.kid)
    with pytest.raises(TokenError) as refused:
        verify_token(text, NOW)
    assert refused.value.reason is Reason.KEY_UNKNOWN


def locks_of(of: object) -> list[Any]:
    return [one for one in vars(of).values() if isinstance(one, type(threading.Lock()))]


def test_to_begin_anew_is_to_have_other_locks() -> None:
    one = process.Process()
    one.begin_anew()
    ring = one.current()
    keys = ring.keys()
    former = [*locks_of(one), *locks_of(ring)]
    one.begin_anew()
    assert len(former) == 3
    assert not {*map(id, former)} & {*map(id, [*locks_of(one), *locks_of(ring)])}
    assert one.current() is ring
    assert ring.keys() is keys


def test_the_child_of_a_fork_has_locks_of_its_own() -> None:
    """Another thread may have held one of them when the process was forked."""
    ring = current_ring()
    signer = ring.signing_key()
    held = locks_of(ring)
    assert len(held) == 2
    read, write = os.pipe()
    for lock in held:
        lock.acquire()
    with warnings.catch_warnings():
        # That other threads are there is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        # Where a lock were held for ever, the parent would be told nothing.
        fine = ring.signing_key() is signer and current_ring() is ring
        fine = fine and all(lock not in held for lock in vars(ring).values())
        os.write(write, b"fine" if fine else b"not")
        os._exit(0)
    for lock in held:
        lock.release()
    os.close(write)
    try:
        assert os.read(read, 4) == b"fine"
    finally:
        os.close(read)
        os.waitpid(child, 0)
