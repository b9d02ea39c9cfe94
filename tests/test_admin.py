from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drf_apikit.models import ExternalIdentity, IdempotencyRecord

pytestmark = pytest.mark.django_db
SECRET = "stored-secret"


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def record() -> IdempotencyRecord:
    now = timezone.now()
    return IdempotencyRecord.objects.create(
        scope="a" * 64,
        principal="d" * 64,
        fingerprint="b" * 64,
        format_version=1,
        method="POST",
        route="transfers/",
        status_code=201,
        has_body=True,
        codec=0,
        answer=SECRET.encode(),
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


def page(model: str, name: str, *arguments: Any) -> str:
    return reverse(f"admin:drf_apikit_{model}_{name}", args=arguments)


def test_records_can_be_found_and_read(root: Client, record: IdempotencyRecord) -> None:
    found = root.get(page("idempotencyrecord", "changelist"), {"q": record.scope})
    shown = root.get(page("idempotencyrecord", "change", record.pk))
    for response in (found, shown):
        assert response.status_code == 200
        assert record.scope in response.content.decode()
        assert SECRET not in response.content.decode()
    assert record.fingerprint in shown.content.decode()


def test_records_cannot_be_added_changed_or_deleted(
    root: Client, record: IdempotencyRecord
) -> None:
    listed = page("idempotencyrecord", "changelist")
    delete = {"action": "delete_selected", "_selected_action": [record.pk]}
    for url, data in (
        (page("idempotencyrecord", "add"), {"scope": "c"}),
        (page("idempotencyrecord", "change", record.pk), {"route": "other/"}),
        (page("idempotencyrecord", "delete", record.pk), {"post": "yes"}),
    ):
        assert root.post(url, data).status_code == 403
    root.post(listed, delete)
    stored = IdempotencyRecord.objects.get()
    assert (stored.pk, stored.route) == (record.pk, "transfers/")


def test_identities_can_be_edited(root: Client) -> None:
    user = User.objects.create(username="ada")
    data = {"issuer": "https://a.test", "subject": "s-1", "user": user.pk}
    added = root.post(page("externalidentity", "add"), data)
    assert added.status_code == 302
    identity = ExternalIdentity.objects.get(user=user)
    listed = root.get(page("externalidentity", "changelist"), {"q": "s-1"})
    assert "https://a.test" in listed.content.decode()
    url = page("externalidentity", "change", identity.pk)
    assert root.post(url, {**data, "subject": "s-2"}).status_code == 302
    identity.refresh_from_db()
    assert identity.subject == "s-2"
