"""Who needs scopes."""

from drf_apikit.authentication import HasScopes

__all__ = ["ScopesOfTokens"]


class ScopesOfTokens(HasScopes):
    """Scopes of whoever comes with a token; a person with a session has no need.

    Scopes say what an application may do for a person. In the browsable API the
    person acts itself, and sees and moves what is its own.
    """

    needs_token = False
