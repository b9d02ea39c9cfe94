"""The development provider as a real process on a free loopback port.

`with running_provider(folder) as provider:` is all that other suites need.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jwt
import requests

from demo.guardian import Guardian
from identity import environment as names
from identity.spec import Client, Spec, User
from tests.jose.minting import public_jwk

__all__ = ["CALLBACK", "SPEC", "Provider", "run_command", "running_provider"]

EXAMPLE_PROJECT: Final = Path(__file__).resolve().parents[3] / "example_project"
RESOURCE: Final = "http://127.0.0.1:8000"
CALLBACK: Final = "http://127.0.0.1:8000/callback"
START_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.02
PORTS_TRIED: Final = 5
PORT_TAKEN: Final = "already in use"

SPEC: Final = Spec(
    users=(
        User("ada", "ada-password", email="ada@example.com", name="Ada Lovelace"),
        User("bob", "bob-password"),
    ),
    clients=(
        Client(
            "web",
            name="Ledger web app",
            type="public",
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=("http://127.0.0.1:8000/goodbye",),
        ),
        Client(
            "server",
            client_secret="server: secret & more",
            name="Ledger server",
            redirect_uris=(CALLBACK, "http://127.0.0.1:8000/other?from=here"),
            access_token_format="opaque",
            skip_consent=True,
        ),
        Client("machine", client_secret="machine-secret", grant="client_credentials"),
        Client(
            "opaque-machine",
            client_secret="opaque-secret",
            grant="client_credentials",
            access_token_format="opaque",
        ),
        Client(
            "reader",
            client_secret="reader-secret",
            grant="client_credentials",
            scopes=("ledger:read",),
        ),
        Client(
            "signer",
            grant="client_credentials",
            jwks={"keys": [public_jwk("P-256"), public_jwk("RSA")]},
        ),
        Client(
            "signing-server",
            redirect_uris=(CALLBACK,),
            jwks={"keys": [public_jwk("Ed25519", kid=None)]},
            skip_consent=True,
        ),
    ),
)


@dataclass(frozen=True)
class Provider:
    """A provider that serves at `issuer`; its output is in the file `log`."""

    issuer: str
    resource: str
    users: Mapping[str, User]
    clients: Mapping[str, Client]
    folder: Path
    log: Path
    environment: Mapping[str, str]

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request without following redirects."""
        return requests.request(
            method, self.issuer + path, timeout=20, allow_redirects=False, **options
        )

    def token(self, client: str, **parameters: Any) -> requests.Response:
        """Ask for a token as `client`, with its secret in the body if it has one."""
        body: dict[str, Any] = {"client_id": client, **parameters}
        if secret := self.clients[client].client_secret:
            body["client_secret"] = secret
        return self.request("POST", "/token/", data=body)

    def exchange(
        self, client: str, code: str, verifier: str, **parameters: Any
    ) -> requests.Response:
        """Exchange an authorization code for tokens."""
        return self.token(
            client,
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=verifier,
            **parameters,
        )

    def introspect(self, token: str) -> requests.Response:
        """Ask what a token means, as the first client that has a secret."""
        asker = next(each for each in self.clients.values() if each.client_secret)
        pair = (quote(asker.client_id, safe=""), quote(asker.client_secret, safe=""))
        return self.request("POST", "/introspect/", auth=pair, data={"token": token})

    def verified(self, token: str, audience: str | None = None) -> Any:
        """Check a token with the published keys; return its header and payload.

        The audience is the default resource's for access tokens unless given.
        Raises jwt.PyJWTError.
        """
        keys = self.request("GET", "/.well-known/jwks.json").json()["keys"]
        key_id = jwt.get_unverified_header(token)["kid"]
        [key] = [key for key in keys if key["kid"] == key_id]
        return jwt.decode_complete(
            token,
            jwt.PyJWK(key),
            algorithms=["RS256"],
            issuer=self.issuer,
            audience=audience or self.resource,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
        )


@contextmanager
def running_provider(
    folder: Path, spec: Spec = SPEC, **variables: str
) -> Iterator[Provider]:
    """Migrate, seed and serve in `folder`; `variables` are added to the environment.

    The process ends with the block, and also when this process is killed.
    """
    environment = {
        names.DATABASE_URL: f"sqlite:///{folder}/identity.sqlite3",
        names.SIGNING_KEY_FILE: str(folder / "signing_key.pem"),
        names.RESOURCE: RESOURCE,
    } | variables
    run_command(environment, "migrate", "--verbosity=0")
    run_command(environment, "seed_identity", stdin=spec.to_json())
    for attempt in range(PORTS_TRIED):
        port = _free_port()
        environment[names.ISSUER] = f"http://localhost:{port}"
        log = folder / f"provider-{attempt}.log"
        with Guardian() as guardian:
            _serve(guardian, environment, port, log)
            if _answers(guardian, environment[names.ISSUER], log):
                yield Provider(
                    issuer=environment[names.ISSUER],
                    resource=environment[names.RESOURCE],
                    users={user.username: user for user in spec.users},
                    clients={client.client_id: client for client in spec.clients},
                    folder=folder,
                    log=log,
                    environment=environment,
                )
                return
    raise RuntimeError(f"No free port found in {PORTS_TRIED} attempts.")


def run_command(
    environment: Mapping[str, str], *arguments: str, stdin: str = ""
) -> str:
    """Run a management command of the provider; return its output.

    Raises subprocess.CalledProcessError when it fails.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        input=stdin,
        env=_process_environment(environment),
        cwd=EXAMPLE_PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll `condition`; say whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return met


def _serve(
    guardian: Guardian, environment: Mapping[str, str], port: int, log: Path
) -> None:
    with log.open("xb") as output:
        guardian.start(
            [
                *(sys.executable, "-m", "gunicorn", "identity.wsgi"),
                *("--worker-class", "gthread", "--threads", "8"),
                *("--bind", f"127.0.0.1:{port}", "--limit-request-line", "8190"),
                # Its default place is a folder in the home of whoever runs this.
                *("--no-control-socket", "--log-level", "warning"),
            ],
            env=_process_environment(environment),
            cwd=EXAMPLE_PROJECT,
            log=output,
        )


def _answers(guardian: Guardian, issuer: str, log: Path) -> bool:
    def healthy() -> bool:
        try:
            return requests.get(f"{issuer}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    wait_until(lambda: guardian.poll() is not None or healthy(), START_SECONDS)
    if guardian.poll() is None and healthy():
        return True
    # Between the look for a free port and the bind another process may take it.
    if PORT_TAKEN in (text := log.read_text(errors="replace")):
        return False
    raise RuntimeError(f"The provider does not answer: {text}")


def _process_environment(environment: Mapping[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("IDENTITY_", "DJANGO_", "PYTHON"))
    }
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "identity.settings",
        "PYTHONPATH": str(EXAMPLE_PROJECT),
        **environment,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
