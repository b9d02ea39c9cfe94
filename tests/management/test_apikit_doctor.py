import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_redis import get_redis_connection
from jsonschema import Draft202012Validator

from drf_apikit.doctor import caches
from drf_apikit.doctor.registry import PROBES
from drf_apikit.doctor.report import SCHEMA
from drf_apikit.doctor.running import GENERAL
from drf_apikit.models import IdempotencyRecord

PROJECT = Path(__file__).parents[2] / "example_project"


@pytest.fixture(autouse=True)
def _wired(settings: Any) -> None:
    settings.ROOT_URLCONF = "ledger.urls"
    settings.DEBUG = False
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}


def run(*arguments: str) -> tuple[str, str]:
    """Give what is written, and what the command fails with."""
    out = StringIO()
    failures: list[CommandError] = []
    with catching(failures):
        call_command("apikit_doctor", *arguments, stdout=out)
    assert [error.returncode for error in failures] in ([], [1])
    return out.getvalue(), "".join(map(str, failures))


@contextmanager
def catching(failures: list[CommandError]) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        failures.append(error)


def told(*arguments: str) -> tuple[dict[str, Any], str]:
    text, error = run("--json", *arguments)
    document = json.loads(text)
    Draft202012Validator(SCHEMA).validate(document)
    known = {name for probe in PROBES.values() for name in probe.findings}
    known |= {f"{name}.{end}" for name in PROBES for end in GENERAL}
    assert {one["id"] for one in document["findings"]} <= known
    assert (document["status"] == "risk") is bool(error)
    return document, error


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_cache")
def test_a_project_without_a_risk_passes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = connection.introspection.table_names()
    # To see a key expire takes its time, whatever the database is.
    monkeypatch.setattr(caches, "_LIFE", 0.5)
    skipped = [] if database == "sqlite" else ["caches"]
    skip = [f"--skip={name}" for name in skipped]
    document, error = told("--timeout", "60", *skip)
    assert error == ""
    probes = {one["probe"] for one in document["findings"]}
    assert probes == set(PROBES) - set(skipped)
    assert document["summary"]["risk"] == 0
    assert get_redis_connection("default").keys("*") == []
    assert connection.introspection.table_names() == before
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_a_risk_fails(settings: Any) -> None:
    settings.CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
    document, error = told("--only", "wiring")
    assert error == "1 risk found."
    (risk,) = [one for one in document["findings"] if one["status"] == "risk"]
    assert (risk["id"], risk["subject"]) == ("wiring.csrf", "project")
    assert "CSRF_FAILURE_VIEW" in risk["remedy"]
    settings.DEBUG = True
    assert told("--only", "wiring")[1] == "2 risks found."


@pytest.mark.django_db
def test_people_get_a_table(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    settings.DEBUG = True
    text, error = run("--only", "wiring", "--only", "databases")
    lines = text.splitlines()
    assert lines[0].split() == [
        "probe",
        "status",
        "what",
        "was",
        "seen,",
        "and",
        "the",
        "remedy",
    ]
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("wiring.debug") and " risk " in line for line in lines)
    assert "-> Set DEBUG = False" in text
    assert error == "1 risk found."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--only", "wiring.csrf"], ["wiring.csrf"]),
        (
            ["--only=wiring.csrf", "--only=wiring.debug"],
            ["wiring.debug", "wiring.csrf"],
        ),
        (["--only=wiring", "--skip=wiring.csrf", "--skip=wiring.types"], None),
        (["--only=issuers"], ["issuers.nothing"]),
    ],
    ids=str,
)
def test_what_is_looked_at_can_be_chosen(
    arguments: list[str], ids: list[str] | None
) -> None:
    found = [one["id"] for one in told(*arguments)[0]["findings"]]
    if ids is not None:
        assert found == ids
    else:
        assert not {"wiring.csrf", "wiring.types"} & set(found)
        assert {one.partition(".")[0] for one in found} == {"wiring"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "fortune"], "'fortune' is no probe and no finding: caches, "),
        (["--skip", "caches.fortune"], "'caches.fortune' is no probe"),
        (["--database", "nowhere"], "'nowhere' is no database. Name one of default."),
        (["--timeout", "0"], "--timeout and --large must be above 0."),
        (["--timeout", "nan"], "--timeout and --large must be above 0."),
        (["--timeout", "inf"], "--timeout and --large must be above 0."),
        (["--large", "0"], "--timeout and --large must be above 0."),
        (["--large", "x"], "invalid int value"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message.replace(".", r"\.")):
        call_command("apikit_doctor", *arguments)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments",
    [
        ["--only=wiring", "--skip=wiring"],
        ["--only=wiring.csrf", "--skip=wiring"],
        ["--only=wiring.csrf", "--skip=wiring.csrf"],
        [f"--skip={name}" for name in PROBES],
        ["--only=databases.strict"],
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=str)
def test_to_tell_nothing_is_no_success(arguments: list[str], form: list[str]) -> None:
    assert run(*arguments, *form) == ("", "--only and --skip leave no finding to tell.")


