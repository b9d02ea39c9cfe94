"""The README's own-project example, typed in as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
README: Final = (ROOT / "README.md").read_text("utf-8")

#: What `startproject` gives a project before anything is added to it.
SETTINGS: Final = """
SECRET_KEY = "made up for this test"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "notes.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "notes"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""

URLS: Final = """
from rest_framework.routers import DefaultRouter

from .views import NoteViewSet

router = DefaultRouter()
router.register("notes", NoteViewSet)
urlpatterns = router.urls
"""

#: Every promise of the paragraph below the README's example, one after another.
TEST: Final = """
import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem, walk_pages
from notes.models import Note


@pytest.fixture
def client(oidc_issuer):
    client = APIClient()
    scope = "notes:read notes:write"
    token = oidc_issuer.signed_token("robot", client_id="robot", scope=scope)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.django_db
def test_pages_lose_no_row(client):
    Note.objects.bulk_create(Note(text=str(n)) for n in range(25))
    pages = walk_pages(client, "/notes/?page_size=10")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({row["id"] for page in pages for row in page}) == 25


@pytest.mark.django_db
def test_reads_answer_304(client):
    for url in (f"/notes/{Note.objects.create(text='x').pk}/", "/notes/"):
        tag = client.get(url)["ETag"]
        assert client.get(url, HTTP_IF_NONE_MATCH=tag).status_code == 304


@pytest.mark.django_db
def test_the_second_writer_with_one_tag_is_refused(client):
    url = f"/notes/{Note.objects.create(text='x').pk}/"
    tag = client.get(url)["ETag"]
    assert client.patch(url, {"text": "a"}, HTTP_IF_MATCH=tag).status_code == 200
    late = client.patch(url, {"text": "b"}, HTTP_IF_MATCH=tag)
    assert_problem(late, 412, "precondition-failed")


@pytest.mark.django_db
def test_a_repeated_post_creates_one_note(client):
    key = {"HTTP_IDEMPOTENCY_KEY": "7f2c"}
    first = client.post("/notes/", {"text": "x"}, **key)
    second = client.post("/notes/", {"text": "x"}, **key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert Note.objects.count() == 1


@pytest.mark.django_db
def test_a_token_for_another_api_is_refused(client, oidc_issuer):
    token = oidc_issuer.signed_token(aud="https://other.example")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_problem(client.get("/notes/"), 401, "invalid-token")


@pytest.mark.django_db
def test_refusals_are_problem_documents(client):
    assert_problem(client.get("/notes/1/"), 404, "not-found")
    assert_problem(client.post("/notes/", {}), 400, "idempotency-key-missing")
    assert_problem(client.get("/notes/?cursor=x"), 400, "invalid-cursor")
"""


def block(name: str) -> str:
    found = re.search(rf"<!-- test: {name} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has no block {name!r}"
    return found[1]


def test_the_example_keeps_every_promise(tmp_path: Path) -> None:
    files = {
        "project_settings.py": SETTINGS + block("settings"),
        "notes/__init__.py": "",
        "notes/models.py": block("models"),
        "notes/views.py": block("views"),
        "notes/urls.py": URLS,
        "test_notes.py": TEST,
        "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = project_settings\n"
        "pythonpath = .\nfilterwarnings = error\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    clean = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS"}
    env = {name: value for name, value in os.environ.items() if name not in clean}
    done = ran(tmp_path, env, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "6 passed" in done
    # No error, which would keep `migrate` from running.
    env["DJANGO_SETTINGS_MODULE"] = "project_settings"
    ran(tmp_path, env, "-m", "django", "migrate", "--pythonpath=.", "-v0")


def ran(where: Path, env: dict[str, str], *arguments: str) -> str:
    """Run Python in a project, without an error; give what it says."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=where,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ("example", "python example_project/manage.py demo"),
        ("test", "python -m pytest"),
    ],
    ids=["demo", "test"],
)
def test_the_two_commands_stand_alone_on_a_line(extra: str, command: str) -> None:
    """`.ci/run` takes them from there."""
    install = f'python -m pip install -e ".[{extra}]"'
    assert f"{install} && {command}" in README.splitlines()


def test_links_lead_to_files() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []
