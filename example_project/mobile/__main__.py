"""`python -m mobile`: logs in, shows the accounts and the sessions, and logs out.

It takes `LEDGER_URL`, `LEDGER_USERNAME` and `LEDGER_PASSWORD` from the environment.
"""

import os
import sys

import requests

from mobile import CLIENT_ID
from mobile.session import Session, SessionOverError

__all__ = ["main"]

NAMES = ("LEDGER_URL", "LEDGER_USERNAME", "LEDGER_PASSWORD")


def main() -> None:
    """Do what a person would, and say what came of it."""
    origin, username, password = (os.environ.get(name, "") for name in NAMES)
    if not (origin and username and password):
        sys.exit(f"Set {', '.join(NAMES)}.")
    try:
        phone = Session(origin, CLIENT_ID)
        phone.log_in(username, password)
        _show(phone)
        phone.log_out()
    except (SessionOverError, ValueError, requests.RequestException) as error:
        sys.exit(f"{origin}: {error}")
    print("Logged out.")


def _show(phone: Session) -> None:
    """Print what the API says with this person's token."""
    for path in ("/api/accounts/", "/api/sessions/"):
        answer = phone.request("GET", path)
        answer.raise_for_status()
        body = answer.json()
        rows = body["results"] if isinstance(body, dict) else body
        print(f"{path}: {len(rows)}")
        for row in rows:
            print(f"  {row}")


if __name__ == "__main__":
    main()
