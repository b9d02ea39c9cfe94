"""A browser between a project and its provider, and what an attack must come to."""

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

import pytest
from django.test import Client

from tests.login.provider import CLIENT_ID, CLIENT_SECRET, REVOKE, TOKEN, Provider

__all__ = [
    "SCRIPT",
    "Attack",
    "Changes",
    "Stage",
    "changed",
    "nobody_is_let_in",
    "user_of",
]

#: In what a provider sends; no page may have it.
SCRIPT: Final = "<script>alert(1)</script>"
#: Of the parameters of a URL; None leaves one out.
Changes = Mapping[str, str | None]
REFUSALS: Final = {400, 403, 503}
CONTENT: Final = ("text/html", "application/problem+json")


@dataclass
class Stage:
    """Whom an attack is played by, and whose log is read."""

    provider: Provider
    client: Client
    log: pytest.LogCaptureFixture

    def begin(self, client: Client | None = None, next_url: str | None = None) -> Any:
        """Begin a login; the answer sends the browser to the provider."""
        query = {} if next_url is None else {"next": next_url}
        return (client or self.client).get("/oidc/authenticate/", query)

    def asked(
        self, changes: Changes | None = None, client: Client | None = None
    ) -> str:
        """Begin a login, and ask the provider something else; give its answer."""
        url = self.begin(client)["Location"]
        return self.provider.visit(changed(url, changes or {}))

    def finish(self, callback: str, changes: Changes | None = None) -> Any:
        """Come back with an answer, or with another one than the provider gave."""
        url = urlsplit(changed(callback, changes or {}))
        return self.client.get(f"{url.path}?{url.query}")

    def login(self, next_url: str | None = None) -> Any:
        """Log in as a person does; give the last answer, whatever it is."""
        first = self.begin(next_url=next_url)
        if first.status_code != 302:
            return first
        return self.finish(self.provider.visit(first["Location"]))


Attack = Callable[[Stage], Any]


def changed(url: str, changes: Changes) -> str:
    """Change parameters of a URL; None leaves one out."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **changes}
    kept = {name: value for name, value in query.items() if value is not None}
    return urlunsplit((*parts[:3], urlencode(kept), parts.fragment))


def user_of(client: Client) -> str:
    """Name the user of a browser; nobody has no name."""
    return str(client.get("/who/").json()["user"])


def nobody_is_let_in(stage: Stage, response: Any) -> None:
    """See that an attack came to a page or problem, and to nothing else."""
    assert response.status_code in REFUSALS, response.content
    assert response["Content-Type"].startswith(CONTENT)
    assert user_of(stage.client) == ""
    assert "_auth_user_id" not in stage.client.session
    told = response.content.decode() + str(response.headers)
    assert SCRIPT not in told
    for secret in secrets_of(stage.provider):
        assert secret not in told
        assert secret not in stage.log.text
    nobody_else_is_told(stage.provider)
    loud = [each for each in stage.log.records if each.levelno >= logging.WARNING]
    assert not [each for each in loud if each.exc_info], stage.log.text


def nobody_else_is_told(provider: Provider) -> None:
    """See that secrets went where they belong, and that no redirect was followed."""
    for request in provider.seen:
        assert request.path != "/elsewhere"
        if request.path not in {TOKEN, REVOKE}:
            assert not request.headers.get("authorization", "").startswith("Basic")
            assert not request.form
            assert "code_verifier" not in request.query


def secrets_of(provider: Provider) -> Iterator[str]:
    """Give all that nobody else may ever see, however it is written."""
    yield from provider.grants.secrets
    yield from (CLIENT_SECRET, quote(CLIENT_SECRET), quote_plus(CLIENT_SECRET))
    pair = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}"
    yield base64.b64encode(pair.encode()).decode()
    for request in provider.seen:
        if request.path == TOKEN and "code_verifier" in request.form:
            yield request.form["code_verifier"]
