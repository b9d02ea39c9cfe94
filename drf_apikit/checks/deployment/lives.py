"""How long the tokens of this project live, and which setting makes it so."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from drf_apikit.conf import TokenClientSettings, TokensSettings
from drf_apikit.tokens.lifetimes import lifetimes

__all__ = ["SIMPLE_JWT_LIFE", "Life", "access_lives", "refresh_lives"]

#: In place of a setting of `TOKENS`: what nobody says there is left to `SIMPLE_JWT`.
SIMPLE_JWT_LIFE: Final = "SIMPLE_JWT"
_TOKENS: Final = "DRF_APIKIT['TOKENS']"
#: As the first client is called where the settings name none.
_USUAL: Final = {"": TokenClientSettings()}


class Life(NamedTuple):
    """What a setting says, and what comes of it, which may be less; in seconds."""

    where: str
    given: int | None
    seconds: int


def access_lives(tokens: TokensSettings) -> Iterator[Life]:
    """Give the life of access tokens for each client that there is."""
    for name, own in (tokens.clients or _USUAL).items():
        where, given = _said(name, own.access_lifetime, tokens.access_lifetime)
        yield Life(where, given, lifetimes(name, tokens).access)


def refresh_lives(tokens: TokensSettings) -> Iterator[Life]:
    """Give that of sessions since they were last used; none outlives its session."""
    for name, own in (tokens.clients or _USUAL).items():
        where, given = _said(name, own.refresh_lifetime, tokens.refresh_lifetime)
        yield Life(where, given, lifetimes(name, tokens).refresh)


def _said(name: str, own: int | None, of_all: int | None) -> tuple[str, int | None]:
    if own is not None:
        return f"{_TOKENS}['CLIENTS'][{name!r}]", own
    return (SIMPLE_JWT_LIFE, None) if of_all is None else (_TOKENS, of_all)
