"""A person with a browser that has no JavaScript: cookies, links and forms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

__all__ = ["Page", "Visitor"]

SECONDS = 30.0


@dataclass(slots=True)
class Form:
    """A form as it stands in the page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows, and where; `links` by their relations."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]
    links: Mapping[str, str]

    def filled(self, having: str, **values: str) -> tuple[str, dict[str, str]]:
        """Fill in the form that has a field; give where it goes, and what is sent.

        Raises:
            OSError: no form here has that field.

        """
        for form in self.forms:
            if having in form.fields or form.action.endswith(having):
                return urljoin(self.url, form.action), form.fields | values
        raise OSError(f"{self.url} ({self.status}) has no form with {having!r}.")


class Visitor:
    """Opens pages and sends forms, directly, whatever proxies are set.

    Raises:
        OSError: a page cannot be had.

    """

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, url: str) -> Page:
        """Open a page, and follow where it leads."""
        return _page(self.session.get(url, timeout=SECONDS))

    def submit(self, page: Page, having: str, **values: str) -> Page:
        """Fill in a form, send it, and follow where that leads."""
        return _page(self._post(page, having, values, follow=True))

    def send(self, page: Page, having: str, **values: str) -> requests.Response:
        """Fill in a form and send it; give the answer itself."""
        return self._post(page, having, values, follow=False)

    def _post(
        self, page: Page, having: str, values: dict[str, str], *, follow: bool
    ) -> requests.Response:
        url, fields = page.filled(having, **values)
        headers = {"Referer": page.url}
        return self.session.post(
            url, data=fields, headers=headers, allow_redirects=follow, timeout=SECONDS
        )


def _page(response: requests.Response) -> Page:
    parser = _Reader()
    parser.feed(response.text)
    return Page(
        url=response.url,
        status=response.status_code,
        text=response.text,
        forms=tuple(parser.forms),
        links=parser.links,
    )


class _Reader(HTMLParser):
    """Finds forms with their fields, and links that say what they lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a form has, and where a link leads."""
        given: dict[str, Any] = dict(attrs)
        if tag == "a" and given.get("rel"):
            self.links[given["rel"]] = given.get("href") or ""
        elif tag == "form":
            self.forms.append(Form(given.get("action") or ""))
        elif tag in {"input", "select"} and given.get("name") and self.forms:
            self.forms[-1].fields[given["name"]] = given.get("value") or ""
