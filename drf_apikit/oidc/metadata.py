"""What a provider says of itself: its endpoints, and what they can do.

From its discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section
2), which all processes share and one of them renews. Nothing but TLS leads to an
endpoint, except to this machine where a setting says so.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

from drf_apikit.conf import apikit_settings
from drf_apikit.oidc.discovery import discover
from drf_apikit.oidc.fetch import FetchError, check_url, fetch_json
from drf_apikit.oidc.shared_value import SharedValue, Timed, UnobtainableError
from drf_apikit.oidc.token_endpoint import ProviderUnavailableError
from drf_apikit.sealing import read_sealed, seal_text

__all__ = ["Options", "ProviderMetadata", "Sources", "endpoint_of", "metadata_of"]

logger = logging.getLogger("drf_apikit.oidc")

#: Releases with another one do not see each other's metadata.
_FORMAT: Final = 1
#: Seconds that a fetch may take longer than its time limit.
_GRACE: Final = 1.0
#: RFC 8414 section 2: where nothing is said.
_DEFAULT_METHODS: Final = frozenset({"client_secret_basic"})
#: RFC 9207 section 3.
_SENDS_ISS: Final = "authorization_response_iss_parameter_supported"
_ENDPOINTS: Final = (
    *("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"),
    *("end_session_endpoint", "revocation_endpoint"),
)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """A provider as it describes itself; None is what it does not say or have.

    Whoever only hands out tokens to clients needs neither `authorization_endpoint` nor
    `jwks_uri` (RFC 8414 section 2). `code_challenge_methods` are those of PKCE (RFC
    7636); `sends_iss` is whether its answers to a login name it (RFC 9207).
    """

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    token_endpoint_auth_methods: frozenset[str] = _DEFAULT_METHODS
    code_challenge_methods: frozenset[str] | None = None
    sends_iss: bool = False


def metadata_of(
    issuer: str,
    *,
    timeout: float,
    proxies: Mapping[str, str] | None = None,
    allow_loopback_http: bool = False,
) -> ProviderMetadata:
    """Give what an issuer says of itself, as it was said not long ago.

    It is fresh for `JWKS_LIFETIME`, and used for up to `JWKS_STALE_LIFETIME` while the
    issuer cannot be asked.

    Raises:
        ProviderUnavailableError: it cannot be asked, or what it says is of no use.

    """
    options = Options(issuer, timeout, _frozen(proxies), allow_loopback_http)
    return _SOURCES.metadata(options)


@dataclass(frozen=True, slots=True)
class Options:
    """Whose metadata is fetched, and how."""

    issuer: str
    timeout: float
    proxies: frozenset[tuple[str, str]] | None
    allow_loopback_http: bool


class Sources:
    """One shared value for each issuer that is asked."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._values: dict[Options, SharedValue[ProviderMetadata]] = {}

    def metadata(self, options: Options) -> ProviderMetadata:
        """Give the metadata.

        Raises:
            ProviderUnavailableError: there is none.

        """
        try:
            return self.value(options).get()
        except UnobtainableError as error:
            raise ProviderUnavailableError(error.reason, error.retry_after) from None

    def value(self, options: Options) -> SharedValue[ProviderMetadata]:
        """Give the value through which processes share the metadata."""
        known = self._values.get(options)
        if known is None:
            name = _name(options)
            made = SharedValue(
                name,
                partial(_obtain, options, self._clock),
                # Who can write to the cache must not say where secrets are sent.
                dump=lambda metadata: seal_text(_dump(metadata), name),
                load=lambda text: _load(options, read_sealed(text, name)),
                clock=self._clock,
                patience=options.timeout + _GRACE,
            )
            # Of two threads both go on with what the first one has.
            known = self._values.setdefault(options, made)
        return known


_SOURCES: Final = Sources()


def _frozen(proxies: Mapping[str, str] | None) -> frozenset[tuple[str, str]] | None:
    return None if proxies is None else frozenset(proxies.items())


