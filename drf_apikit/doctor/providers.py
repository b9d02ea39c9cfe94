"""Which providers the settings name, and for what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from drf_apikit.conf import ClientSettings, IssuerSettings, apikit_settings
from drf_apikit.login.registration import Registration

__all__ = ["Provider", "providers"]

#: Of who has no setting for it.
_LEEWAY: Final = 30


@dataclass(slots=True)
class Provider:
    """A provider and its uses: tokens of clients, the login, tokens for calls."""

    issuer: str
    trusted: IssuerSettings | None = None
    login: Registration | None = None
    clients: dict[str, ClientSettings] = field(default_factory=dict)

    @property
    def leeway(self) -> int:
        """The seconds by which clocks may differ, by the strictest setting."""
        uses = [self.trusted, None if self.login is None else self.login.settings]
        return min((one.leeway for one in uses if one is not None), default=_LEEWAY)

    @property
    def timeout(self) -> float:
        """The seconds for a fetch."""
        return float(apikit_settings.authentication.fetch_timeout)

    @property
    def proxies(self) -> Mapping[str, str] | None:
        """The proxies on the way there."""
        if self.trusted is None and self.login is None:
            return apikit_settings.clients.proxies
        if self.login is not None and self.trusted is None:
            return self.login.proxies
        return apikit_settings.authentication.proxies

    @property
    def loopback_http(self) -> bool:
        """Whether a setting allows plain HTTP on this very machine."""
        uses = [self.trusted, None if self.login is None else self.login.settings]
        allowing = [*uses, *self.clients.values()]
        return any(one.insecure_loopback_http for one in allowing if one is not None)

    @property
    def algorithms(self) -> Mapping[str, frozenset[str]]:
        """The algorithms that signatures are accepted by, for each use."""
        found = {}
        if self.trusted is not None:
            found["access tokens"] = self.trusted.algorithms
        if self.login is not None:
            found["ID tokens"] = self.login.algorithms
        return found

    @property
    def jwks_uri(self) -> str | None:
        """Where the keys are, if a setting says so."""
        given = None if self.trusted is None else self.trusted.jwks_uri
        return given or (None if self.login is None else self.login.jwks_uri)

    @property
    def is_discovered(self) -> bool:
        """Whether anybody reads its discovery document."""
        keys = self.trusted is not None and not (
            self.trusted.jwks or self.trusted.jwks_uri or self.trusted.key_source
        )
        named = [one.token_endpoint is None for one in self.clients.values()]
        return keys or self.login is not None or any(named)


def providers(login: Registration | None) -> Iterator[Provider]:
    """Give each provider once; a client without an issuer has none."""
    found: dict[str, Provider] = {}

    def of(issuer: str) -> Provider:
        return found.setdefault(issuer, Provider(issuer))

    for issuer, trusted in apikit_settings.authentication.issuers.items():
        of(issuer).trusted = trusted
    if login is not None:
        of(login.issuer).login = login
    for name, client in apikit_settings.clients.credentials.items():
        if client.issuer is not None:
            of(client.issuer).clients[name] = client
    yield from found.values()
