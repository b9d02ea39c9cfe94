"""The command of the app, where it cannot do anything; the demo runs it whole."""

import pytest

from mobile.__main__ import NAMES, main

PLACE = {"LEDGER_USERNAME": "alice", "LEDGER_PASSWORD": "secret"}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({}, "Set LEDGER_URL, LEDGER_USERNAME", id="nothing"),
        pytest.param(PLACE, "Set LEDGER_URL", id="no-place"),
        pytest.param(PLACE | {"LEDGER_URL": "http://a.test"}, "no TLS", id="plain"),
        pytest.param(
            PLACE | {"LEDGER_URL": "http://127.0.0.1:1"}, "refused", id="down"
        ),
    ],
)
def test_it_says_what_is_missing(
    variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as raised:
        main()
    assert says in str(raised.value.code)
    assert "secret" not in str(raised.value.code)