@pytest.mark.django_db
def test_databases_can_be_chosen() -> None:
    document, _ = told("--only=databases", "--database=default", "--database=default")
    assert {one["subject"] for one in document["findings"]} == {"default"}
    reached = [one for one in document["findings"] if one["id"].endswith("reachable")]
    assert len(reached) == 1


@pytest.mark.django_db
def test_large_tables_are_those_that_are_said_to_be() -> None:
    document, _ = told("--only=counts", "--large=7")
    assert "up to 7 rows" in document["findings"][0]["seen"]


@pytest.mark.django_db
def test_without_routes_there_are_no_lists(settings: Any) -> None:
    settings.ROOT_URLCONF = None
    document, _ = told("--only=counts")
    assert document["findings"][0]["seen"].startswith("0 lists")


@pytest.mark.django_db
def test_no_secret_is_told(settings: Any) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\ncanary-key\n-----END PRIVATE KEY-----"
    issuer = "https://127.0.0.1:1"
    settings.SECRET_KEY = "canary-of-the-project"
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://:canary-cache@127.0.0.1:1/0",
        }
    }
    settings.OIDC_RP_CLIENT_ID = "site"
    settings.OIDC_RP_CLIENT_SECRET = "canary-of-the-login"
    settings.OIDC_PROXY = {"https": "http://me:canary-of-oidc@127.0.0.1:1"}
    settings.DRF_APIKIT = {
        "IDEMPOTENCY": {
            "CACHE": "default",
            "ENCRYPTION_KEYS": ["canary" + "A" * 37 + "="],
        },
        "AUTHENTICATION": {
            "ISSUERS": {issuer: {"AUDIENCE": "a"}},
            "PROXIES": {"https": "http://me:canary-proxy@127.0.0.1:1"},
        },
        "LOGIN": {"ISSUER": issuer, "PRIVATE_KEY": pem},
        "CLIENTS": {
            "CREDENTIALS": {
                "books": {
                    "ISSUER": issuer,
                    "CLIENT_ID": "books",
                    "CLIENT_SECRET": "canary-of-books",
                },
                "signed": {
                    "ISSUER": issuer,
                    "CLIENT_ID": "signed",
                    "AUTH_METHOD": "private_key_jwt",
                    "PRIVATE_KEY": pem,
                },
            },
            "PROXIES": {"https": "http://me:canary-other@127.0.0.1:1"},
        },
    }
    document, error = told("--timeout=30")
    failed = {one["id"] for one in document["findings"] if one["status"] == "risk"}
    wanted = {"issuers.registration", "issuers.discovery", "caches.reachable"}
    assert wanted <= failed
    assert "canary" not in json.dumps(document) + error
    assert "canary" not in "".join(run("--timeout=30"))


def test_faulty_settings_are_findings_too(settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"ENCRYPTION_KEYS": ["canary"]}}
    document, _ = told("--skip=databases", "--skip=tables")
    failed = {one["id"] for one in document["findings"] if one["status"] == "risk"}
    assert failed >= {"wiring.settings", "caches.failed"}
    assert "canary" not in json.dumps(document)


def ended(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as a deploy does."""
    return subprocess.run(
        [sys.executable, "manage.py", "apikit_doctor", "--json", *arguments],
        cwd=PROJECT,
        env={**os.environ, "SECRET_KEY": "canary-of-the-environment", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_runs_as_a_command(tmp_path: Path) -> None:
    """A deploy that goes no further sees the status, and can read what it was."""
    run = ended(
        "--skip=issuers",
        DJANGO_SETTINGS_MODULE="ledger.settings",
        DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3",
        ALLOWED_HOSTS="api.example",
    )
    assert run.returncode == 1
    document = json.loads(run.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    failed = {one["id"] for one in document["findings"] if one["status"] == "risk"}
    assert {"tables.migrations", "tables.columns"} <= failed
    assert "risks found." in run.stderr
    assert "canary" not in run.stdout + run.stderr


def test_it_ends_whatever_hangs(tmp_path: Path) -> None:
    lines = [
        "from tests.settings import *",
        "CACHES = {'default': {'BACKEND': 'tests.doctor.bad_caches.Hanging'}}",
        "DRF_APIKIT = {'IDEMPOTENCY': {'CACHE': 'default'}}",
    ]
    (tmp_path / "hanging_settings.py").write_text("\n".join(lines), "utf-8")
    run = ended(
        *("--only=caches", "--timeout=1"),
        DJANGO_SETTINGS_MODULE="hanging_settings",
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(PROJECT.parent)]),
    )
    document = json.loads(run.stdout)
    told = {one["id"]: one["status"] for one in document["findings"]}
    assert told == {
        "caches.reachable": "ok",
        "caches.values": "ok",
        "caches.timeout": "risk",
    }
    assert run.returncode == 1
