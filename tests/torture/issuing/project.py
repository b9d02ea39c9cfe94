"""The project under gunicorn, and what a client asks of it."""

import base64
import json
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from demo.guardian import Guardian
from tests.torture.issuing.prepare import PASSWORD, PERSON
from tests.torture.issuing.steps import HEADER
from tests.torture.server import SECONDS_TO_START, Answer, BrokenError, Server

__all__ = ["Project", "sid_of"]

#: One for all projects of a run, which may have one database.
SECRET_KEY: Final = secrets.token_hex(32)


class Project(Server):
    """The project on a database that is there, with settings of `TOKENS`."""

    application = "tests.torture.issuing.site"
    health = "/healthz"
    workers = 4
    #: Together more than there are clients, and less than a database has connections.
    threads = 25

    def __init__(self, database: Mapping[str, Any], **tokens: Any) -> None:
        super().__init__()
        self._settings = {"database": dict(database), "tokens": tokens}
        self._password = secrets.token_hex(8)

    def prepare(self, _resources: ExitStack) -> None:
        """Leave the settings where the workers look for them; make the tables."""
        text = json.dumps(self._settings, default=str)
        (self.folder / "project.json").write_text(text)
        with Guardian() as guardian:
            self.start(guardian, ["tests.torture.issuing.prepare"])
            if guardian.wait(SECONDS_TO_START):
                raise RuntimeError(f"The tables are not there: {self.log()}")

    def environment(self) -> dict[str, str]:
        """Name the settings."""
        return {
            "DJANGO_SETTINGS_MODULE": "tests.torture.issuing.settings",
            PASSWORD: self._password,
            "SECRET_KEY": SECRET_KEY,
        }

    def log_in(self, prefix: str = "") -> Any:
        """Give the tokens of a new session."""
        credentials = {"username": PERSON, "password": self._password}
        answer = self.send("POST", f"{prefix}/token", credentials)
        if answer.status != 200:
            raise RuntimeError(f"No login: {answer}")
        return answer.json()

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; status 0 for no whole answer."""
        try:
            return self.send("POST", path, body, headers)
        except BrokenError as error:
            return Answer(0, {}, repr(error).encode())

    def refresh(self, text: str, prefix: str = "", end: str = "") -> Answer:
        """Present a refresh token, and have the worker killed at a step."""
        headers = {HEADER: end} if end else None
        return self.post(f"{prefix}/refresh", {"refresh": text}, headers)

    def end(self, access: str) -> int:
        """End the session of an access token, as its user does; give the status."""
        headers = {"Authorization": f"Bearer {access}"}
        return self.send("DELETE", f"/sessions/{sid_of(access)}", None, headers).status

    def age(self, sid: str, seconds: int = 0) -> bool:
        """Let time pass since a session was refreshed; tell whether it is alive."""
        answer = self.post("/sessions", {"sid": sid, "age": seconds})
        alive: bool = answer.json()["alive"]
        return alive


def sid_of(access: str) -> str:
    """Read which session an access token is of."""
    part = access.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return str(claims["sid"])
