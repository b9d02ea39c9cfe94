"""The keys that the settings give, as files and variables of a secret store."""

import hashlib
import os
from pathlib import Path
from typing import Final

from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import SigningKeySettings, TokensSettings
from drf_apikit.jose.signing import SigningKey
from drf_apikit.tokens.keyring.material import KeyMaterialError, read_signing_key
from drf_apikit.tokens.keyring.timeline import Key
from drf_apikit.tokens.lifetimes import longest_access_lifetime

__all__ = ["GivenKeys"]

_NEVER: Final = float("-inf")


class GivenKeys:
    """The ring as the settings have it.

    The last one listed of those without ACTIVE_FROM signs first; the ones before it
    verify for as long as they are listed.
    """

    def __init__(self, settings: TokensSettings) -> None:
        self._settings = settings
        #: A digest of what a key was read from, and the key.
        self._known: dict[str, tuple[bytes, SigningKey]] = {}

    @sensitive_variables()
    def read(self) -> tuple[Key, ...]:
        """Read all keys, in the order in which they sign."""
        longest = longest_access_lifetime(self._settings)
        keys = [
            self._key(kid, entry, longest) for kid, entry in self._settings.keys.items()
        ]
        return tuple(sorted(keys, key=lambda key: key.active_from))

    def signer(self, key: Key) -> SigningKey:
        """Give the private key.

        Raises:
            KeyMaterialError: it cannot be read.

        """
        if not isinstance(key.private, SigningKey):
            raise KeyMaterialError(str(key.fault))
        return key.private

    @sensitive_variables()
    def _key(self, kid: str, entry: SigningKeySettings, longest: int) -> Key:
        found, fault = self._signing_key(kid, entry)
        begins, ends = entry.active_from, entry.dead_from
        return Key(
            kid=kid,
            algorithm=found.algorithm if found else "",
            jwk=found.public_jwk() if found else None,
            active_from=begins.timestamp() if begins else _NEVER,
            ended_at=ends.timestamp() if ends else None,
            token_lifetime=longest,
            private=found,
            fault=fault and f"The private key of {kid!r} cannot be used: {fault}",
        )

    @sensitive_variables()
    def _signing_key(
        self, kid: str, entry: SigningKeySettings
    ) -> tuple[SigningKey | None, str | None]:
        """Give a private key, and what is wrong with it now.

        One that cannot be read any more is used as it was: a file is not there for a
        moment while it is replaced.
        """
        digest, known = self._known.get(kid, (None, None))
        pem, fault = _text(entry)
        if pem is None:
            return known, fault
        read = hashlib.sha256(pem.encode()).digest()
        if read == digest:
            return known, None
        found = read_signing_key(pem, kid)
        if isinstance(found, SigningKey):
            if known is not None and known.public_jwk() != found.public_jwk():
                return known, "another key has its place. Give that a new key id."
            self._known[kid] = (read, found)
            return found, None
        return known, f"it is {found}. Put another one there."


@sensitive_variables()
def _text(entry: SigningKeySettings) -> tuple[str | None, str | None]:
    """Give the text of a private key, or why there is none."""
    if entry.file is not None:
        try:
            return Path(entry.file).read_text("utf-8"), None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
        return None, f"FILE {entry.file!r} cannot be read ({why})."
    if entry.env is not None:
        return os.environ.get(entry.env), f"the environment has no {entry.env!r}."
    return entry.private_key, None
