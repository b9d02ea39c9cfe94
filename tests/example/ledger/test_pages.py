"""What surrounds the API: schema, documentation, admin site, pulse, static files."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connections
from django.test import Client

from ledger.models import Account, Transfer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ledger.urls")]


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        pytest.param("/api/schema/?format=json", "openapi+json", id="schema"),
        pytest.param("/api/docs/", "text/html", id="documentation"),
        pytest.param("/api/", "application/json", id="root"),
        pytest.param("/healthz", "application/json", id="pulse"),
        pytest.param("/admin/login/", "text/html", id="admin"),
    ],
)
@pytest.mark.parametrize("token", ["", "Bearer wrong"], ids=["nobody", "wrong-token"])
def test_open_pages_are_open(
    client: Client, path: str, media_type: str, token: str
) -> None:
    response = client.get(path, headers={"Authorization": token} if token else {})
    assert response.status_code == 200
    assert media_type in response["Content-Type"]


def test_the_documentation_needs_no_other_host(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/swagger-ui-dist/" in page
    assert "https://" not in page
    assert "//cdn" not in page


def test_a_code_for_swagger_ui_is_handed_over_and_told_nobody(client: Client) -> None:
    page = client.get("/api/docs/oauth2-redirect.html?code=x&state=y")
    script = "/static/drf_spectacular_sidecar/swagger-ui-dist/oauth2-redirect.js"
    assert f'<script src="{script}">' in page.content.decode()
    # Otherwise the window could not reach the one that has opened it.
    assert page["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert page["Referrer-Policy"] == "no-referrer"


def test_the_schema_names_every_operation(client: Client) -> None:
    paths = client.get("/api/schema/?format=json").json()["paths"]
    operations = {(path, method) for path in paths for method in paths[path]}
    assert operations == {
        ("/api/accounts/", "get"),
        ("/api/accounts/{id}/", "get"),
        ("/api/accounts/{id}/", "put"),
        ("/api/accounts/{id}/", "patch"),
        ("/api/accounts/{id}/", "delete"),
        ("/api/transfers/", "get"),
        ("/api/transfers/", "post"),
        ("/api/transfers/{id}/", "get"),
        ("/api/transfers/{id}/refund/", "post"),
    }
    names = {each["name"] for each in paths["/api/transfers/"]["get"]["parameters"]}
    assert names >= {
        "account",
        "amount_max",
        "amount_min",
        "created_after",
        "created_before",
        "cursor",
        "ordering",
        "page_size",
        "search",
        "status",
    }


def test_the_schema_is_made_without_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")
    assert capsys.readouterr().out.startswith("openapi:")


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "ledger", "--check", "--dry-run", verbosity=0)


def test_a_dead_database_shows_in_the_pulse(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise OperationalError("gone, and the password was in the message")

    monkeypatch.setattr(connections["default"], "cursor", fail)
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})


@pytest.mark.parametrize("model", [Account, Transfer])
def test_the_admin_site_shows_the_books_and_changes_nothing(
    client: Client, paid: Transfer, model: type[Account | Transfer]
) -> None:
    client.force_login(User.objects.create_superuser("root"))
    base = f"/admin/ledger/{model._meta.model_name}/"
    row = paid if model is Transfer else paid.source
    assert client.get(base).status_code == 200
    assert client.get(f"{base}?q=x&status=frozen").status_code == 200
    assert client.get(f"{base}{row.pk}/change/").status_code == 200
    assert client.post(f"{base}{row.pk}/change/", {"balance": 1}).status_code == 403
    assert client.get(f"{base}add/").status_code == 403
    assert client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
