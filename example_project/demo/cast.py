"""Who appears in the demo: people, their clients, and secrets made for this run."""

import secrets
from dataclasses import dataclass, field

from identity.spec import Client, Spec, User, subject_of
from ledger.spec import People, Person

__all__ = ["APP_CLIENT", "CUSTOMERS", "OPERATOR", "WEB_CLIENT", "WORKER_CLIENT", "Cast"]

OPERATOR = "operator"
CUSTOMERS = ("alice", "bob")
APP_CLIENT = "ledger-app"
WEB_CLIENT = "ledger-web"
WORKER_CLIENT = "ledger-worker"
SCOPES = ("ledger:read", "ledger:write")


def _secret() -> str:
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True)
class Cast:
    """Passwords of the people, and secrets of the command line client of each.

    A client that acts for a person spares the demo a browser: its token names the
    client, and the API knows the client as that person.
    """

    passwords: dict[str, str] = field(
        default_factory=lambda: {name: _secret() for name in (*CUSTOMERS, OPERATOR)}
    )
    client_secrets: dict[str, str] = field(
        default_factory=lambda: {name: _secret() for name in (*CUSTOMERS, OPERATOR)}
    )
    #: Of the mobile app: the ledger's own, which the provider never sees.
    app_passwords: dict[str, str] = field(
        default_factory=lambda: {name: _secret() for name in CUSTOMERS}
    )
    web_secret: str = field(default_factory=_secret)
    worker_secret: str = field(default_factory=_secret)

    @staticmethod
    def client_of(name: str) -> str:
        """Give the id of the client that acts for a person."""
        return f"{name}-cli"

    def identity_spec(self, api: str) -> Spec:
        """Give what the provider has to know."""
        users = [
            User(
                username=name,
                password=password,
                email=f"{name}@example.com",
                name=name.capitalize(),
            )
            for name, password in self.passwords.items()
        ]
        machines = [
            Client(
                client_id=self.client_of(name),
                client_secret=secret,
                name=f"Command line of {name}",
                grant="client_credentials",
                scopes=SCOPES,
            )
            for name, secret in self.client_secrets.items()
        ]
        return Spec(users=users, clients=[*machines, *self._services(api)])

    def _services(self, api: str) -> list[Client]:
        """Give the web page, the documentation and the worker."""
        web = Client(
            client_id=WEB_CLIENT,
            client_secret=self.web_secret,
            name="Payments ledger",
            redirect_uris=(f"{api}/oidc/callback/",),
            post_logout_redirect_uris=(f"{api}/",),
        )
        app = Client(
            client_id=APP_CLIENT,
            name="Ledger app",
            type="public",
            redirect_uris=(f"{api}/api/docs/oauth2-redirect.html",),
        )
        worker = Client(
            client_id=WORKER_CLIENT,
            client_secret=self.worker_secret,
            name="Ledger worker",
            grant="client_credentials",
            scopes=SCOPES,
        )
        return [web, app, worker]

    def ledger_people(self, issuer: str) -> People:
        """Give what the API has to know: which subject is which user."""
        # The worker pays out of alice's accounts.
        also = {CUSTOMERS[0]: (WORKER_CLIENT,)}
        persons = [
            Person(
                username=name,
                subjects=(subject_of(name), self.client_of(name), *also.get(name, ())),
                password=self.app_passwords.get(name, password),
                staff=name == OPERATOR,
            )
            for name, password in self.passwords.items()
        ]
        return People(issuer=issuer, persons=persons)