def _name(options: Options) -> str:
    """Name what is shared: what plain HTTP may be in is nothing for the others."""
    kind = "loopback" if options.allow_loopback_http else "tls"
    digest = sha256(f"{kind} {options.issuer}".encode()).hexdigest()
    return f"drf_apikit:metadata:{_FORMAT}:{digest}"


def _obtain(options: Options, clock: Callable[[], float]) -> Timed[ProviderMetadata]:
    fetch = partial(
        fetch_json,
        timeout=options.timeout,
        allow_loopback_http=options.allow_loopback_http,
        proxies=None if options.proxies is None else dict(options.proxies),
    )
    now, document = clock(), discover(options.issuer, fetch)
    settings = apikit_settings.authentication
    fresh = settings.jwks_lifetime
    stale = max(fresh, settings.jwks_stale_lifetime)
    return Timed(_read(document, options), now + fresh, now + stale)


def _read(document: Mapping[str, Any], options: Options) -> ProviderMetadata:
    """Read a document that is this issuer's.

    Raises:
        FetchError: the endpoint that nobody can do without is missing or unsafe.

    """
    optional = partial(_optional, document, options)
    methods = _names(document, "token_endpoint_auth_methods_supported")
    return ProviderMetadata(
        issuer=options.issuer,
        token_endpoint=endpoint_of(document, options, "token_endpoint"),
        authorization_endpoint=optional("authorization_endpoint"),
        jwks_uri=optional("jwks_uri"),
        userinfo_endpoint=optional("userinfo_endpoint"),
        end_session_endpoint=optional("end_session_endpoint"),
        revocation_endpoint=optional("revocation_endpoint"),
        token_endpoint_auth_methods=_DEFAULT_METHODS if methods is None else methods,
        code_challenge_methods=_names(document, "code_challenge_methods_supported"),
        sends_iss=document.get(_SENDS_ISS) is True,
    )


def _optional(document: Mapping[str, Any], options: Options, name: str) -> str | None:
    """Give an endpoint that a provider need not have; none where it is unsafe."""
    if document.get(name) is None:
        return None
    try:
        return endpoint_of(document, options, name)
    except FetchError as error:
        logger.warning("%s of %s is not used: %s", name, options.issuer, error)
        return None


def endpoint_of(document: Mapping[str, Any], options: Options, name: str) -> str:
    """Read an endpoint of a document that is this issuer's.

    RFC 6749 sections 3.1 and 3.2: it is over TLS, and has no fragment.

    Raises:
        FetchError: there is none, or it is unsafe.

    """
    url = document.get(name)
    if not isinstance(url, str):
        raise FetchError(f"{options.issuer}: the discovery document has no {name}")
    check_url(url, allow_loopback_http=options.allow_loopback_http)
    if "#" in url:
        raise FetchError(f"{url} has a fragment")
    return url


def _names(document: Mapping[str, Any], member: str) -> frozenset[str] | None:
    """Read a list of names; None where there is none."""
    names = document.get(member)
    if not isinstance(names, list):
        return None
    return frozenset(name for name in names if isinstance(name, str))


def _dump(metadata: ProviderMetadata) -> str:
    """Write it as a document again, so that others judge it as they would that."""
    urls = {name: getattr(metadata, name) for name in _ENDPOINTS}
    document = {
        "issuer": metadata.issuer,
        **{name: url for name, url in urls.items() if url is not None},
        "token_endpoint_auth_methods_supported": sorted(
            metadata.token_endpoint_auth_methods
        ),
        _SENDS_ISS: metadata.sends_iss,
    }
    if metadata.code_challenge_methods is not None:
        document["code_challenge_methods_supported"] = sorted(
            metadata.code_challenge_methods
        )
    return json.dumps(document)


def _load(options: Options, text: str) -> ProviderMetadata:
    """Read what another process has written.

    Raises:
        ValueError: it is not that.

    """
    try:
        return _read(discover(options.issuer, lambda _: json.loads(text)), options)
    except FetchError as error:
        raise ValueError(str(error)) from None
