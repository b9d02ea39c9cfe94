"""A person with a browser: follows links, fills in forms, keeps cookies."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests

from tests.example.identity.running import CALLBACK, Provider

__all__ = ["Browser", "Proof", "answer_of", "hidden_fields", "query_of"]


@dataclass(frozen=True)
class Proof:
    """A PKCE code verifier with its S256 challenge."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Browser:
    """One person's browser at `provider`; redirects elsewhere are not followed."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.session = requests.Session()

    def open(self, url: str) -> requests.Response:
        """Open a page; redirects are followed while they stay at the provider."""
        return self._follow(self._send("GET", url))

    def submit(self, page: requests.Response, **values: str) -> requests.Response:
        """Send the page's form with its hidden fields and `values`."""
        data = hidden_fields(page.text) | values
        headers = {"Referer": page.url}
        return self._follow(self._send("POST", page.url, data=data, headers=headers))

    def sign_in(self, page: requests.Response, username: str) -> requests.Response:
        """Fill in the sign-in page."""
        password = self.provider.users[username].password
        return self.submit(page, username=username, password=password)

    def authorization_url(
        self, client: str, proof: Proof | None = None, **parameters: Any
    ) -> str:
        """Return the address that a client sends people to; None leaves out."""
        query: dict[str, Any] = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": CALLBACK,
            "scope": "openid ledger:read",
            "state": "a state & more",
        }
        if proof is not None:
            query |= {
                "code_challenge": proof.challenge,
                "code_challenge_method": "S256",
            }
        query |= parameters
        given = {name: text for name, text in query.items() if text is not None}
        return "/authorize/?" + urlencode(given, doseq=True)

    def obtain_code(
        self, client: str, username: str, proof: Proof, **parameters: Any
    ) -> str:
        """Sign in, allow, and return the code that the client is sent."""
        page = self.open(self.authorization_url(client, proof, **parameters))
        if urlsplit(page.url).path == "/login/":
            page = self.sign_in(page, username)
        if page.status_code == 200:
            page = self.submit(page, allow="true")
        return answer_of(page)["code"]

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        address = urljoin(self.provider.issuer, url)
        return self.session.request(
            method, address, timeout=20, allow_redirects=False, **options
        )

    def _follow(self, response: requests.Response) -> requests.Response:
        for _ in range(5):
            target = urljoin(response.url, response.headers.get("Location", ""))
            stays = target.startswith(f"{self.provider.issuer}/")
            if not (response.is_redirect and stays):
                return response
            response = self._send("GET", target)
        raise AssertionError(f"Redirected in circles at {response.url}.")


def answer_of(response: requests.Response) -> dict[str, str]:
    """Return what the client is sent at its redirect URI."""
    assert response.status_code == 302, response.text
    location = response.headers["Location"]
    assert location.startswith(f"{CALLBACK}?"), location
    return query_of(location)


def query_of(url: str) -> dict[str, str]:
    """Return a URL's query; a parameter that comes twice fails."""
    pairs = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), url
    return dict(pairs)


def hidden_fields(html: str) -> dict[str, str]:
    """Return the hidden inputs of a page's form."""
    parser = _HiddenFields()
    parser.feed(html)
    return parser.fields


class _HiddenFields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"] or ""] = given.get("value") or ""
