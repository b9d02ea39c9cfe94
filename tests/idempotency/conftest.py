import pytest

from tests.idempotency.calls import Call, caller, person
from tests.idempotency.views import Script


@pytest.fixture(autouse=True)
def script(monkeypatch: pytest.MonkeyPatch) -> type[Script]:
    """Let the test say what the views do; forget it afterwards."""
    monkeypatch.setattr(Script, "entered", [])
    monkeypatch.setattr(Script, "answer", staticmethod(Script.answer))
    monkeypatch.setattr(Script, "gate", staticmethod(Script.gate))
    return Script


@pytest.fixture
def post() -> Call:
    return caller(person("ada"))
