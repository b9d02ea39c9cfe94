"""The guide to changing keys, followed to the letter."""

import io
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import call_command

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.keyring import current_ring
from drf_apikit.tokens.models import SigningKeyRecord
from tests.clients.test_tokens import a_key
from tests.docs.pages import blocks_of, text_of

pytestmark = pytest.mark.django_db

PAGE: Final = "how-to/rotate-signing-keys.md"
BLOCKS: Final = blocks_of(PAGE)
SHELL: Final = re.findall(r"^\$ (.+)$", text_of(PAGE), re.MULTILINE)
MANAGE: Final = [
    shlex.split(line)[2:] for line in SHELL if line.startswith("python manage.py ")
]
COMMANDS: Final = [words for words in MANAGE if words[0] == "apikit_keys"]
CHECKS: Final = [words for words in MANAGE if words[0] == "check"]


@pytest.fixture
def section(settings: Any) -> dict[str, Any]:
    """Have a project that issues tokens, with keys that no other test has."""
    tokens = {"ISSUER": "https://shop.example", "AUDIENCE": "https://shop.example/api"}
    settings.DRF_APIKIT = {"TOKENS": {**tokens, "ALGORITHM": "ES256"}}
    found: dict[str, Any] = settings.DRF_APIKIT
    return found


def run(name: str, section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a block at the end of the settings of a project."""
    path = folder / "block.py"
    text = BLOCKS[name].replace("/run/secrets", str(folder))
    path.write_text(text, "utf-8")
    made: dict[str, Any] = runpy.run_path(str(path), {"DRF_APIKIT": section})
    found: dict[str, Any] = made["DRF_APIKIT"]
    return found


def listed(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_commands_do_what_the_page_says(section: dict[str, Any]) -> None:
    assert section
    first = current_ring().signing_key().kid
    assert [words[:2] for words in COMMANDS] == [
        ["apikit_keys", "rotate"],
        ["apikit_keys", "list"],
        ["apikit_keys", "rotate"],
        ["apikit_keys", "rotate"],
        ["apikit_keys", "retire"],
    ]
    due, shown, by_hand, at_once, retire = COMMANDS
    listed(*due)
    assert SigningKeyRecord.objects.count() == 1
    assert first in listed(*shown)
    listed(*by_hand)
    assert SigningKeyRecord.objects.count() == 2
    assert current_ring().signing_key().kid == first
    listed(*at_once)
    second = current_ring().signing_key().kid
    assert second != first
    listed(*[second if word == "KID" else word for word in retire])
    assert current_ring().signing_key().kid not in {first, second}
    states = {key.kid: key.state.value for key in current_ring().entries()}
    assert states[second] == "dead"


def test_the_algorithm_is_that_of_the_next_key(
    section: dict[str, Any], settings: Any
) -> None:
    first = current_ring().signing_key()
    changed = {**section["TOKENS"], "ALGORITHM": "EdDSA"}
    settings.DRF_APIKIT = {"TOKENS": changed}
    assert current_ring().signing_key().kid == first.kid
    listed("apikit_keys", "rotate", "--now")
    assert current_ring().signing_key().algorithm == "EdDSA"
    states = {key.algorithm: key.state.value for key in current_ring().entries()}
    assert states == {"ES256": "retired", "EdDSA": "active"}


def test_keys_that_encrypt(
    section: dict[str, Any], settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (command,) = [line for line in SHELL if line.startswith("python -c ")]
    words = [sys.executable, *shlex.split(command)[1:]]
    made = [subprocess.check_output(words, text=True) for _ in range(2)]
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", " ".join(made))
    settings.DRF_APIKIT = run("encryption", section, tmp_path)
    assert apikit_settings.faults() == []
    assert len(apikit_settings.tokens.encryption_keys) == 2
    assert current_ring().signing_key().sign({})
    assert "PRIVATE" not in str(SigningKeyRecord.objects.values().get())


def test_the_check_of_the_page_tells_of_keys_that_nobody_can_decrypt(
    section: dict[str, Any], settings: Any
) -> None:
    assert section
    assert current_ring().signing_key().sign({})
    (words,) = CHECKS
    said = "drf_apikit.E039"
    command: Any = words[0]
    out = io.StringIO()
    options: Any = {"stdout": out, "stderr": out, "fail_level": "CRITICAL"}
    call_command(command, *words[1:], **options)
    assert said not in out.getvalue()
    settings.SECRET_KEY = "a key that only this test has, of more than fifty octets"
    call_command(
        command, *[word for word in words[1:] if word == "--deploy"], **options
    )
    assert said not in out.getvalue()
    call_command(command, *words[1:], **options)
    assert said in out.getvalue()


def test_keys_in_files(section: dict[str, Any], settings: Any, tmp_path: Path) -> None:
    (command,) = [line for line in SHELL if line.startswith("openssl ")]
    words = shlex.split(command)
    if shutil.which(words[0]):
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    else:
        (tmp_path / words[-1]).write_text(a_key()[0])
    (tmp_path / "token-key-a.pem").write_text(a_key()[0])
    settings.DRF_APIKIT = run("files", section, tmp_path)
    later = settings.DRF_APIKIT["TOKENS"]["KEYS"]["key-b"]
    # The page's December is over one day.
    later["ACTIVE_FROM"] = later["ACTIVE_FROM"].replace("2026", "2999")
    assert apikit_settings.faults() == []
    assert current_ring().signing_key().kid == "key-a"
    assert {key.kid for key in current_ring().keys().keys} == {"key-a", "key-b"}
    assert not SigningKeyRecord.objects.exists()
