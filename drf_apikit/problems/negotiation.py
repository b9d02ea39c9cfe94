"""Who is asking: a person with a browser, or a program."""

from typing import Final

from django.http import HttpRequest

__all__ = ["prefers_page"]

_HTML: Final = "text/html"


def prefers_page(request: HttpRequest) -> bool:
    """Tell whoever asks for HTML by name and likes JSON no better.

    A request that cannot even tell what it wants is a program's: Django finds
    some Accept headers too long or too odd to read.
    """
    offered = ["application/problem+json", "application/json", _HTML]
    try:
        return request.get_preferred_type(offered) == _HTML
    except ValueError:
        return False
