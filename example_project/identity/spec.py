"""What to put into a provider's database: users and clients, as plain data.

It imports neither Django's models nor its settings, so that the process that
starts the provider can use it with its own settings; of other packages it needs
PyJWT, to see that a client's keys are some.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Final, Literal, Self, TypeVar, get_args

from identity.client_keys import ClientKeyError, client_keys

__all__ = [
    "AccessTokenFormat",
    "Client",
    "ClientType",
    "GrantType",
    "Spec",
    "SpecError",
    "User",
    "subject_of",
]

ClientType = Literal["public", "confidential"]
GrantType = Literal["authorization_code", "client_credentials"]
AccessTokenFormat = Literal["jwt", "opaque"]

NAMESPACE: Final = uuid.UUID("8f0b6c1e-4d0a-5f0c-9c55-1f6a2c6a7d11")

Item = TypeVar("Item", "User", "Client")


class SpecError(ValueError):
    """A specification that cannot be read; its text says what is wrong where."""


def subject_of(username: str) -> str:
    """Return the `sub` that a user gets when its specification names none.

    Always the same for a name, so that the API's own data can be prepared without
    asking the provider: `uuid5(NAMESPACE, username)`.
    """
    return str(uuid.uuid5(NAMESPACE, username))


@dataclass(frozen=True)
class User:
    """A person who can sign in. `subject` is a UUID, by default of the name."""

    username: str
    password: str
    subject: str = ""
    email: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _require_text(self, optional=("email", "name"))
        try:
            subject = str(uuid.UUID(self.subject or subject_of(self.username)))
        except ValueError as error:
            raise SpecError(f"{self.username}: subject must be a UUID.") from error
        object.__setattr__(self, "subject", subject)


@dataclass(frozen=True)
class Client:
    """An application that asks for tokens.

    `scopes` limits what it may ask for; None means everything that suits its grant.
    `skip_consent` spares its users the consent page. A confidential client has a
    `client_secret`, or `jwks`: the JWK Set of its public keys, with which it signs
    assertions (`private_key_jwt`, RFC 7523). The origins of a public client's
    `redirect_uris` may read answers by script.
    """

    client_id: str
    client_secret: str = ""
    name: str = ""
    type: ClientType = "confidential"
    grant: GrantType = "authorization_code"
    redirect_uris: Sequence[str] = ()
    post_logout_redirect_uris: Sequence[str] = ()
    access_token_format: AccessTokenFormat = "jwt"
    scopes: Sequence[str] | None = None
    skip_consent: bool = False
    jwks: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _require_text(self, optional=("client_secret", "name"))
        _require_choice(self, "type", get_args(ClientType))
        _require_choice(self, "grant", get_args(GrantType))
        _require_choice(self, "access_token_format", get_args(AccessTokenFormat))
        for name in ("redirect_uris", "post_logout_redirect_uris", "scopes"):
            _freeze_words(self, name)
        if not isinstance(self.skip_consent, bool):
            raise SpecError(f"{self.client_id}: skip_consent must be true or false.")
        if (self.type == "confidential") != bool(self.client_secret or self.jwks):
            raise SpecError(
                f"{self.client_id}: confidential clients have a client_secret or "
                "jwks, public ones have none."
            )
        _require_keys(self)
        if self.grant == "client_credentials" and self.type == "public":
            raise SpecError(
                f"{self.client_id}: a public client has no credentials to use "
                "client_credentials with."
            )


@dataclass(frozen=True)
class Spec:
    """Users and clients to make; names that exist already are brought up to date."""

    users: Sequence[User] = field(default_factory=tuple)
    clients: Sequence[Client] = field(default_factory=tuple)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a specification. Raises SpecError for anything unexpected in it."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise SpecError(f"Not JSON: {error}") from error
        if not isinstance(data, dict) or not data.keys() <= {"users", "clients"}:
            raise SpecError("Expected an object with the members users and clients.")
        return cls(
            users=_items(User, "users", data.get("users", [])),
            clients=_items(Client, "clients", data.get("clients", [])),
        )

    def to_json(self) -> str:
        """Write the specification so that `from_json` reads the same one."""
        return json.dumps(asdict(self), indent=2)


def _items(kind: type[Item], name: str, values: Any) -> tuple[Item, ...]:
    if not isinstance(values, list):
        raise SpecError(f"{name} must be a list.")
    return tuple(
        _item(kind, f"{name}[{place}]", value) for place, value in enumerate(values)
    )


def _item(kind: type[Item], place: str, value: Any) -> Item:
    if not isinstance(value, Mapping):
        raise SpecError(f"{place} must be an object.")
    known = {each.name for each in fields(kind)}
    required = {each.name for each in fields(kind) if each.default is MISSING}
    if unknown := sorted(value.keys() - known):
        raise SpecError(f"{place} has unknown members: {', '.join(unknown)}.")
    if missing := sorted(required - value.keys()):
        raise SpecError(f"{place} lacks: {', '.join(missing)}.")
    return kind(**value)


def _require_text(item: User | Client, *, optional: Sequence[str]) -> None:
    required = [each.name for each in fields(item) if each.default is MISSING]
    for name in (*required, *optional):
        value = getattr(item, name)
        if not isinstance(value, str) or "\0" in value:
            raise SpecError(f"{name} must be text.")
        if name in required and not value:
            raise SpecError(f"{name} must not be empty.")


def _require_choice(item: Client, name: str, choices: Sequence[str]) -> None:
    if getattr(item, name) not in choices:
        raise SpecError(f"{item.client_id}: {name} must be {' or '.join(choices)}.")


def _require_keys(item: Client) -> None:
    if item.jwks is None:
        return
    if item.client_secret:
        raise SpecError(f"{item.client_id}: jwks and client_secret exclude each other.")
    try:
        client_keys(item.jwks)
    except ClientKeyError as error:
        raise SpecError(f"{item.client_id}: {error}") from error


def _freeze_words(item: Client, name: str) -> None:
    values = getattr(item, name)
    if values is None and name == "scopes":
        return
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SpecError(f"{item.client_id}: {name} must be a list.")
    if not all(isinstance(word, str) and word.split() == [word] for word in values):
        raise SpecError(f"{item.client_id}: {name} must be words without spaces.")
    object.__setattr__(item, name, tuple(values))
