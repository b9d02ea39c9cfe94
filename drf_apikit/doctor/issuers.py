"""Whether the providers that settings name answer, and as what they are used for."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from drf_apikit.conf import apikit_settings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.doctor.issuer_keys import KEYS, SHARED, key_findings
from drf_apikit.doctor.issuer_uses import (
    AUTHENTICATION,
    ENDPOINTS,
    EXPLICIT,
    ISS,
    PKCE,
    SIGNING,
    use_findings,
)
from drf_apikit.doctor.providers import Provider, providers
from drf_apikit.doctor.signing_keys import SIGNING_KEYS, signing_key_examinations
from drf_apikit.http.dates import parse_http_date
from drf_apikit.jose.errors import KeySetError
from drf_apikit.jose.signing import load_signing_key
from drf_apikit.login.registration import Registration, registration
from drf_apikit.oidc.discovery import configuration_url, discover
from drf_apikit.oidc.fetch import FetchError, ask, parse_object
from drf_apikit.oidc.transport import Reply

__all__ = ["PROBE"]

_TRANSPORT: Final = "issuers.transport"
_DISCOVERY: Final = "issuers.discovery"
_CLOCK: Final = "issuers.clock"
_SETTINGS: Final = "issuers.registration"
#: Seconds by which a Date can be off, as it has no fractions.
_GRAIN: Final = 1.0


def _examinations(context: Context) -> Iterator[Examination]:
    login = None
    if apikit_settings.login.issuer is not None:
        with Attempt() as attempt:
            login = registration()
        yield Examination("LOGIN", partial(_registered, attempt, login))
    for name, client in apikit_settings.clients.credentials.items():
        if client.private_key is not None:
            key = client.private_key, client.private_key_id
            yield Examination(name, partial(_signing_key, Subject(name), *key))
        if client.issuer is None:
            yield Examination(name, partial(_unasked, Subject(name)))
    for provider in providers(login):
        limit = min(provider.timeout, context.timeout / 3)
        yield Examination(provider.issuer, partial(_findings, provider, limit))
    yield from signing_key_examinations(context)


def _registered(attempt: Attempt, login: Registration | None) -> Iterator[Finding]:
    subject = Subject("LOGIN")
    if login is None:
        remedy = "Mend it: nobody can log in before."
        yield subject.risk(_SETTINGS, attempt.failure, remedy)
    elif login.settings.private_key is not None:
        key = login.settings.private_key, login.settings.private_key_id
        yield from _signing_key(subject, *key)
    else:
        yield subject.ok(_SETTINGS, "The settings of the login can be used.")


def _signing_key(subject: Subject, pem: str, kid: str | None) -> Iterator[Finding]:
    """See that a private key can be loaded; nothing of it is shown."""
    with Attempt(KeySetError, ValueError) as attempt:
        key = load_signing_key(pem, kid)
    if attempt.error is not None:
        remedy = (
            "Give an RSA key of 2048 bits or more, or an EC or Ed25519 one, in PEM"
            " without a password."
        )
        seen = f"The private key cannot be used: {attempt.failure}"
        yield subject.risk(_SETTINGS, seen, remedy)
        return
    seen = f"The private key signs with {key.algorithm}, as {key.kid}."
    yield subject.ok(_SETTINGS, seen)


def _unasked(subject: Subject) -> Iterator[Finding]:
    seen = "TOKEN_ENDPOINT is given, and no ISSUER that could be asked about it."
    yield subject.skipped(ENDPOINTS, seen)


def _findings(provider: Provider, timeout: float) -> Iterator[Finding]:
    subject = Subject(provider.issuer)
    document: Mapping[str, Any] = {}
    fetch = partial(
        ask,
        headers={"Accept": "application/json"},
        timeout=timeout,
        allow_loopback_http=provider.loopback_http,
        proxies=provider.proxies,
    )
    if provider.is_discovered:
        url = configuration_url(provider.issuer)
        before = time.time()
        with Attempt(FetchError) as attempt:
            reply = fetch("GET", url)
            after = time.time()
            document = _read(provider.issuer, url, reply)
        if attempt.error is not None:
            yield _unreachable(subject, attempt.error)
        else:
            yield _transport(subject)
            yield subject.ok(_DISCOVERY, "It answers, and names itself.")
            yield _clock(subject, reply, (before, after), provider.leeway)
    else:
        yield subject.skipped(_DISCOVERY, "Nobody reads its discovery document.")
    yield from key_findings(subject, provider, document, fetch)
    if document:
        yield from use_findings(subject, provider, document)


def _read(issuer: str, url: str, reply: Reply) -> Mapping[str, Any]:
    """Judge a discovery document as those who use it do."""
    if reply.status != 200:
        raise FetchError(f"{url} answered {reply.status}")
    return discover(issuer, lambda _: parse_object(reply.body))


def _unreachable(subject: Subject, error: BaseException) -> Finding:
    """Tell TLS from the rest: its remedy is another one."""
    cause: BaseException | None = error
    while cause is not None:
        if "SSL" in type(cause).__name__:
            return subject.risk(
                _TRANSPORT,
                f"TLS fails: {error}",
                "See that its certificate is valid, and that the authority is known"
                " here, as by REQUESTS_CA_BUNDLE.",
            )
        cause = cause.__cause__ or cause.__context__
    return subject.risk(
        _DISCOVERY,
        str(error),
        "See that it runs, that this host and its proxies can reach it, and that the"
        " issuer in the settings is exactly its own name.",
    )


def _transport(subject: Subject) -> Finding:
    if subject.name.startswith("https://"):
        return subject.ok(_TRANSPORT, "TLS works.")
    return subject.risk(
        _TRANSPORT,
        "It is reached without TLS: any program of this machine that gets hold of the"
        " port can hand out keys and tokens.",
        "Use https; INSECURE_LOOPBACK_HTTP is for development.",
    )


def _clock(
    subject: Subject, reply: Reply, asked: tuple[float, float], leeway: int
) -> Finding:
    """Compare clocks by the Date of an answer (RFC 9110 section 6.6.1)."""
    text, now = reply.header("Date") or "", datetime.fromtimestamp(asked[0], UTC)
    told = parse_http_date(text, now=now)
    if told is None or reply.header("Age") is not None:
        seen = "Its answer has no Date of now."
        return subject.skipped(_CLOCK, seen)
    late = asked[0] - told.timestamp() - _GRAIN
    early = told.timestamp() - asked[1]
    skew, limit = max(late, early, 0.0), max(leeway / 2, _GRAIN)
    if skew <= limit:
        return subject.ok(_CLOCK, f"Its clock is within {limit:g} seconds of ours.")
    direction = "behind" if late > early else "ahead of"
    return subject.risk(
        _CLOCK,
        f"Its clock is {skew:.0f} seconds {direction} ours, and LEEWAY is {leeway}.",
        "Let this host keep time by NTP; a LEEWAY above twice that hides it.",
    )


PROBE: Final = Probe(
    "issuers",
    "The providers of ISSUERS, LOGIN and CLIENTS, and the keys of TOKENS. Discovery"
    " documents and keys are fetched; no token is asked for, and no key is made.",
    {
        _SETTINGS: "the settings of the login are obeyed, and private keys can be"
        " loaded",
        _TRANSPORT: "it is reached over TLS",
        _DISCOVERY: "the discovery document is there and names the issuer",
        _CLOCK: "its clock is within half of LEEWAY, by the Date of its answer",
        KEYS: "there are usable keys for the algorithms that are accepted; told is what"
        " was dropped, and why",
        SIGNING_KEYS: "TOKENS: the keys that sign now and next can be read, and one"
        " signs",
        SHARED: "the keys that processes share are the issuer's; told is how old they"
        " are",
        ENDPOINTS: "LOGIN: the endpoints that a login needs; CLIENTS: the token"
        " endpoint; each as that use reads it",
        EXPLICIT: "`OIDC_OP_*` settings name the endpoints that are discovered",
        PKCE: "LOGIN: S256 is among the code challenge methods",
        AUTHENTICATION: "the way in which clients prove themselves is one that it"
        " takes",
        SIGNING: "LOGIN: ID tokens are signed by an algorithm that is accepted",
        ISS: "always; a hint says where answers to a login do not name it (RFC 9207)",
    },
    _examinations,
)
