"""The tutorial about tokens, done as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from django.core.management import call_command

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs/tutorial/protect-it-with-tokens.md"
BLOCK: Final = re.compile(r"<!-- test: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


#: What the page shows with curl.
UNASKED: Final = """
from rest_framework.test import APIClient


def test_without_a_token_the_challenge_has_no_error():
    answer = APIClient().get("/entries/")
    assert answer.status_code == 401
    assert f"WWW-Authenticate: {answer['WWW-Authenticate']}\\n" in PAGE
"""


def test_whoever_follows_the_tutorial_gets_there(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    blocks = dict(BLOCK.findall(page))
    blocks["test_unasked.py"] = f"PAGE = {page!r}\n{UNASKED}"
    settings, scopes = blocks.pop("settings"), blocks.pop("scopes")
    call_command("startproject", "diary", str(tmp_path))
    with (tmp_path / "diary/settings.py").open("a", encoding="utf-8") as file:
        file.write(settings)
    for name, text in blocks.items():
        (tmp_path / name).write_text(text, "utf-8")
    views = tmp_path / "diary/views.py"
    views.write_text(blocks["diary/views.py"] + "\n" + scopes, "utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nDJANGO_SETTINGS_MODULE = diary.settings\nfilterwarnings = error\n"
        "pythonpath = .\n",
        "utf-8",
    )
    clean = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("-o", "log_level=INFO", "-rP"),
        ],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in clean},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout
    for reason in ("audience", "issuer", "expired", "type", "claim_missing"):
        assert f": {reason} (" in done.stdout
