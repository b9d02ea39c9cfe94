"""From the raw dict of a section to its dataclass, or to what is wrong with it."""

import dataclasses
import difflib
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_clients import client_contradictions
from drf_apikit._setting_issuers import contradictions
from drf_apikit._setting_login import login_contradictions
from drf_apikit._setting_sections import (
    AuthenticationSettings,
    ClientSettings,
    ClientsSettings,
    IssuerSettings,
    LoginSettings,
    SigningKeySettings,
    TokenClientSettings,
    TokensSettings,
)
from drf_apikit._setting_tokens import (
    signing_key_contradictions,
    token_client_contradictions,
    tokens_contradictions,
)

__all__ = ["Fault", "bad_value", "parse_section", "unknown_keys"]

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

#: Sections whose settings have to go together.
_JUDGES: Mapping[type, Callable[[Any], Iterable[tuple[str, str, str]]]] = {
    LoginSettings: login_contradictions,
    TokensSettings: tokens_contradictions,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one setting; `code` is `unknown`, `value` or `missing`."""

    code: str
    setting: str
    message: str
    hint: str


def parse_section(section: Any, raw: object, path: str) -> tuple[Any, list[Fault]]:
    """Read one section; without faults the first item is its dataclass."""
    if not isinstance(raw, Mapping):
        return None, [bad_value(path, raw, "a dict")]
    fields = {field.name.upper(): field for field in dataclasses.fields(section)}
    faults = unknown_keys(raw, fields, path)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in raw:
            values[field.name], found = _parse_value(
                section, field, raw[key], f"{path}[{key!r}]"
            )
            faults += found
    parsed = None if faults else section(**values)
    if parsed is not None and section in _JUDGES:
        faults += _told(_JUDGES[section](parsed), path)
    return parsed, faults


def _parse_value(
    section: type, field: dataclasses.Field[Any], raw: object, path: str
) -> tuple[Any, list[Fault]]:
    try:
        value = field.metadata["kind"](raw)
    except ValueError as error:
        shown = _HIDDEN if field.metadata["secret"] else raw
        return None, [bad_value(path, shown, str(error))]
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
            faults.append(bad_value(path, name, f"a dict whose keys are {error}"))
            continue
        where = f"{path}[{name!r}]"
        entries[name], found = parse_section(section, values, where)
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


def unknown_keys(
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


def bad_value(path: str, raw: object, remedy: str) -> Fault:
    message = f"{path} is {_SHOWN.repr(raw)}."
    return Fault("value", path, message, f"It must be {remedy}.")
