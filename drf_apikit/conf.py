"""The one setting `DRF_APIKIT`: a dict with a section for each block.

Readers ask `apikit_settings` at call time, so that `override_settings` reaches
every one of them:

    from drf_apikit.conf import apikit_settings

    apikit_settings.pagination.max_page_size

Each section is a frozen dataclass: the names of its fields, in capitals, are
the keys of the dict. A fault in a section is a system check error; whoever
reads that section all the same gets `ImproperlyConfigured`.
"""

import dataclasses
import difflib
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_clients import client_contradictions
from drf_apikit._setting_issuers import contradictions
from drf_apikit._setting_login import login_contradictions
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
from drf_apikit._setting_tokens import (
    signing_key_contradictions,
    token_client_contradictions,
    tokens_contradictions,
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
#: What a fault shows of a value: dicts may hold keys, so nothing of them.
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxdict, _SHOWN.maxstring = 1, 0, 80


class _Hidden:
    def __repr__(self) -> str:
        return "not shown, since it is secret"


_HIDDEN = _Hidden()

#: Gives the keys that do not go together, what is wrong, and the remedy.
_Judge = Callable[[str, Any], Iterable[tuple[str, str, str]]]
#: Settings that are dicts of sections: of which, what their names are, who judges.
_NESTED: Mapping[tuple[type, str], tuple[type, kinds.Kind, _Judge]] = {
    (AuthenticationSettings, "issuers"): (
        IssuerSettings,
        kinds.issuer,
        contradictions,
    ),
    (ClientsSettings, "credentials"): (
        ClientSettings,
        kinds.text("names"),
        client_contradictions,
    ),
    (TokensSettings, "keys"): (
        SigningKeySettings,
        kinds.name,
        signing_key_contradictions,
    ),
    (TokensSettings, "clients"): (
        TokenClientSettings,
        kinds.name,
        token_client_contradictions,
    ),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one setting; `code` is `unknown`, `value` or `missing`."""

    code: str
    setting: str
    message: str
    hint: str


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
            return [_bad_value(_NAME, raw, "a dict of sections")]
        unknown = _unknown_keys(raw, SECTIONS, _NAME)
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
            section, faults = _parse_section(SECTIONS[name], values, path)
            if isinstance(section, LoginSettings):
                faults += _told(login_contradictions(section), path)
            if isinstance(section, TokensSettings):
                faults += _told(tokens_contradictions(section), path)
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


def _parse_section(section: Any, raw: object, path: str) -> tuple[Any, list[Fault]]:
    """Read one section; without faults the first item is its dataclass."""
    if not isinstance(raw, Mapping):
        return None, [_bad_value(path, raw, "a dict")]
    fields = {field.name.upper(): field for field in dataclasses.fields(section)}
    faults = _unknown_keys(raw, fields, path)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in raw:
            values[field.name], found = _parse_value(
                section, field, raw[key], f"{path}[{key!r}]"
            )
            faults += found
    return (None if faults else section(**values)), faults


def _parse_value(
    section: type, field: dataclasses.Field[Any], raw: object, path: str
) -> tuple[Any, list[Fault]]:
    try:
        value = field.metadata["kind"](raw)
    except ValueError as error:
        shown = _HIDDEN if field.metadata["secret"] else raw
        return None, [_bad_value(path, shown, str(error))]
    if (section, field.name) in _NESTED:
        return _parse_entries(value, *_NESTED[section, field.name], path)
    return value, []


def _parse_entries(
    raw: Mapping[Any, Any], section: Any, kind: kinds.Kind, judge: _Judge, path: str
) -> tuple[Any, list[Fault]]:
    """Read a dict of sections of one kind."""
    entries: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, values in raw.items():
        try:
            kind(name)
        except ValueError as error:
            faults.append(_bad_value(path, name, f"a dict whose keys are {error}"))
            continue
        where = f"{path}[{name!r}]"
        entries[name], found = _parse_section(section, values, where)
        faults += found or _told(judge(name, entries[name]), where)
    return MappingProxyType(entries), faults


def _told(found: Iterable[tuple[str, str, str]], path: str) -> list[Fault]:
    """Tell of what would otherwise come out at the first use."""
    faults = []
    for key, wrong, remedy in found:
        code = "missing" if wrong == "is missing" else "value"
        where = f"{path}[{key!r}]"
        faults.append(Fault(code, where, f"{where} {wrong}.", remedy))
    return faults


def _unknown_keys(
    raw: Mapping[Any, Any], known: Iterable[str], path: str
) -> list[Fault]:
    names = list(known)
    faults = []
    for key in raw:
        if key not in names:
            close = difflib.get_close_matches(str(key).upper(), names, n=1)
            hint = (
                f"Did you mean {close[0]!r}?"
                if close
                else f"Known: {', '.join(names)}."
            )
            message = f"{path} has the unknown key {key!r}."
            faults.append(Fault("unknown", f"{path}[{key!r}]", message, hint))
    return faults


def _bad_value(path: str, raw: object, remedy: str) -> Fault:
    message = f"{path} is {_SHOWN.repr(raw)}."
    return Fault("value", path, message, f"It must be {remedy}.")
