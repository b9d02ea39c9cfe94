"""Keys that are made here and kept in the database, as one process has them."""

import base64
import logging
import threading
import traceback
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.views.debug import ExceptionReporter

from drf_apikit.jose import Policy, parse_compact, verify
from drf_apikit.jose.claims import ClaimRules
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.signals import signing_key_rotated
from drf_apikit.tokens.keyring import KeyRingError, SigningRing
from drf_apikit.tokens.keyring.material import new_private_key
from drf_apikit.tokens.keyring.rows import read
from drf_apikit.tokens.keyring.sealing import seal
from drf_apikit.tokens.models import SigningKeyRecord
from tests.counting import of_block, recorded
from tests.jose.minting import CLAIMS
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import DAY, HOUR, NOW, TOKENS, kids, ring_of, states

pytestmark = pytest.mark.django_db(transaction=True)
committed = pytest.mark.django_db(transaction=True)
PERIOD = 90 * DAY
KEYS = [base64.urlsafe_b64encode(bytes([n] * 32)).decode() for n in range(3)]


@pytest.fixture
def ring(settings: Any, clock: Clock) -> SigningRing:
    return ring_of(settings, clock)


def another(ring: SigningRing, clock: Clock) -> SigningRing:
    """Give the ring of another process with the same settings."""
    return SigningRing(ring.settings, clock)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_first_key_is_made_at_its_first_use(
    settings: Any, clock: Clock, algorithm: str
) -> None:
    ring = ring_of(settings, clock, ALGORITHM=algorithm)
    assert kids(ring) == states(ring) == []
    signer = ring.signing_key()
    assert signer.algorithm == algorithm
    assert signer.kid.startswith("k1-")
    assert kids(ring) == [signer.kid]
    assert ring.published() == (signer.public_jwk(),)
    assert ring.signing_key() is signer
    claims = {**CLAIMS, "iss": TOKENS["ISSUER"], "iat": NOW, "exp": NOW + 300}
    token = parse_compact(signer.sign(claims, "at+jwt"))
    rules = ClaimRules(issuer=TOKENS["ISSUER"], audiences=frozenset({CLAIMS["aud"]}))
    policy = Policy(rules, frozenset({algorithm}))
    assert verify(token, another(ring, clock).keys(), policy, NOW)["sub"] == "alice"


def test_whoever_asks_for_what_is_published_may_be_the_first(ring: SigningRing) -> None:
    (jwk,) = ring.published()
    assert jwk["kid"] == ring.signing_key().kid
    # RFC 7517 section 9.3 and RFC 7518 section 6.2: nothing private.
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


@committed
@pytest.mark.usefixtures("database")
def test_nothing_is_asked_until_the_next_look(ring: SigningRing, clock: Clock) -> None:
    ring.signing_key()
    keys = ring.keys()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            clock.now += 4.9
            ring.signing_key()
            assert ring.keys() is keys
        assert len(queries) == 0
        clock.now += 0.3
        # The same keys are the same object: who compares them need not verify anew.
        assert ring.keys() is keys
        assert len(queries) == 1
        # So it is where the clock was set back.
        clock.now -= HOUR
        assert ring.keys() == keys
        assert len(queries) == 2


@committed
@pytest.mark.usefixtures("database")
def test_a_rotation_is_published_before_it_signs(
    ring: SigningRing, clock: Clock
) -> None:
    first = ring.signing_key().kid
    other = another(ring, clock)
    other.keys()
    change = ring.rotate()
    (second,) = change.added
    assert change.retired == (first,)
    assert not ring.rotate()
    assert not ring.rotate(if_due=True)
    assert (kids(ring), kids(other)) == ([first, second], [first])
    clock.now += 15
    assert kids(other) == [first, second]
    clock.now += HOUR - 15.5
    assert {one.signing_key().kid for one in (ring, other)} == {first}
    clock.now += 0.5
    assert {one.signing_key().kid for one in (ring, other)} == {second}
    dead_from = ring.entries()[0].dead_from
    assert dead_from is not None
    assert dead_from.timestamp() == NOW + HOUR + 300 + 60
    clock.now = dead_from.timestamp() - 0.001
    assert kids(ring) == kids(other) == [first, second]
    clock.now = dead_from.timestamp()
    assert kids(ring) == kids(other) == [second]


