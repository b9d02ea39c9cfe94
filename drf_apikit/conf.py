"""The one setting `DRF_APIKIT`: a dict with a section for each block.

Readers ask `apikit_settings` at call time, so that `override_settings` reaches
every one of them:

    from drf_apikit.conf import apikit_settings

    apikit_settings.pagination.max_page_size

Each section is a frozen dataclass: the names of its fields, in capitals, are
the keys of the dict. A fault in a section is a system check error; whoever
reads that section all the same gets `ImproperlyConfigured`.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from drf_apikit._setting_parsing import Fault, bad_value, parse_section, unknown_keys
from drf_apikit._setting_sections import (
    SECTIONS,
    AuthenticationSettings,
    ClientSettings,
    ClientsSettings,
    ConditionalSettings,
    IdempotencySettings,
    IssuerSettings,
    LoginSettings,
    MetricsSettings,
    PaginationSettings,
    ProblemsSettings,
    SigningKeySettings,
    TokenClientSettings,
    TokensSettings,
)

__all__ = [
    "SECTIONS",
    "ApikitSettings",
    "AuthenticationSettings",
    "ClientSettings",
    "ClientsSettings",
    "ConditionalSettings",
    "Fault",
    "IdempotencySettings",
    "IssuerSettings",
    "LoginSettings",
    "MetricsSettings",
    "PaginationSettings",
    "ProblemsSettings",
    "SigningKeySettings",
    "TokenClientSettings",
    "TokensSettings",
    "apikit_settings",
    "load",
]

_NAME = "DRF_APIKIT"
_NAMES = {section: name for name, section in SECTIONS.items()}

T = TypeVar("T")


class ApikitSettings:
    """The parsed settings; one object that follows `setting_changed`."""

    def __init__(self) -> None:
        self._parsed: dict[str, tuple[Any, list[Fault]]] = {}

    @property
    def pagination(self) -> PaginationSettings:
        """Section `PAGINATION`."""
        return self._read(PaginationSettings)

    @property
    def problems(self) -> ProblemsSettings:
        """Section `PROBLEMS`."""
        return self._read(ProblemsSettings)

    @property
    def conditional(self) -> ConditionalSettings:
        """Section `CONDITIONAL`."""
        return self._read(ConditionalSettings)

    @property
    def idempotency(self) -> IdempotencySettings:
        """Section `IDEMPOTENCY`."""
        return self._read(IdempotencySettings)

    @property
    def authentication(self) -> AuthenticationSettings:
        """Section `AUTHENTICATION`."""
        return self._read(AuthenticationSettings)

    @property
    def login(self) -> LoginSettings:
        """Section `LOGIN`."""
        return self._read(LoginSettings)

    @property
    def clients(self) -> ClientsSettings:
        """Section `CLIENTS`."""
        return self._read(ClientsSettings)

    @property
    def tokens(self) -> TokensSettings:
        """Section `TOKENS`."""
        return self._read(TokensSettings)

    @property
    def metrics(self) -> MetricsSettings:
        """Section `METRICS`."""
        return self._read(MetricsSettings)

    def faults(self) -> list[Fault]:
        """List what is wrong, over all sections."""
        raw = getattr(settings, _NAME, {})
        if not isinstance(raw, Mapping):
            return [bad_value(_NAME, raw, "a dict of sections")]
        unknown = unknown_keys(raw, SECTIONS, _NAME)
        return unknown + [fault for name in SECTIONS for fault in self._parse(name)[1]]

    def forget(self) -> None:
        """Read Django's settings again at the next use."""
        self._parsed = {}

    def _read(self, section: type[T]) -> T:
        parsed, faults = self._parse(_NAMES[section])
        if faults:
            raise ImproperlyConfigured(f"{faults[0].message} {faults[0].hint}")
        return cast("T", parsed)

    def _parse(self, name: str) -> tuple[Any, list[Fault]]:
        parsed = self._parsed
        if name not in parsed:
            raw = getattr(settings, _NAME, {})
            values = raw.get(name, {}) if isinstance(raw, Mapping) else raw
            path = f"{_NAME}[{name!r}]"
            section, faults = parse_section(SECTIONS[name], values, path)
            # Of two threads both go on with what the first one has: others compare
            # these objects by identity.
            parsed.setdefault(name, (section, faults))
        return parsed[name]


apikit_settings = ApikitSettings()


def load(path: str) -> Any:
    """Import what a dotted path in the settings names.

    Raises:
        ImportError: there is no such thing.

    """
    return import_string(path)


def _follow(*, setting: str, **_: object) -> None:
    if setting == _NAME:
        apikit_settings.forget()


setting_changed.connect(_follow, dispatch_uid="drf_apikit.conf")
