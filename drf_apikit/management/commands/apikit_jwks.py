"""`manage.py apikit_jwks`: see the keys of the issuers, warm or refresh them."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.management.base import BaseCommand, CommandError, CommandParser

from drf_apikit.doctor.own_keys import makes_keys
from drf_apikit.jose import KeySet, VerificationKey
from drf_apikit.oidc import FetchError, Issuer, KeysUnavailableError, trusted_issuers
from drf_apikit.oidc.entries import Entry, fetch_entry
from drf_apikit.oidc.issuers import KeySource
from drf_apikit.oidc.jwks import KeyStore

__all__ = ["Command"]

_SETTINGS: Final = "settings"
_SHARED: Final = "shared level"
_ISSUER: Final = "issuer"
_NONE: Final = KeySet(())


@dataclass(frozen=True, slots=True)
class _Report:
    """What is to be told of one issuer; `source` is where its keys come from."""

    issuer: str
    source: str
    entry: Entry | None = None
    keys: KeySet = _NONE
    error: str | None = None
    #: The keys of this project itself, which nobody has needed so far.
    is_early: bool = False


class Command(BaseCommand):
    """May run at any time, beside requests and beside another one of it."""

    help = "See the keys of the trusted issuers, warm or refresh them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and for whom."""
        parser.add_argument(
            "--issuer", metavar="URL", help="one of ISSUERS; by default all of them"
        )
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="of the output"
        )
        what = parser.add_mutually_exclusive_group()
        for name, text in (
            ("inspect", "only look; the default"),
            ("warm", "fetch where the keys that processes share are not fresh"),
            ("refresh", "look for the keys and fetch them now, for all processes"),
        ):
            what.add_argument(
                f"--{name}", action="store_const", dest="what", const=name, help=text
            )

    def handle(self, **options: Any) -> None:
        """Do it for each issuer, and tell what there is now."""
        act = _ACTS[options["what"] or "inspect"]
        reports = [_of(issuer, act) for issuer in _chosen(options["issuer"])]
        if not reports:
            self.stderr.write("ISSUERS is empty: there are no keys.")
        now = time.time()
        if options["format"] == "json":
            documents = [_document(report, now) for report in reports]
            self.stdout.write(json.dumps(documents, indent=2))
        else:
            for report in reports:
                self.stdout.write("\n".join(_lines(report, now)))
        failed = [report.issuer for report in reports if report.error]
        if failed:
            raise CommandError(f"No usable keys, or none anew: {', '.join(failed)}")


def _chosen(name: str | None) -> list[Issuer]:
    issuers = trusted_issuers()
    if name is None:
        return list(issuers.values())
    if name not in issuers:
        known = ", ".join(issuers) or "none"
        raise CommandError(f"{name!r} is not in ISSUERS, which has {known}.")
    return [issuers[name]]


def _of(issuer: Issuer, act: Callable[[Issuer, KeyStore], _Report]) -> _Report:
    store = issuer.source
    if not isinstance(store, KeyStore):
        return _judged(_given(issuer, store, is_anew=act is _refresh))
    report = act(issuer, store)
    if report.entry is not None:
        report = replace(report, keys=report.entry.keys)
    return _judged(report)


def _judged(report: _Report) -> _Report:
    if report.keys.keys or report.error or report.is_early:
        return report
    return replace(report, error="no usable key")


def _given(issuer: Issuer, source: KeySource, *, is_anew: bool) -> _Report:
    """Ask the settings, or what they name: both keep their own keys fresh."""
    named = issuer.settings.key_source or _SETTINGS
    try:
        keys = source.refreshed(None) if is_anew else source.keys()
    except KeysUnavailableError as error:
        return _Report(issuer.name, named, error=str(error))
    is_early = not keys.keys and named != _SETTINGS and makes_keys(issuer.name)
    return _Report(issuer.name, named, keys=keys, is_early=is_early)


def _inspect(issuer: Issuer, store: KeyStore) -> _Report:
    """Show what is shared; without that, what a process would get."""
    now, entry = time.time(), store.look()
    if entry is not None and entry.is_usable(now):
        return _Report(issuer.name, _SHARED, entry)
    try:
        fetched = fetch_entry(issuer.name, issuer.settings, None, now)
    except FetchError as error:
        return _Report(issuer.name, _ISSUER, error=str(error))
    return _Report(issuer.name, _ISSUER, fetched)


def _warm(issuer: Issuer, store: KeyStore) -> _Report:
    former = store.look()
    try:
        entry = store.warm()
    except KeysUnavailableError as error:
        return _Report(issuer.name, _ISSUER, error=str(error))
    return _Report(issuer.name, _SHARED if entry is former else _ISSUER, entry)


def _refresh(issuer: Issuer, store: KeyStore) -> _Report:
    try:
        return _Report(issuer.name, _ISSUER, store.fetch())
    except KeysUnavailableError as error:
        entry = store.look()
        source = _ISSUER if entry is None else _SHARED
        return _Report(issuer.name, source, entry, error=str(error))


_ACTS: Final[Mapping[str, Callable[[Issuer, KeyStore], _Report]]] = {
    "inspect": _inspect,
    "warm": _warm,
    "refresh": _refresh,
}


def _document(report: _Report, now: float) -> dict[str, Any]:
    entry = report.entry
    return {
        "issuer": report.issuer,
        "source": report.source,
        "jwks_uri": entry and entry.jwks_uri,
        "age": entry and round(now - entry.fetched_at),
        "fresh_for": entry and max(0, round(entry.fresh_until - now)),
        "keys": [_key(key) for key in report.keys.keys],
        "dropped": list(report.keys.dropped),
        "error": report.error,
    }


def _key(key: VerificationKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "type": _kind(key.public_key),
        "algorithms": sorted(key.algorithms),
        "thumbprint": key.thumbprint,
    }


def _kind(key: Any) -> str:
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size} bits"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case _:
            return "OKP Ed25519"


def _lines(report: _Report, now: float) -> list[str]:
    """Write for people; what comes from an issuer as JSON, which has no escapes."""
    told = _document(report, now)
    lines = [report.issuer, f"  source      {report.source}"]
    if report.entry is not None:
        lines += [
            f"  jwks_uri    {told['jwks_uri']}",
            f"  age         {told['age']} s, fresh for {told['fresh_for']} s more",
        ]
    if report.is_early:
        lines.append("  none yet    the first key is made when it is needed")
    for key in told["keys"]:
        lines += [
            f"  key         {json.dumps(key['kid'])}",
            f"    type        {key['type']}",
            f"    algorithms  {' '.join(key['algorithms'])}",
            f"    thumbprint  {key['thumbprint']}",
        ]
    lines += [f"  dropped     {reason}" for reason in told["dropped"]]
    if report.error:
        lines.append(f"  error       {report.error}")
    return lines