@committed
@pytest.mark.usefixtures("database")
def test_a_rotation_may_be_at_once(ring: SigningRing, clock: Clock) -> None:
    first = ring.signing_key().kid
    clock.now += 0.7
    (second,) = ring.rotate(now=True).added
    assert ring.signing_key().kid == second
    (third,) = ring.rotate().added
    # It lets the next one sign, rather than make one more.
    assert ring.rotate(now=True).added == (third,)
    assert ring.signing_key().kid == third
    assert kids(ring) == [first, second, third]
    assert states(ring) == ["retired", "retired", "active"]


def test_a_rotation_may_make_the_first_key(ring: SigningRing) -> None:
    change = ring.rotate(if_due=True)
    assert (change.added, change.retired) == ((ring.signing_key().kid,), ())
    assert states(ring) == ["active"]


@committed
@pytest.mark.usefixtures("database")
def test_whoever_signs_keeps_the_schedule(ring: SigningRing, clock: Clock) -> None:
    first = ring.signing_key().kid
    clock.now += PERIOD - HOUR - 1
    assert (ring.signing_key().kid, states(ring)) == (first, ["active"])
    clock.now += 1
    assert (ring.signing_key().kid, states(ring)) == (first, ["active", "next"])
    clock.now += HOUR
    second = ring.signing_key().kid
    assert (kids(ring), states(ring)) == ([first, second], ["retired", "active"])
    # Keys that nobody needs any more have no private part.
    for expected in ([True] * 3, [False, True, True, True]):
        clock.now += PERIOD - HOUR
        ring.signing_key()
        assert [bool(key.private) for key in read()] == expected
        clock.now += HOUR


def test_the_schedule_may_be_a_commands(settings: Any, clock: Clock) -> None:
    ring = ring_of(settings, clock, ROTATION_PERIOD=HOUR, PUBLICATION_LEAD=600)
    ring.signing_key()
    clock.now += 2999
    assert not ring.rotate(if_due=True)
    clock.now += 1
    assert ring.rotate(if_due=True)
    assert states(ring) == ["active", "next"]


@pytest.mark.parametrize("if_due", [True, False])
def test_without_a_period_nothing_is_due(
    settings: Any, clock: Clock, if_due: bool
) -> None:
    ring = ring_of(settings, clock, ROTATION_PERIOD=None)
    ring.signing_key()
    clock.now += 10 * 365 * DAY
    ring.signing_key()
    assert states(ring) == ["active"]
    assert bool(ring.rotate(if_due=if_due)) is not if_due


@committed
@pytest.mark.usefixtures("database")
def test_a_key_that_is_retired_is_dead_within_15_seconds_everywhere(
    ring: SigningRing, clock: Clock
) -> None:
    first = ring.signing_key().kid
    other = another(ring, clock)
    clock.now += 100
    assert kids(other) == [first]
    change = ring.retire(first)
    second = ring.signing_key().kid
    assert (change.added, change.retired) == ((second,), (first,))
    assert kids(ring) == [second]
    clock.now += 15
    assert kids(other) == [second]
    assert states(ring) == ["dead", "active"]
    assert read()[0].private == ""


