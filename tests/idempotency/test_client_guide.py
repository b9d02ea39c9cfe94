"""The client in the guide for those who call: it is run as it stands there."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest
import requests

GUIDE: Final = Path(__file__).resolve().parents[2] / "docs/how-to/retry-safely.md"
BLOCK: Final = re.compile(r"<!-- test: client -->\n```python\n(.*?)```", re.DOTALL)


def answer(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({n.replace("_", "-"): text for n, text in headers.items()})
    return response


class Play:
    """A server that gives these answers, or breaks the connection, in turn."""

    client: ClassVar[Any]

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.keys: list[str] = []
        self.pauses: list[float] = []

    def post(self, _url: str, *, headers: dict[str, str], **_: Any) -> Any:
        self.keys.append(headers["Idempotency-Key"])
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def run(self, **options: Any) -> Any:
        return self.client.post(
            "https://api.test/", {}, session=self, sleep=self.pauses.append, **options
        )


@pytest.fixture(autouse=True, scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = BLOCK.search(GUIDE.read_text())
    assert found is not None
    path = tmp_path_factory.mktemp("guide") / "client.py"
    path.write_text(found[1])
    spec = importlib.util.spec_from_file_location("client", path)
    assert spec is not None
    assert spec.loader is not None
    Play.client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(Play.client)
    # Chance is left out, so that pauses can be compared.
    Play.client.random = SimpleNamespace(uniform=lambda _low, _high: 1.0)


@pytest.mark.parametrize(
    "again",
    [
        requests.ConnectionError(),
        requests.Timeout(),
        requests.exceptions.ChunkedEncodingError(),
        answer(409, Retry_After="1"),
        answer(429, Retry_After="7"),
        answer(500),
        answer(503, Retry_After="3"),
        answer(503, Retry_After="Sun, 22 Nov 2026 12:00:00 GMT"),
    ],
    ids=lambda given: str(getattr(given, "status_code", type(given).__name__)),
)
def test_what_is_asked_again_with_the_same_key(again: Any) -> None:
    play = Play(again, again, answer(201))
    assert play.run().status_code == 201
    assert len(play.keys) == 3
    assert len(set(play.keys)) == 1
    after = str(getattr(again, "headers", {}).get("Retry-After", ""))
    assert play.pauses == ([int(after)] * 2 if after.isdecimal() else [1, 2])


@pytest.mark.parametrize("status", [200, 204, 302, 400, 402, 409, 422])
def test_what_is_an_answer(status: int) -> None:
    play = Play(answer(status))
    assert play.run(key="my-key").status_code == status
    assert (play.keys, play.pauses) == (["my-key"], [])


@pytest.mark.parametrize("status", [409, 429, 503])
def test_a_stored_answer_is_one_whatever_it_says(status: int) -> None:
    stored = answer(status, Retry_After="1", Idempotent_Replayed="true")
    play = Play(stored)
    assert play.run() is stored
    assert play.pauses == []


def test_there_is_an_end_and_the_key_is_told() -> None:
    play = Play(*[requests.ConnectionError()] * 3)
    with pytest.raises(TimeoutError, match="my-key"):
        play.run(key="my-key", tries=3)
    assert play.pauses == [1, 2, 4]
