"""What the admin shows of sessions, and how it ends them."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_session
from tests.tokens.sessions.families import begin, came_to, listening, made, stored

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
ALL = ["view", "add", "change", "delete", "end"]


@pytest.fixture
def staff() -> Callable[..., Client]:
    """Give a client of somebody with permissions for sessions."""

    def login(*names: str) -> Client:
        user = User.objects.create_user("sue", is_staff=True)
        codes = [f"{name}_tokensession" for name in names]
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        assert user.user_permissions.count() == len(names)
        client = Client()
        client.force_login(user)
        return client

    return login


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:drf_apikit_tokens_tokensession_{name}", args=arguments)


def end(client: Client, *keys: uuid.UUID) -> str:
    """Choose the action; give what the admin is told then."""
    chosen = {"action": "end", "_selected_action": [str(key) for key in keys]}
    response = client.post(page("changelist"), chosen, follow=True)
    return " ".join(str(message) for message in response.context["messages"])


@pytest.mark.usefixtures("database")
def test_sessions_are_found_by_their_user(staff: Callable[..., Client]) -> None:
    client = staff("view")
    session, _ = begin(user_agent="curl/8")
    begin(made("bob"), user_agent="wget/2")
    ended, _ = begin(session.user)
    end_session(ended.pk, Ending.LOGOUT)
    text = client.get(page("changelist"), {"q": "ada"}).content.decode()
    assert "curl/8" in text
    assert "wget/2" not in text
    assert text.count('alt="True"') == text.count('alt="False"') == 1
    assert "logout" in text


def test_no_digest_is_shown(staff: Callable[..., Client]) -> None:
    session, _ = begin()
    text = staff("view").get(page("change", session.pk)).content.decode()
    assert str(session.pk) in text
    assert session.token_digest not in text
    assert session.auth_hash not in text


def test_sessions_cannot_be_added_or_changed(staff: Callable[..., Client]) -> None:
    session, _ = begin()
    client = staff(*ALL)
    assert client.post(page("add"), {"client_id": "x"}).status_code == 403
    changed = client.post(page("change", session.pk), {"client_id": "x"})
    assert changed.status_code == 403
    assert stored(session).client_id == "first-party"


def test_sessions_cannot_be_deleted(staff: Callable[..., Client]) -> None:
    """A row keeps the token that it was exchanged for from beginning another one."""
    session, _ = begin()
    client = staff(*ALL)
    shown = client.get(page("change", session.pk)).content.decode()
    listed = client.get(page("changelist")).content.decode()
    assert page("delete", session.pk) not in shown
    assert "delete_selected" not in listed
    assert client.get(page("delete", session.pk)).status_code == 403
    assert client.post(page("delete", session.pk), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(session.pk)]}
    client.post(page("changelist"), {**chosen, "post": "yes"})
    assert TokenSession.objects.get() == session


@committed
@pytest.mark.usefixtures("everywhere")
def test_sessions_are_ended(staff: Callable[..., Client]) -> None:
    client = staff("view", "end")
    session, text = begin()
    other, good = begin(session.user)
    over, _ = begin(session.user)
    end_session(over.pk, Ending.LOGOUT)
    with listening() as heard:
        told = end(client, session.pk, over.pk)
    assert told == "Sessions that were ended: 1."
    assert heard == [("ended", session.pk, "revoked")]
    assert [came_to(text), came_to(good)] == ["ended", "rotated"]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.action_flag) == (str(session.pk), CHANGE)
    assert (entry.user.username, entry.get_change_message()) == ("sue", "Ended.")
    assert end(client, session.pk) == "Sessions that were ended: 0."
    assert LogEntry.objects.count() == 1, other


def test_it_takes_a_permission_to_end_one(staff: Callable[..., Client]) -> None:
    session, text = begin()
    end(staff("view", "add", "change", "delete"), session.pk)
    assert came_to(text) == "rotated"


def test_a_user_can_be_deleted_with_sessions(staff: Callable[..., Client]) -> None:
    session, _ = begin()
    client = staff("delete")
    sue = User.objects.get(username="sue")
    sue.user_permissions.add(Permission.objects.get(codename="delete_user"))
    url = reverse("admin:auth_user_delete", args=[session.user.pk])
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert not TokenSession.objects.exists()