@committed
@pytest.mark.usefixtures("database")
def test_keys_that_do_not_sign_can_be_retired(ring: SigningRing, clock: Clock) -> None:
    first = ring.signing_key().kid
    (second,) = ring.rotate().added
    assert ring.retire(second).added == ()
    # No successor, no end.
    assert ring.entries()[0].dead_from is None
    (third,) = ring.rotate(now=True).added
    clock.now += 1
    assert states(ring) == ["retired", "dead", "active"]
    assert ring.retire(first).retired == (first,)
    assert (states(ring), kids(ring)) == (["dead", "dead", "active"], [third])
    with pytest.raises(KeyRingError, match="is dead already"):
        ring.retire(first)
    with pytest.raises(KeyRingError, match="no key 'k9'"):
        ring.retire("k9")


class Watched:
    """A lock that tells when somebody wants it, and may be too slow for him."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.wanted = threading.Event()
        self._lock, self._is_slow = threading.Lock(), is_slow

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self.wanted.set()
        return not self._is_slow and self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()


def test_nobody_is_refused_while_another_thread_looks(
    ring: SigningRing, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.signing_key()
    other, lock = another(ring, clock), Watched()
    known = other.keys()
    (second,) = ring.rotate(now=True).added
    clock.now += 1
    monkeypatch.setattr(other, "_looking", lock)
    lock.acquire()
    lock.wanted.clear()

    def look() -> None:
        lock.wanted.wait()
        lock.release()

    looks = threading.Thread(target=look)
    looks.start()
    assert other.refreshed(second).select(second, "ES256").kid == second
    looks.join()
    monkeypatch.setattr(other, "_looking", Watched(is_slow=True))
    assert other.refreshed("made up") is other.keys() is not known


@committed
@pytest.mark.usefixtures("database")
def test_longer_lives_of_tokens_lengthen_the_key_that_signs_them(
    settings: Any, clock: Clock
) -> None:
    ring = ring_of(settings, clock)
    ring.signing_key()
    ring.rotate()
    longer = ring_of(settings, clock, ACCESS_LIFETIME=HOUR)
    longer.signing_key()
    dead_from = ring.entries()[0].dead_from
    assert dead_from is not None
    assert dead_from.timestamp() == NOW + HOUR + HOUR + 60
    # What was promised of others is kept, and shorter lives change nothing.
    ring_of(settings, clock, ACCESS_LIFETIME=30).signing_key()
    assert ring.entries()[0].dead_from == dead_from
    assert [key.token_lifetime for key in read()] == [HOUR, 300]


@committed
@pytest.mark.usefixtures("database")
def test_what_is_rolled_back_was_never_there(ring: SigningRing) -> None:
    with transaction.atomic():
        first = ring.signing_key().kid
        assert (ring.signing_key().kid, kids(ring)) == (first, [first])
        transaction.set_rollback(True)
    second = ring.signing_key().kid
    assert second != first
    assert kids(ring) == [second]
    with transaction.atomic():
        (third,) = ring.rotate(now=True).added
        assert ring.signing_key().kid == third
    assert kids(ring) == [second, third]
    with CaptureQueriesContext(connection) as queries:
        ring.keys()
    assert len(queries) == 0


@committed
def test_the_schedule_is_no_part_of_a_transaction(
    ring: SigningRing, clock: Clock
) -> None:
    ring.signing_key()
    clock.now += PERIOD
    for is_kept, expected in ((False, ["active"]), (True, ["active", "next"])):
        with transaction.atomic():
            ring.signing_key()
            assert states(ring) == ["active"]
            transaction.set_rollback(not is_kept)
        assert states(ring) == expected
        clock.now += 15


def test_changes_are_told(
    ring: SigningRing, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    counted = recorded(settings)
    heard = []

    def listener(**said: Any) -> None:
        heard.append((said["added"], said["retired"]))

    signing_key_rotated.connect(listener)
    caplog.set_level(logging.INFO, "drf_apikit")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "on_commit", lambda call, **_: call())
            first = ring.signing_key().kid
            (second,) = ring.rotate().added
            ring.rotate()
    finally:
        signing_key_rotated.disconnect(listener)
    assert heard == [((first,), ()), ((second,), (first,))]
    assert of_block("tokens", counted) == [("tokens.key_rotated", {})] * 2
    assert len(caplog.messages) == 2


def test_private_keys_are_encrypted_and_the_keys_for_that_rotate(
    settings: Any, clock: Clock
) -> None:
    def sealed() -> list[str]:
        return [key.private for key in read()]

    first = ring_of(settings, clock).signing_key()
    (derived,) = sealed()
    assert "PRIVATE KEY" not in derived
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=KEYS[:1])
    assert ring.signing_key().public_jwk() == first.public_jwk()
    assert sealed() == [derived]
    ring.rotate()
    # With a rotation all that sign are encrypted by the first key.
    assert all(text.startswith("aes256gcm:") for text in sealed())
    former = sealed()
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=[KEYS[1], KEYS[0]])
    ring.rotate(if_due=True)
    assert not set(former) & set(sealed())
    renewed = sealed()
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=[KEYS[1]])
    ring.rotate()
    assert sealed() == renewed
    clock.now += HOUR
    assert ring.signing_key().kid.startswith("k2-")


@pytest.mark.parametrize("how", ["lost", "deleted", "exchanged", "no key"])
def test_a_private_key_that_cannot_be_had_is_named_with_the_remedy(
    settings: Any, clock: Clock, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=KEYS[:1])
    first = ring.signing_key().kid
    given = SigningKeyRecord.objects.get().private_key
    pem = new_private_key("ES256")
    from_here = {
        "lost": given,
        "deleted": "",
        "exchanged": sealed_for(first, pem),
        "no key": sealed_for(first, "secret"),
    }
    SigningKeyRecord.objects.update(private_key=from_here[how])
    chosen = KEYS[1:2] if how == "lost" else KEYS[:1]
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=chosen)
    for _ in range(2):
        with pytest.raises(KeysUnavailableError) as raised:
            ring.signing_key()
    assert f"'{first}'" in str(raised.value)
    assert "manage.py apikit_keys rotate --now" in str(raised.value)
    assert caplog.messages == [str(raised.value)]
    # What it has signed is accepted all the same, and the remedy is one.
    assert kids(ring) == [first]
    (second,) = ring.rotate(now=True).added
    assert ring.signing_key().kid == second
    assert kids(ring) == [first, second]


def sealed_for(kid: str, pem: str) -> str:
    from_settings = base64.urlsafe_b64decode(KEYS[0])
    return seal(pem, kid, (from_settings,))


def test_no_report_of_an_error_shows_a_private_key(settings: Any, clock: Clock) -> None:
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=KEYS[:1])
    first = ring.signing_key().kid
    secret = "the secret part of a private key"
    SigningKeyRecord.objects.update(private_key=sealed_for(first, secret))
    ring = ring_of(settings, clock, ENCRYPTION_KEYS=KEYS[:1])
    with pytest.raises(KeysUnavailableError) as raised:
        ring.signing_key()
    # Of all but this function, which knows them.
    trace = raised.tb.tb_next
    reported = traceback.TracebackException(
        raised.type, raised.value, trace, capture_locals=True
    )
    told = "".join(reported.format())
    told += ExceptionReporter(
        None, raised.type, raised.value, trace
    ).get_traceback_text()
    assert first in told
    assert secret not in told
    assert KEYS[0] not in told
    assert repr(base64.urlsafe_b64decode(KEYS[0])) not in told


def test_only_the_newest_keys_are_kept(ring: SigningRing, clock: Clock) -> None:
    ring.signing_key()
    record = SigningKeyRecord.objects.get()
    for sequence in range(2, 101):
        record.sequence, record.kid = sequence, f"k{sequence}"
        record.active_from += 1
        record.save(force_insert=True)
    clock.now += 100 + 300 + 60 + 600
    (made,) = ring.rotate().added
    assert made.startswith("k101-")
    assert [key.sequence for key in read()] == list(range(2, 102))
    assert SigningKeyRecord.objects.count() == 100
    assert str(SigningKeyRecord.objects.first()) != ""
