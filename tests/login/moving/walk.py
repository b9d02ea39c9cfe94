"""Lets people log in at the shop, and prints what comes of it.

Run by `tests/login/test_moving.py` with the shop on the path, before and after.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import django
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment

from tests.login import provider as op
from tests.login.answers import as_text

COOKIE: Final = Path("cookie")
ENDPOINTS: Final = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": op.AUTHORIZE,
    "OIDC_OP_TOKEN_ENDPOINT": op.TOKEN,
    "OIDC_OP_USER_ENDPOINT": op.USERINFO,
    "OIDC_OP_JWKS_ENDPOINT": op.JWKS,
}


def prepare(provider: op.Provider) -> None:
    """Set the shop up as a client of the provider."""
    os.environ.update(
        {name: provider.url + path for name, path in ENDPOINTS.items()},
        DJANGO_SETTINGS_MODULE="shop.settings",
        OIDC_ISSUER=provider.url,
        OIDC_RP_CLIENT_ID=op.CLIENT_ID,
        OIDC_RP_CLIENT_SECRET=op.CLIENT_SECRET,
    )
    settings = importlib.import_module("shop.settings")
    if hasattr(settings, "DRF_APIKIT"):
        settings.DRF_APIKIT["LOGIN"]["INSECURE_LOOPBACK_HTTP"] = True
    django.setup()
    setup_test_environment()
    call_command("migrate", verbosity=0)
    call_command("check", fail_level="WARNING", stdout=sys.stderr)


def log_in(provider: op.Provider, browser: Client) -> dict[str, Any]:
    """Go to a page that wants a login, and through it."""
    wanted = browser.get("/account/")
    begun = browser.get(wanted.headers["Location"])
    asked = begun.headers["Location"]
    answer = browser.get(provider.visit(asked))
    shown = browser.get("/account/")
    return {
        "asked_with_pkce": "code_challenge_method=S256" in asked,
        "status": answer.status_code,
        "to": answer.headers.get("Location"),
        "account": shown.json() if shown.status_code == 200 else None,
    }


def walk(provider: op.Provider) -> dict[str, Any]:
    """Do all that is compared."""
    outcomes: dict[str, Any] = {}
    alice = Client(raise_request_exception=False)
    outcomes["alice"] = log_in(provider, alice)
    outcomes["greeting"] = "Hello Alice" in alice.get("/").content.decode()
    out = alice.post("/oidc/logout/")
    outcomes["logout"] = {"status": out.status_code, "to": out.headers["Location"]}
    outcomes["greeting after logout"] = "Hello" in alice.get("/").content.decode()

    provider.claims["aud"] = "another-client"
    outcomes["of another client"] = log_in(provider, Client())
    provider.claims = {"iss": "https://evil.test"}
    outcomes["of another issuer"] = log_in(provider, Client())
    provider.claims = {}

    provider.subject = "bob"
    outcomes["bob"] = log_in(provider, Client())
    provider.userinfo = {"groups": ["banned"]}
    outcomes["bob, banned"] = log_in(provider, Client())
    provider.userinfo = {}

    provider.answers[op.TOKEN] = as_text(500, "no")
    broken = Client(raise_request_exception=False)
    outcomes["provider down"] = log_in(provider, broken)
    return outcomes


def go_on() -> Any:
    """Come back with the session of the walk before this one, if there was one."""
    browser = Client()
    if COOKIE.exists():
        browser.cookies.load({"sessionid": COOKIE.read_text("ascii")})
    shown = browser.get("/account/")
    return shown.json()["first_name"] if shown.status_code == 200 else None


def leave(provider: op.Provider) -> None:
    """Log in, and leave the session for the next walk."""
    provider.subject = "carol"
    browser = Client()
    log_in(provider, browser)
    COOKIE.write_text(browser.cookies["sessionid"].value, "ascii")


def main() -> None:
    """Print what has happened as JSON."""
    with op.serving() as provider:
        prepare(provider)
        former = go_on()
        leave(provider)
        provider.subject = "alice"
        print(json.dumps({"former session": former, **walk(provider)}))


if __name__ == "__main__":
    main()
