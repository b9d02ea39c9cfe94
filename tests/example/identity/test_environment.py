import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from identity.environment import Environment
from tests.example.identity.running import run_command

FOLDER = Path("folder")


def test_defaults_are_for_this_machine() -> None:
    environment = Environment.read({}, FOLDER)
    assert environment.issuer == "http://localhost:8001"
    assert environment.resource == "http://127.0.0.1:8000"
    assert environment.database_url == "sqlite:///folder/identity.sqlite3"
    assert environment.signing_key_file == FOLDER / "identity_signing_key.pem"
    assert environment.secret_key is None
    assert environment.access_token_seconds == 3600
    assert environment.refusal is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("IDENTITY_ISSUER", "http://localhost:8001/", id="slash"),
        pytest.param("IDENTITY_ISSUER", "http://localhost:8001/path", id="path"),
        pytest.param("IDENTITY_ISSUER", "localhost:8001", id="no-scheme"),
        pytest.param("IDENTITY_ISSUER", "http://me@localhost", id="user"),
        pytest.param("IDENTITY_ISSUER", "http://localhost:99999", id="port"),
        pytest.param("IDENTITY_ISSUER", "http://[::1", id="ipv6"),
        pytest.param("IDENTITY_RESOURCE", "urn:example:ledger", id="urn"),
        pytest.param("IDENTITY_RESOURCE", "https://api.example#x", id="fragment"),
        pytest.param("IDENTITY_ACCESS_TOKEN_SECONDS", "0", id="zero"),
        pytest.param("IDENTITY_ACCESS_TOKEN_SECONDS", "soon", id="word"),
    ],
)
def test_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        Environment.read({name: value}, FOLDER)


@pytest.mark.parametrize(
    ("issuer", "allow", "serves"),
    [
        pytest.param("http://localhost:1", "", True, id="localhost"),
        pytest.param("http://127.1.2.3:1", "", True, id="loopback-v4"),
        pytest.param("http://[::1]:1", "", True, id="loopback-v6"),
        pytest.param("http://id.localhost", "", True, id="localhost-name"),
        pytest.param("https://id.example.com", "", False, id="public"),
        pytest.param("https://localhost.example.com", "", False, id="like-localhost"),
        pytest.param("http://10.0.0.1", "", False, id="private-network"),
        pytest.param("https://id.example.com", "yes", False, id="not-the-word"),
        pytest.param("http://identity:8001", "development", True, id="allowed"),
    ],
)
def test_only_development_is_served(issuer: str, allow: str, serves: bool) -> None:
    variables = {"IDENTITY_ISSUER": issuer, "IDENTITY_ALLOW": allow}
    refusal = Environment.read(variables, FOLDER).refusal
    assert (refusal is None) == serves
    assert serves or "IDENTITY_ALLOW=development" in (refusal or "")


def test_a_real_host_is_refused_by_check_and_by_server(tmp_path: Path) -> None:
    environment = {
        "IDENTITY_ISSUER": "https://id.example.com",
        "IDENTITY_SIGNING_KEY_FILE": str(tmp_path / "key.pem"),
        "IDENTITY_DATABASE_URL": f"sqlite:///{tmp_path}/identity.sqlite3",
    }
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_command(environment, "check")
    assert "identity.E001" in refused.value.stderr
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_command(
            environment, "shell", "--no-imports", "--command", "import identity.wsgi"
        )
    assert "for development only" in refused.value.stderr


def test_a_deployment_check_warns_and_migrations_are_complete(tmp_path: Path) -> None:
    environment = {
        "IDENTITY_SIGNING_KEY_FILE": str(tmp_path / "key.pem"),
        "IDENTITY_DATABASE_URL": f"sqlite:///{tmp_path}/identity.sqlite3",
    }
    with pytest.raises(subprocess.CalledProcessError) as warned:
        run_command(environment, "check", "--deploy", "--fail-level", "WARNING")
    assert "identity.W001" in warned.value.stderr
    run_command(environment, "makemigrations", "--check", "--dry-run")
