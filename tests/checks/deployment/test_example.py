"""`check --deploy` of the example as it is deployed, in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

EXAMPLE: Final = Path(__file__).resolve().parents[3] / "example_project"
#: Nobody is asked: no check calls out.
PRODUCTION: Final = {
    "ALLOWED_HOSTS": "ledger.example",
    "BEHIND_PROXY": "1",
    "OIDC_AUDIENCE": "https://ledger.example/api",
    "OIDC_ISSUER": "https://id.example",
    "OIDC_RP_CLIENT_ID": "ledger",
    "OIDC_RP_CLIENT_SECRET": "of a client that no provider knows",
    "REDIS_URL": "redis://cache.example:6379/0",
    "SECRET_KEY": "6x-Vq0fE3c_only-this-test-has-it_9sLw2TzKpNy7RmBdGhJ4",
    "SWAGGER_AUTHORIZE_URL": "https://id.example/authorize",
    "SWAGGER_CLIENT_ID": "swagger",
    "SWAGGER_TOKEN_URL": "https://id.example/token",
    "TOKENS_AUDIENCE": "https://ledger.example/api",
    "TOKENS_ISSUER": "https://ledger.example",
}
#: What the test run itself sets.
OTHERS: Final = ("DATABASE_URL", "DEBUG", "DJANGO_", "INSECURE_HTTP", "SERVE_STATIC")


def findings(folder: Path, **values: str) -> tuple[set[str], str]:
    """Give the ids of ours, and all that was said."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(OTHERS)
    }
    database = {"DATABASE_URL": f"sqlite:///{folder}/ledger.sqlite3"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=EXAMPLE,
        env=inherited | PRODUCTION | database | values,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    said = done.stdout + done.stderr
    # It came to its end, and failed only if something was found.
    assert "System check identified" in said
    return set(re.findall(r"drf_apikit\.([EW]\d{3})", said)), said


def test_the_example_as_deployed_is_not_told_of(tmp_path: Path) -> None:
    found, said = findings(tmp_path)
    assert found == set(), said
    assert "System check identified no issues" in said


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"REDIS_URL": ""}, {"W018", "W050"}),
        ({"TOKENS_ISSUER": "http://ledger.example"}, {"E035"}),
    ],
    ids=["memory of each process", "plain HTTP"],
)
def test_the_same_checks_find_what_is_wrong(
    tmp_path: Path, values: dict[str, str], expected: set[str]
) -> None:
    assert findings(tmp_path, **values)[0] == expected
