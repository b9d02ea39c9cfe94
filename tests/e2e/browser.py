"""Chromium without a window, over the DevTools protocol on a pair of pipes.

No driver and no package: messages are JSON texts that end with a NUL, on the
descriptors 3 and 4 of the browser, which ends when the pipes do.
"""

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["Browser", "executable"]

SECONDS: Final = 30.0
OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--window-size=900,1100",
    "--remote-debugging-pipe",
)
#: The shell moves the two descriptors to where Chromium looks for them.
SHELL: Final = 'exec "$@" 3</proc/self/fd/{} 4>/proc/self/fd/{}'


def executable() -> str | None:
    """Give the path of Chromium, None when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page; a context manager. `requested` has the URLs that it asked for."""

    def __init__(self, program: str, folder: Path) -> None:
        self.requested: list[str] = []
        self._events: list[Any] = []
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: str | None = None
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            [
                *("sh", "-c", SHELL.format(theirs_in, theirs_out), "chromium"),
                *(program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs_in, theirs_out),
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)

    def __enter__(self) -> Self:
        try:
            made = self.send("Target.createTarget", url="about:blank")
            attached = self.send(
                "Target.attachToTarget", targetId=made["targetId"], flatten=True
            )
            self._session = attached["sessionId"]
            self.send("Page.enable")
            self.send("Network.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and all of its helpers."""
        os.close(self._out)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(SECONDS)
        os.close(self._in)

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self._events.clear()
        self.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def click(self, selector: str) -> None:
        """Click on a link with the mouse, and wait for the page behind it."""
        self._events.clear()
        self.press(selector)
        self.wait_for("Page.loadEventFired")

    def press(self, selector: str, times: int = 1) -> None:
        """Click with the mouse, as fast as can be, and wait for nothing."""
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView(); const r = e.getBoundingClientRect();"
            " return {x: r.x + r.width / 2, y: r.y + r.height / 2} })()"
        )
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                button = {"button": "left", "clickCount": count}
                self.send("Input.dispatchMouseEvent", type=kind, **place, **button)

    def fill(self, selector: str, text: str) -> None:
        """Type into a field in place of what is there."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.send("Input.insertText", text=text)

    def until(self, expression: str) -> None:
        """Return when an expression in the page, or in the next one, is true."""
        look = f"() => ({expression}) ? done() : setTimeout(look, 20)"
        promise = f"new Promise(done => {{ const look = {look}; look() }})"
        asked = {"expression": promise, "awaitPromise": True}
        # The promise of a page goes with the page.
        while "result" not in self._answer("Runtime.evaluate", asked):
            pass

    @contextmanager
    def window(self, origin: str) -> Iterator[Self]:
        """Work in the window that the page has opened, once it is at an origin."""
        own, self._session = self._session, None
        try:
            target = self._target(origin)
            made = self.send("Target.attachToTarget", targetId=target, flatten=True)
            self._session = made["sessionId"]
            self.send("Page.enable")
            self.until("document.readyState === 'complete'")
            yield self
        finally:
            self._session = own

    def _target(self, origin: str) -> str:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for found in self.send("Target.getTargets")["targetInfos"]:
                if found["type"] == "page" and found["url"].startswith(f"{origin}/"):
                    return str(found["targetId"])
        raise TimeoutError(f"no window is at {origin}")

    def evaluate(self, expression: str) -> Any:
        """Give the value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self) -> str:
        """Give what a person reads."""
        return str(self.evaluate("document.body.innerText"))

    def speak(self, language: str) -> None:
        """Ask for a language, as the settings of a browser do."""
        headers = {"Accept-Language": language}
        self.send("Network.setExtraHTTPHeaders", headers=headers)

    def prefer(self, scheme: str) -> None:
        """Choose `dark` or `light`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self) -> bytes:
        """Give the page as a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])

    def send(self, method: str, **parameters: Any) -> Any:
        """Send a command; give its result."""
        answer = self._answer(method, parameters)
        assert "result" in answer, answer
        return answer["result"]

    def _answer(self, method: str, parameters: Mapping[str, Any]) -> Any:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while (message := self._read()).get("id") != number:
            self._notice(message)
        return message

    def wait_for(self, event: str) -> None:
        """Return when an event has come."""
        while not any(each["method"] == event for each in self._events):
            self._notice(self._read())

    def _notice(self, message: Mapping[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        if "method" in message:
            self._events.append(message)

    def _read(self) -> Any:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._unread:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._in], [], [], max(left, 0))
            if not ready:
                raise TimeoutError("Chromium says nothing")
            piece = os.read(self._in, 65536)
            if not piece:
                raise EOFError("Chromium has ended")
            self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)
