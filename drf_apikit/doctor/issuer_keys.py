"""Whether the keys of a provider can be used, and which ones processes share."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Finding, Subject
from drf_apikit.doctor.own_keys import makes_keys
from drf_apikit.doctor.providers import Provider
from drf_apikit.jose import KeySet, KeySetError, parse_key_set
from drf_apikit.oidc.discovery import keys_url
from drf_apikit.oidc.fetch import FetchError, parse_object
from drf_apikit.oidc.issuers import find_issuer, trusted_issuers
from drf_apikit.oidc.jwks import KeyStore
from drf_apikit.oidc.transport import Reply

__all__ = ["KEYS", "SHARED", "key_findings"]

KEYS: Final = "issuers.keys"
SHARED: Final = "issuers.shared_keys"
#: Reasons of dropped keys that are told.
_TOLD: Final = 3

Fetch = Callable[[str, str], Reply]


def key_findings(
    subject: Subject, provider: Provider, document: Mapping[str, Any], fetch: Fetch
) -> Iterator[Finding]:
    """Fetch the keys anew, and look at those that are shared."""
    if not provider.algorithms:
        # Whoever only gets tokens there verifies none.
        return
    trusted = provider.trusted
    if trusted is not None and trusted.key_source is not None:
        yield _of_source(subject, provider, trusted.key_source)
    elif trusted is not None and trusted.jwks is not None:
        yield _judged(subject, provider, trusted.jwks, "of the settings")
    elif provider.jwks_uri is None and not document:
        yield subject.skipped(KEYS, "Nobody knows where its keys are.")
    else:
        keys, uri = None, provider.jwks_uri or ""
        with Attempt(FetchError, KeySetError) as attempt:
            uri = uri or keys_url(provider.issuer, document)
            keys = _fetched(uri, fetch)
        if keys is None:
            remedy = "See that the provider publishes its keys there."
            seen = f"{uri or provider.issuer}: {attempt.failure}"
            yield subject.risk(KEYS, seen, remedy)
        else:
            yield _judged(subject, provider, keys, f"at {uri}")
            yield from _shared(subject, keys)


def _of_source(subject: Subject, provider: Provider, named: str) -> Finding:
    """Ask what KEY_SOURCE names as requests do; it may raise whatever it likes."""
    with Attempt() as attempt:
        keys = find_issuer(provider.issuer).source.keys()
    if attempt.error is not None:
        remedy = "See that what it asks, such as the database, is there."
        return subject.risk(KEYS, f"{named}: {attempt.failure}", remedy)
    if not (keys.keys or keys.dropped) and makes_keys(provider.issuer):
        seen = f"{named} has none yet: the first key is made when it is needed."
        return subject.ok(KEYS, seen)
    return _judged(subject, provider, keys, f"of {named}")


def _fetched(uri: str, fetch: Fetch) -> KeySet:
    reply = fetch("GET", uri)
    if reply.status != 200:
        raise FetchError(f"{uri} answered {reply.status}")
    return parse_key_set(parse_object(reply.body))


def _judged(subject: Subject, provider: Provider, keys: KeySet, where: str) -> Finding:
    offered = frozenset[str]().union(*(key.algorithms for key in keys.keys))
    dropped = ""
    if keys.dropped:
        reasons = "; ".join(keys.dropped[:_TOLD])
        dropped = f" {len(keys.dropped)} dropped: {reasons}."
    seen = f"{len(keys.keys)} usable keys {where}, for {_named(offered)}.{dropped}"
    unserved = [
        f"{use} by {_named(accepted)}"
        for use, accepted in provider.algorithms.items()
        if not accepted & offered
    ]
    if unserved:
        return subject.risk(
            KEYS,
            f"{seen} None is for {' or '.join(unserved)}.",
            "Accept an algorithm of the provider's (ALGORITHMS, OIDC_RP_SIGN_ALGO), or"
            " let it publish a key for one that is accepted.",
        )
    return subject.ok(KEYS, seen)


def _shared(subject: Subject, keys: KeySet) -> Iterator[Finding]:
    """Tell what requests would use."""
    sources = [
        issuer.source
        for name, issuer in trusted_issuers().items()
        if name == subject.name
    ]
    yield from (
        _age(subject, store, keys) for store in sources if isinstance(store, KeyStore)
    )


def _age(subject: Subject, store: KeyStore, keys: KeySet) -> Finding:
    entry, now = store.look(), time.time()
    if entry is None or not entry.is_usable(now):
        hint = "manage.py apikit_jwks --warm fetches them before the first request."
        return subject.ok(SHARED, "No keys are shared.", hint)
    age, fresh = round(now - entry.fetched_at), round(entry.fresh_until - now)
    life = f"fresh for {fresh} more" if fresh > 0 else "due to be fetched"
    seen = f"Keys of {age} seconds ago are shared, {life}."
    known = {key.thumbprint for key in entry.keys.keys}
    if known.isdisjoint(key.thumbprint for key in keys.keys):
        return subject.risk(
            SHARED,
            f"{seen} The issuer has none of them.",
            "Run manage.py apikit_jwks --refresh; and see who can write to the cache.",
        )
    return subject.ok(SHARED, seen)


def _named(algorithms: frozenset[str]) -> str:
    return ", ".join(sorted(algorithms)) or "nothing"
