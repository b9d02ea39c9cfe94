"""Walking over a paginated list."""

from typing import Any

__all__ = ["walk_pages"]


def walk_pages(
    client: Any, url: str, *, link: str = "next", limit: int = 1_000
) -> list[list[Any]]:
    """GET page after page; give the rows of each.

    `link` is the member that leads on, `next` or `previous`. Works with the
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
        following = page[link]
    return pages
