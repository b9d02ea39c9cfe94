import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from drf_apikit.tokens.keyring import current_ring, forget
from drf_apikit.tokens.keyring.material import new_private_key
from tests.databases import in_threads

pytestmark = pytest.mark.django_db
TOKENS = {
    "ISSUER": "https://shop.test",
    "AUDIENCE": "https://shop.test/api",
    "ALGORITHM": "EdDSA",
}
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(autouse=True)
def _issuer(settings: Any) -> Iterator[None]:
    settings.DRF_APIKIT = {"TOKENS": TOKENS}
    forget()
    yield
    forget()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("apikit_keys", *arguments, stdout=out)
    return out.getvalue()


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", "--format", "json"))
    return found


def test_it_lists_keys_with_their_states_and_ends() -> None:
    assert run("list").startswith("There are no keys")
    assert listed() == []
    first = current_ring().signing_key().kid
    run("rotate")
    active, coming = listed()
    assert (active["kid"], active["state"], active["algorithm"]) == (
        *(first, "active"),
        "EdDSA",
    )
    assert (coming["state"], coming["dead_from"]) == ("next", None)
    starts, ends = (
        datetime.fromisoformat(moment)
        for moment in (coming["active_from"], active["dead_from"])
    )
    # The longest access token, and a minute.
    assert ends - starts == timedelta(seconds=300 + 60)
    lines = run("list").splitlines()
    assert re.split(r"  +", lines[0]) == [
        *("kid", "algorithm", "state"),
        *("created", "active from", "dead from"),
    ]
    assert re.fullmatch(rf"{first}  EdDSA      active  ({STAMP}(  |$)){{3}}", lines[1])
    assert lines[2].endswith("  -")


def test_it_makes_the_next_key() -> None:
    first = current_ring().signing_key().kid
    told = run("rotate").splitlines()
    assert re.fullmatch(rf"k2-\S+ signs from {STAMP} on\.", told[0])
    assert re.fullmatch(rf"{first} is dead from {STAMP} on\.", told[1])
    assert run("rotate").startswith("Nothing to do")
    assert current_ring().signing_key().kid == first
    run("rotate", "--now")
    assert [key["state"] for key in listed()] == ["retired", "active"]


def test_it_does_only_what_is_due() -> None:
    assert "k1-" in run("rotate", "--if-due")
    for more in ([], ["--now"]):
        assert run("rotate", "--if-due", *more).startswith("Nothing to do")


def test_it_ends_a_key() -> None:
    first = current_ring().signing_key().kid
    told = run("retire", first)
    assert f"{first} is dead from" in told
    assert "k2-" in told
    assert [key["state"] for key in listed()] == ["dead", "active"]
    with pytest.raises(CommandError, match="dead already"):
        run("retire", first)
    with pytest.raises(CommandError, match="There is no key 'k7'"):
        run("retire", "k7")


def test_the_next_key_ends_with_the_one_that_signs() -> None:
    first = current_ring().signing_key().kid
    assert "beside" not in run("rotate")
    told = run("retire", first)
    assert "The next key ended too" in told
    assert told.count("is dead from") == 2
    assert [key["state"] for key in listed()] == ["dead", "dead", "active"]


def test_keys_of_the_settings_are_only_listed(settings: Any) -> None:
    keys = {
        "main": {"PRIVATE_KEY": new_private_key("ES256")},
        "lost": {"ENV": "NOT_THERE", "ACTIVE_FROM": "2100-01-01T00:00:00Z"},
    }
    settings.DRF_APIKIT = {"TOKENS": {**TOKENS, "KEYS": keys}}
    main, lost = listed()
    assert (main["algorithm"], main["created_at"]) == ("ES256", None)
    assert (main["active_from"], main["dead_from"]) == (None, "2100-01-01T00:06:00Z")
    assert (lost["state"], lost["algorithm"]) == ("next", "")
    for act in (["rotate"], ["retire", "main"]):
        with pytest.raises(CommandError, match="KEYS of the section TOKENS"):
            run(*act)


def test_a_database_that_is_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {**connections.settings["default"], "NAME": "/nowhere/at/all.sqlite3"}
    monkeypatch.setitem(connections.settings, "default", gone)

    def failed() -> str:
        with pytest.raises(CommandError) as raised:
            run("list")
        return str(raised.value)

    assert in_threads(failed)[0].startswith("the database cannot be asked")


@pytest.mark.parametrize("arguments", [[], ["keep"], ["retire"]])
def test_it_has_to_be_told_what_to_do(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_nothing_private_is_shown() -> None:
    current_ring().signing_key()
    told = run("list") + run("list", "--format", "json") + run("rotate")
    assert "PRIVATE" not in told
    assert "derived:" not in told
