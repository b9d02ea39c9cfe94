"""Keys that this project signs with itself."""

from drf_apikit.conf import apikit_settings

__all__ = ["makes_keys"]


def makes_keys(issuer: str) -> bool:
    """Tell an issuer that this project is itself, and makes the keys of when needed.

    Before it has given out a token it has none, and nothing is wrong.
    """
    tokens = apikit_settings.tokens
    return tokens.issuer == issuer and not tokens.keys
