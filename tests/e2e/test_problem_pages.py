"""The pages about problem types, in a real browser, from the real ledger."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.guardian import Guardian
from drf_apikit.testing import assert_problem
from tests.e2e.browser import Browser
from tests.e2e.contrast import luminance

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
LOOK_SECONDS = 0.05
SLUG = "insufficient-funds"
WHAT = "The source account holds less than the transfer needs."


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The ledger under gunicorn, on an empty SQLite file; gives its origin."""
    folder = tmp_path_factory.mktemp("ledger")
    with Guardian(stop_signal="INT", grace=2) as guardian:
        serve(guardian, folder)
        deadline = time.monotonic() + SECONDS
        while not (origin := listening(folder / "log")) or not answers(origin):
            log = (folder / "log").read_text()
            assert guardian.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(LOOK_SECONDS)
        yield origin


@pytest.mark.compliance("RFC 9457", "3.1.1")
def test_from_the_list_to_a_type(browser: Browser, ledger: str) -> None:
    browser.open(f"{ledger}/problems/")
    assert browser.evaluate("document.title") == "Problem types"
    browser.click(f'a[href="{SLUG}"]')
    assert browser.evaluate("location.pathname") == f"/problems/{SLUG}"
    text = browser.text()
    assert browser.evaluate("document.querySelector('h1').innerText") == (
        "Insufficient funds"
    )
    for part in ("409", "What happened, and what to do", WHAT, "JSON Schema"):
        assert part in text
    example, schema = browser.evaluate(
        "[...document.querySelectorAll('pre')].map(e => e.innerText)"
    )
    assert json.loads(example)["type"] == f"/problems/{SLUG}"
    assert set(json.loads(example)) >= {"title", "status", "detail", "balance"}
    assert json.loads(schema)["properties"]["balance"]["type"] == "integer"
    browser.click("nav a")
    assert browser.evaluate("location.pathname") == "/problems/"
    assert browser.requested
    assert all(url.startswith(f"{ledger}/") for url in browser.requested)


def test_every_link_leads_to_a_page(browser: Browser, ledger: str) -> None:
    browser.open(f"{ledger}/problems/")
    links = browser.evaluate("[...document.links].map(e => e.href)")
    assert len(links) > 30
    for link in links:
        answer = requests.get(link, headers={"Accept": "text/html"}, timeout=SECONDS)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")


def test_in_german(browser: Browser, ledger: str) -> None:
    browser.speak("de-AT,en;q=0.3")
    browser.open(f"{ledger}/problems/not-found")
    assert browser.evaluate("document.documentElement.lang") == "de"
    assert browser.evaluate("document.querySelector('h1').innerText") == (
        "Nicht gefunden"
    )
    assert "What happened" not in browser.text()


def test_dark_and_light(browser: Browser, ledger: str, tmp_path: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        browser.open(f"{ledger}/problems/{SLUG}")
        style = "getComputedStyle(document.body)"
        colours = f"[{style}.backgroundColor, {style}.color]"
        brightness[scheme] = [luminance(c) for c in browser.evaluate(colours)]
        (tmp_path / f"{scheme}.png").write_bytes(browser.screenshot())
    for page, ink in brightness.values():
        lighter, darker = max(page, ink), min(page, ink)
        # WCAG 2.2, 1.4.6: enhanced contrast.
        assert (lighter + 0.05) / (darker + 0.05) >= 7
    assert brightness["dark"][0] < 0.1
    assert brightness["light"][0] > 0.9


def test_nothing_runs_and_nothing_is_loaded(browser: Browser, ledger: str) -> None:
    browser.open(f"{ledger}/problems/{SLUG}")
    assert browser.requested == [f"{ledger}/problems/{SLUG}"]
    assert browser.evaluate("document.scripts.length") == 0
    # It fits a telephone: nothing sticks out sideways.
    screen = {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    browser.send("Emulation.setDeviceMetricsOverride", **screen)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    browser.send("Emulation.clearDeviceMetricsOverride")


def test_failures_of_the_running_ledger(ledger: str) -> None:
    there = f"{ledger}/api/nowhere/"
    got = requests.get(there, timeout=SECONDS)
    document = assert_problem(got, 404, "not-found")
    assert requests.get(ledger + document["type"], timeout=SECONDS).ok
    headed = requests.head(there, timeout=SECONDS)
    assert headed.status_code == 404
    assert headed.content == b""
    assert headed.headers["Content-Type"] == "application/problem+json"
    assert headed.headers["Content-Length"] == str(len(got.content))
    wrong_host = requests.get(there, headers={"Host": "evil.invalid"}, timeout=SECONDS)
    assert_problem(wrong_host, 400, "bad-request")


def serve(guardian: Guardian, folder: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder}/ledger.sqlite3",
        "INSECURE_HTTP": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "example_project"), str(ROOT)]),
        "SECRET_KEY": "a key that only this test knows, long enough",
    }
    words = [sys.executable, "-m", "gunicorn", "ledger.wsgi", "--threads", "4"]
    # The system chooses the port; the log tells which.
    words += ["--bind", "127.0.0.1:0", "--no-control-socket"]
    with (folder / "log").open("wb") as log:
        guardian.start(words, env=environment, cwd=folder, log=log)


def listening(log: Path) -> str | None:
    found = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text())
    return found[1] if found else None


def answers(origin: str) -> bool:
    try:
        return requests.get(f"{origin}/problems/", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False
