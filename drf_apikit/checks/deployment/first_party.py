"""The tokens that this project gives out itself, and who accepts them."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.checks.deployment.lives import Life, access_lives, refresh_lives
from drf_apikit.checks.deployment.pitfalls import goes_in_clear, shown, tell
from drf_apikit.checks.deployment.uses import (
    authentication_lists,
    first_party,
    gives_out_ours,
    routed,
)
from drf_apikit.conf import IssuerSettings, TokensSettings, apikit_settings
from drf_apikit.jose.profiles import RFC9068

__all__ = ["check_deployed_tokens"]

_TOKENS: Final = "DRF_APIKIT['TOKENS']"
_ISSUERS: Final = "DRF_APIKIT['AUTHENTICATION']['ISSUERS']"
_RESOLVER: Final = "drf_apikit.authentication.principals.resolve_principal"
_SOURCE: Final = "'drf_apikit.tokens.keyring.local_keys'"
_ACCESS: Final = 15 * 60
_REFRESH: Final = 30 * 24 * 60 * 60
_SIZE: Final = 4096
_GRACE: Final = 60


def check_deployed_tokens(**_: Any) -> list[checks.CheckMessage]:
    """Look at `TOKENS` and its entry in `ISSUERS` before a deployment.

    `E035` and `W054` to `W061`; `E036` where this project itself would refuse them,
    `E042` where there is nobody to give them out.
    """
    if apikit_settings.faults():
        return []
    tokens = first_party()
    found = list(_of_nobody() if tokens is None else _given_out(tokens))
    if any(map(_is_ours, authentication_lists())):
        found += [*_accepted(tokens), *_foreign(tokens)]
    return found


def _is_ours(classes: tuple[Any, ...]) -> bool:
    return any(
        isinstance(cls, type) and issubclass(cls, JWTBearerAuthentication)
        for cls in classes
    )


def _of_nobody() -> Iterator[checks.CheckMessage]:
    views = [view for view in routed() if gives_out_ours(view)]
    # Of an app that is missing E041 tells.
    if views and apikit_settings.tokens.issuer is None:
        yield tell(
            "E042",
            f"{views[0]} ({len(views)} in all) gives tokens out, and"
            f" {_TOKENS}['ISSUER'] is None: it fails at every login",
            "Set it to the URL of this project; or leave the route out",
        )


def _given_out(tokens: TokensSettings) -> Iterator[checks.CheckMessage]:
    if goes_in_clear(tokens.issuer):
        yield tell(
            "E035",
            f"{_TOKENS}['ISSUER'] is {shown(tokens.issuer)}: who is on the way to it"
            " gives other services keys of their own",
            "Use https",
        )
    yield from _lives(tokens)
    yield from _reuse(tokens)
    if tokens.rotation_period is None and not tokens.keys:
        yield tell(
            "W056",
            f"{_TOKENS}['ROTATION_PERIOD'] is None, and KEYS is not set: one key signs"
            " until somebody thinks of it",
            "Leave it out: it is 90 days by default",
        )
    if tokens.max_size > _SIZE:
        yield tell(
            "W060",
            f"{_TOKENS}['MAX_SIZE'] is {tokens.max_size}: proxies and servers refuse"
            " headers of that size, often from 8 kB in all",
            f"Make it {_SIZE} or less, and keep in the token what each API needs",
        )
    if tokens.legacy_refresh_tokens == "exchange":
        yield tell(
            "W059",
            f"{_TOKENS}['LEGACY_REFRESH_TOKENS'] is 'exchange': who has the old key of"
            " SIMPLE_JWT can begin a session of anybody",
            "Leave it out when the last of the old tokens has expired, and put this"
            " away until then",
        )


def _lives(tokens: TokensSettings) -> Iterator[checks.CheckMessage]:
    for where, given in _longer(access_lives(tokens), _ACCESS).items():
        yield tell(
            "W054",
            f"{where}['ACCESS_LIFETIME'] is {given}: nothing ends an access token"
            " before that, be it stolen or its user gone",
            f"Make it {_ACCESS} or less: that is what refresh tokens are for",
        )
    for where, given in _longer(refresh_lives(tokens), _REFRESH).items():
        yield tell(
            "W055",
            f"{where}['REFRESH_LIFETIME'] is {given}: a token that was forgotten"
            " somewhere still opens the account",
            f"Make it {_REFRESH} or less",
        )


def _longer(lives: Iterable[Life], most: int) -> dict[str, int]:
    """Give the settings of ours by which something lives for longer, each once."""
    return {
        life.where: life.given
        for life in lives
        if life.given is not None and life.seconds > most
    }


def _reuse(tokens: TokensSettings) -> Iterator[checks.CheckMessage]:
    if tokens.repeat_successor and tokens.reuse_grace > _GRACE:
        yield tell(
            "W061",
            f"{_TOKENS}['REUSE_GRACE'] is {tokens.reuse_grace}, with REPEAT_SUCCESSOR:"
            " for so long a thief gets the same successor as the client, and nobody"
            " notices",
            "Make it what a client needs to ask again: ten seconds",
        )


def _accepted(tokens: TokensSettings | None) -> Iterator[checks.CheckMessage]:
    issuers = apikit_settings.authentication.issuers
    # Of none at all E013 tells.
    if tokens is None or not issuers:
        return
    where = f"{_ISSUERS}[{tokens.issuer!r}]"
    entry = issuers.get(str(tokens.issuer))
    if entry is None:
        yield tell(
            "E036",
            f"{where} is missing: this project refuses the tokens that it gives out",
            "Add it, with the AUDIENCE of TOKENS, USERS 'local' and KEY_SOURCE"
            f" {_SOURCE}",
        )
        return
    for problem, remedy in _misfits(entry, tokens):
        yield tell("E036", f"{where}{problem}", remedy)
    if entry.key_source is None and entry.jwks is None:
        yield tell(
            "W057",
            f"{where} has no KEY_SOURCE: this project asks itself for its keys over"
            " HTTP, and waits for a worker that may be the one that waits",
            f"Set KEY_SOURCE to {_SOURCE}",
        )


def _misfits(
    entry: IssuerSettings, tokens: TokensSettings
) -> Iterator[tuple[str, str]]:
    """Find why this project would not know its own tokens, or whose they are."""
    wanted, given = entry.audience or frozenset(), tokens.audience or frozenset()
    if wanted.isdisjoint(given):
        names = f"{_listed(wanted)}, and TOKENS['AUDIENCE'] is {_listed(given)}"
        refused = "this project refuses the tokens that it gives out"
        remedy = "Name the same API in both"
        yield f"['AUDIENCE'] is {names}: {refused}", remedy
    profile = entry.token_profile
    if profile != RFC9068.name:
        wrong = "which the tokens that this project gives out are not"
        yield f"['TOKEN_PROFILE'] is {profile!r}, {wrong}", "Leave it out"
    resolver = apikit_settings.authentication.principal_resolver
    if entry.users != "local" and resolver == _RESOLVER:
        wrong = "`sub` is the primary key of a user: it is taken for a stranger's name"
        yield f"['USERS'] is {entry.users!r}, and {wrong}", "Set it to 'local'"


def _foreign(tokens: TokensSettings | None) -> Iterator[checks.CheckMessage]:
    """Find issuers elsewhere that may say which row of ours somebody is."""
    own = None if tokens is None else tokens.issuer
    for issuer, entry in apikit_settings.authentication.issuers.items():
        fetched = entry.jwks is None and entry.key_source is None
        if entry.users != "local" or not fetched or issuer == own:
            continue
        host = urlsplit(issuer).hostname or ""
        if not validate_host(host, settings.ALLOWED_HOSTS):
            yield tell(
                "W058",
                f"{_ISSUERS}[{issuer!r}]['USERS'] is 'local', and its keys come from"
                " elsewhere: whoever signs there says which primary key somebody has",
                "Set it to 'lookup' or 'create'; 'local' is for tokens that this"
                " project signs",
            )


def _listed(names: frozenset[str]) -> str:
    return " and ".join(map(repr, sorted(names))) or "None"
