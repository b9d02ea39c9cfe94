"""The section of outbound tokens, `CLIENTS`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting

__all__ = ["ClientSettings", "ClientsSettings", "client_contradictions"]

_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """One entry of `CREDENTIALS` in the section `CLIENTS`."""

    issuer: str | None = setting(
        kinds.optional(kinds.issuer),
        "Who gives the tokens; its token endpoint is discovered.",
        default=None,
    )
    token_endpoint: str | None = setting(
        kinds.optional(kinds.url("an absolute URL")),
        "The token endpoint, where there is no issuer to discover it from.",
        default=None,
    )
    client_id: str | None = setting(
        kinds.optional(kinds.text("the name of this client at the issuer")),
        "The name of this client at the issuer. Mandatory.",
        default=None,
    )
    client_secret: str | None = setting(
        kinds.optional(kinds.text("the secret of this client")),
        "Its secret.",
        default=None,
        secret=True,
    )
    auth_method: str = setting(
        kinds.choice("client_secret_basic", "client_secret_post", _KEY),
        "How it proves itself (OpenID Connect Core section 9).",
        default="client_secret_basic",
    )
    private_key: str | None = setting(
        kinds.optional(kinds.private_key),
        "The private key for `private_key_jwt`, in PEM form.",
        default=None,
        secret=True,
    )
    private_key_id: str | None = setting(
        kinds.optional(kinds.text("the `kid` that the issuer knows the key by")),
        "Its `kid`. None: its thumbprint (RFC 7638).",
        default=None,
    )
    assertion_audience: str | None = setting(
        kinds.optional(kinds.text("what the issuer wants as `aud` of an assertion")),
        "The `aud` of the assertions of `private_key_jwt`. None: the issuer, or the"
        " token endpoint where no issuer is named.",
        default=None,
    )
    scopes: frozenset[str] | None = setting(
        kinds.optional(kinds.strings("a list of scopes")),
        "What is asked for. None: what the issuer gives by itself.",
        default=None,
    )
    audience: str | None = setting(
        kinds.optional(kinds.text("the identifier of the API at the issuer")),
        "The parameter `audience`, where the issuer wants one.",
        default=None,
    )
    resource: str | None = setting(
        kinds.optional(kinds.url("an absolute URL")),
        "The API that the token is for (RFC 8707).",
        default=None,
    )
    insecure_loopback_http: bool = setting(
        kinds.flag,
        "Whether tokens may be fetched and sent over plain HTTP on this very machine."
        " For development alone.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsSettings:
    """Section `CLIENTS`."""

    credentials: Mapping[str, ClientSettings] = setting(
        kinds.mapping(
            "a dict from a name of yours to a dict of that client's settings"
        ),
        "What `ClientCredentials` takes by name.",
        default={},
    )
    cache: str = setting(
        kinds.text("the alias of a cache in CACHES"),
        "The cache through which processes share tokens; they are encrypted there.",
        default="default",
    )
    timeout: int = setting(
        kinds.integer(1, 30), "Seconds that a token may take to come.", default=4
    )
    proxies: Mapping[str, str] | None = setting(
        kinds.optional(kinds.proxies),
        "Proxies for the way to token endpoints, as"
        " `{'https': 'http://proxy.example:3128'}`. None: those of the environment.",
        default=None,
        secret=True,
    )


def client_contradictions(
    _name: str, settings: ClientSettings
) -> Iterator[tuple[str, str, str]]:
    """Find settings that do not go together: the key, what is wrong, the remedy."""
    source = settings.token_endpoint or settings.issuer
    if source is None:
        remedy = "Name the issuer, or else the token endpoint itself."
        yield "ISSUER", "is missing", remedy
    else:
        allowed = settings.insecure_loopback_http
        told = "tokens come from"
        yield from kinds.plain_http(source, told, "an issuer", allowed=allowed)
    if settings.client_id is None:
        yield "CLIENT_ID", "is missing", "Give the name of this client at the issuer."
    if settings.auth_method == _KEY and settings.private_key is None:
        remedy = "Give the private key whose public half the issuer has."
        yield "PRIVATE_KEY", "is missing", remedy
    if settings.auth_method != _KEY and settings.client_secret is None:
        yield "CLIENT_SECRET", "is missing", "Give the secret of this client."
