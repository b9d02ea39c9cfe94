"""Walking over a paginated list."""

import re
from typing import Any, Final
from urllib.parse import urljoin

__all__ = ["walk_pages"]

_LINK: Final = re.compile(r'<([^>]*)>[^<]*?;\s*rel="?([^";,]*)', re.IGNORECASE)


def walk_pages(
    client: Any,
    url: str,
    *,
    link: str = "next",
    rel: str | None = None,
    limit: int = 1_000,
) -> list[list[Any]]:
    """GET page after page; give the rows of each.

    `link` is the member that leads on, `next` or `previous`. With `rel`, `next`
    or `prev`, the `Link` header leads on instead (RFC 8288). Works with the
    clients of Django, DRF and requests.

    Raises:
        AssertionError: an answer other than 200, or more than `limit` pages.

    """
    pages: list[list[Any]] = []
    following: str | None = url
    while following is not None:
        assert len(pages) < limit, f"more than {limit} pages"
        response = client.get(following)
        assert response.status_code == 200, (following, response.content)
        page = response.json()
        pages.append(page["results"])
        following = page[link] if rel is None else _linked(response, following, rel)
    return pages


def _linked(response: Any, url: str, rel: str) -> str | None:
    for target, relations in _LINK.findall(response.headers.get("Link", "")):
        if rel in relations.split():
            return str(urljoin(url, target))
    return None
