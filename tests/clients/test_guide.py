"""The guide to calls of other services, followed to the letter."""

import contextlib
import io
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import jwt
import pytest
import requests

from drf_apikit.clients import ClientCredentials, TokenUnavailableError
from drf_apikit.clients.tokens import find_client
from drf_apikit.jose import parse_key_set
from tests.clients.conftest import World
from tests.clients.servers import Api, Endpoint, as_json
from tests.clients.test_tokens import a_key

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/how-to/call-other-services.md").read_text("utf-8")
BLOCK: Final = re.compile(r"<!-- test: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
BLOCKS: Final = {found[1]: found[2] for found in BLOCK.finditer(PAGE)}
COMMAND: Final = re.compile(r"^\$ (openssl .*)$", re.MULTILINE)
TRIAL: Final = re.compile(r"^\$ python manage\.py (shell .*)$", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with the key of the guide."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(COMMAND.findall(PAGE)[0])
    if shutil.which(words[0]):
        subprocess.run(words, check=True, capture_output=True)
    else:
        Path(words[-1]).write_text(a_key()[0])
    return tmp_path


@pytest.fixture
def here(
    folder: Path, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Give a block of the page, with the hosts of this test for those of the page."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("BILLING_SECRET", "s3cret")

    def text(name: str) -> str:
        hosts = {"https://billing.example": api.url, "https://id.example": endpoint.url}
        block = BLOCKS[name]
        for host, url in hosts.items():
            block = block.replace(host, url)
        return block.replace(
            '"CLIENT_ID"', '"INSECURE_LOOPBACK_HTTP": True, "CLIENT_ID"'
        )

    return text


@pytest.fixture
def configured(
    here: Callable[[str], str], world: World, settings: Any
) -> Iterator[Callable[[str], None]]:
    def configure(name: str) -> None:
        settings.DRF_APIKIT = made(here(name))["DRF_APIKIT"]

    world.process()
    yield configure
    assert find_client("billing").token.settle(30)


def made(text: str) -> Mapping[str, Any]:
    Path("block.py").write_text(text, "utf-8")
    return runpy.run_path("block.py")


def test_every_block_is_tested() -> None:
    assert PAGE.count("```python\n") == len(BLOCKS)
    assert set(BLOCKS) == {
        *("settings", "requests", "httpx", "celery", "key", "public"),
    }


def test_with_requests(
    configured: Callable[[str], None], here: Callable[[str], str], api: Api
) -> None:
    configured("settings")
    api.then = lambda _: as_json({"id": 7})
    names = made(here("requests"))
    with names["BILLING"]:
        assert names["send_invoice"]({"amount": "1.00"}) == 7
    (asked,) = api.asked
    assert (asked.method, asked.path, asked.token) == ("POST", "/invoices", "token-1")


def test_with_others(
    configured: Callable[[str], None],
    here: Callable[[str], str],
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This httpx can do no more than what the page has of it."""
    configured("settings")
    httpx: Any = ModuleType("httpx")
    httpx.get = lambda url, headers: requests.get(url, headers=headers, timeout=30)
    monkeypatch.setitem(sys.modules, "httpx", httpx)
    api.then = lambda _: as_json([1, 2])
    assert made(here("httpx"))["open_invoices"]() == [1, 2]
    assert api.tokens == ["token-1"]
    assert ClientCredentials("billing").another_token("token-1") == "token-2"


def test_in_celery(
    configured: Callable[[str], None],
    here: Callable[[str], str],
    endpoint: Endpoint,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This Celery runs a task at once, and tells for what it would come again."""
    configured("settings")
    celery: Any = ModuleType("celery")
    celery.shared_task = lambda **options: lambda task: (task, options)
    monkeypatch.setitem(sys.modules, "celery", celery)
    package = folder / "shop_of_the_guide"
    package.mkdir()
    (package / "billing.py").write_text(here("requests"), "utf-8")
    (package / "tasks.py").write_text(here("celery"), "utf-8")
    tasks = runpy.run_module(f"{package.name}.tasks")
    bill, options = tasks["bill"]
    endpoint.fail()
    with pytest.raises(options["autoretry_for"]) as caught:
        bill({"amount": "1.00"})
    assert isinstance(caught.value, TokenUnavailableError)


def test_a_key(
    configured: Callable[[str], None], here: Callable[[str], str], endpoint: Endpoint
) -> None:
    configured("key")
    assert ClientCredentials("billing").access_token() == "token-1"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        made(here("public"))
    document = json.loads(printed.getvalue())
    (key,) = parse_key_set(document).keys
    assert "d" not in document["keys"][0]
    assertion = endpoint.asked[-1].form["client_assertion"]
    assert jwt.get_unverified_header(assertion)["kid"] == key.kid


def test_trying_it_says_nothing_where_all_is_well(
    here: Callable[[str], str], endpoint: Endpoint, folder: Path
) -> None:
    names = 'SECRET_KEY = "x"\nINSTALLED_APPS = ["django.contrib.contenttypes"]\n'
    (folder / "settings_of_the_guide.py").write_text(here("settings") + names, "utf-8")
    (words,) = TRIAL.findall(PAGE)
    command = [sys.executable, "-m", "django", *shlex.split(words)]
    found = subprocess.run(
        [*command, "--settings=settings_of_the_guide", f"--pythonpath={folder}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (found.stdout, found.stderr) == ("", "")
    assert endpoint.given == 1
