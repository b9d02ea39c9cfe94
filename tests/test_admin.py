"""What the admin shows and lets do; a release above all."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from drf_apikit import admin as module
from drf_apikit.idempotency import replay_cache
from drf_apikit.idempotency.answers import Answer
from drf_apikit.idempotency.claims import Claim, claimed
from drf_apikit.models import ExternalIdentity, IdempotencyRecord
from drf_apikit.signals import idempotency_released
from tests.counting import of_block, recorded
from tests.databases import in_threads
from tests.idempotency.records import new_record

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
SECRET: Final = "stored-secret"
RECORDS: Final = "idempotencyrecord"
DOWN: Final = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "redis://127.0.0.1:1",
}


@pytest.fixture
def root() -> Client:
    return logged_in(User.objects.create_superuser("root"))


@pytest.fixture
def record() -> IdempotencyRecord:
    return make("a" * 64)


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Give what listeners are told of releases."""
    told: list[Any] = []

    def listen(*, scope: str, reason: str, request: Any, **_: Any) -> None:
        told.append((scope, reason, request.user.username))

    idempotency_released.connect(listen)
    yield told
    idempotency_released.disconnect(listen)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make(scope: str, life: timedelta = timedelta(days=1)) -> IdempotencyRecord:
    made = new_record(scope, life, has_body=True, codec=0, answer=SECRET.encode())
    made.save()
    return made


def page(model: str, name: str, *arguments: Any) -> str:
    return reverse(f"admin:drf_apikit_{model}_{name}", args=arguments)


def release(client: Client, *scopes: str, **data: Any) -> Any:
    """Send the form of the page that asks, or with `index` that of the list."""
    chosen = {"action": "release", "_selected_action": scopes, **data}
    return client.post(page(RECORDS, "changelist"), chosen, follow=True)


def shown(client: Client, *scopes: str) -> list[str]:
    """Give what the page that asks says of the runs that it shows."""
    seen: list[str] = release(client, *scopes).context["seen"]
    return seen


def confirm(
    client: Client,
    *scopes: str,
    reason: str = "The bank says no",
    seen: list[str] | None = None,
) -> str:
    """Release; give what the admin is told then."""
    seen = shown(client, *scopes) if seen is None else seen
    response = release(client, *scopes, confirmed="yes", reason=reason, seen=seen)
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def test_records_can_be_found_and_read(root: Client, record: IdempotencyRecord) -> None:
    make("c" * 64)
    found = root.get(page(RECORDS, "changelist"), {"q": record.scope})
    shown = root.get(page(RECORDS, "change", record.pk))
    for response in (found, shown):
        text = response.content.decode()
        assert response.status_code == 200
        assert record.scope in text
        assert record.principal[:12] in text
        assert SECRET not in text
        assert "c" * 64 not in text
    assert record.fingerprint in shown.content.decode()
    assert record.principal in shown.content.decode()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("life", "word"), [(1, "False"), (-1, "True")])
def test_it_is_shown_whether_a_record_has_expired(
    life: int, word: str, root: Client
) -> None:
    expired = make("a" * 64, timedelta(hours=life))
    listed = root.get(page(RECORDS, "changelist")).content.decode()
    shown = root.get(page(RECORDS, "change", expired.pk)).content.decode()
    (cell,) = re.findall(r'<td class="field-expired">(.*?)</td>', listed)
    assert f'alt="{word}"' in cell
    assert re.search(rf'Expired:</label>.*?alt="{word}"', shown, re.DOTALL)


def test_answers_are_not_even_read(root: Client, record: IdempotencyRecord) -> None:
    with CaptureQueriesContext(connection) as queries:
        root.get(page(RECORDS, "changelist"))
        root.get(page(RECORDS, "change", record.pk))
        release(root, record.pk)
    assert not [query for query in queries if '"answer"' in query["sql"]]
    assert [query for query in queries if '"scope"' in query["sql"]]


def test_records_cannot_be_added_changed_or_deleted(
    root: Client, record: IdempotencyRecord
) -> None:
    listed = page(RECORDS, "changelist")
    delete = {"action": "delete_selected", "_selected_action": [record.pk]}
    for url, data in (
        (page(RECORDS, "add"), {"scope": "c"}),
        (page(RECORDS, "change", record.pk), {"route": "other/"}),
        (page(RECORDS, "delete", record.pk), {"post": "yes"}),
    ):
        assert root.post(url, data).status_code == 403
    root.post(listed, delete)
    stored = IdempotencyRecord.objects.get()
    assert (stored.pk, stored.route) == (record.pk, "transfers/")


def test_a_release_is_confirmed_first(root: Client, record: IdempotencyRecord) -> None:
    response = release(root, record.pk, index="0", select_across="0")
    text = response.content.decode()
    assert "an effect, such as a payment, may happen twice" in text
    assert '<label for="id_reason"' in text
    assert f"{'a' * 12}</a></th><td>POST</td><td>transfers/</td>" in text
    assert page(RECORDS, "change", record.pk) in text
    assert SECRET not in text
    assert IdempotencyRecord.objects.count() == 1
    german = root.post(
        page(RECORDS, "changelist"),
        {"action": "release", "_selected_action": record.pk},
        headers={"Accept-Language": "de"},
    )
    assert "kann zweimal eintreten" in german.content.decode()


@pytest.mark.parametrize("reason", ["", " \n", "x" * 1001])
def test_a_release_needs_a_reason(
    reason: str, root: Client, record: IdempotencyRecord
) -> None:
    response = release(root, record.pk, confirmed="yes", reason=reason)
    text = response.content.decode()
    assert "<title>Error: Release idempotency records" in text
    assert 'aria-invalid="true"' in text
    assert IdempotencyRecord.objects.count() == 1
    assert not LogEntry.objects.exists()


@committed
@pytest.mark.usefixtures("everywhere")
def test_released_keys_can_be_used_anew_and_all_is_told(
    root: Client, settings: Any, heard: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    counted = recorded(settings)
    scopes = [letter * 64 for letter in "abc"]
    for scope in [*scopes, "f" * 64]:
        make(scope)
    told = confirm(root, *scopes, reason="[1] The <bank> says no")
    assert told == "Released: 3."
    assert [record.pk for record in IdempotencyRecord.objects.all()] == ["f" * 64]
    entries = LogEntry.objects.order_by("object_id")
    assert [entry.object_id for entry in entries] == scopes
    for entry in entries:
        assert entry.action_flag == DELETION
        assert entry.user.username == "root"
        assert entry.get_change_message() == "Released: [1] The <bank> says no"
    expected = [(scope, "[1] The <bank> says no", "root") for scope in scopes]
    assert sorted(heard) == expected
    assert of_block("idempotency", counted) == [("idempotency.released", {})] * 3
    for scope in scopes:
        assert scope in caplog.text
    assert "bank" not in caplog.text
    assert root.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize(
    ("names", "offered"),
    [
        ([], False),
        (["change_idempotencyrecord", "delete_idempotencyrecord"], False),
        (["release_idempotencyrecord"], True),
    ],
)
def test_a_release_takes_a_permission_of_its_own(
    names: list[str], offered: bool, record: IdempotencyRecord
) -> None:
    user = User.objects.create_user("ada", is_staff=True)
    codenames = ["view_idempotencyrecord", *names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = logged_in(user)
    listed = client.get(page(RECORDS, "changelist"))
    assert ('value="release"' in listed.content.decode()) == offered
    seen = [f"{record.pk} {record.created_at.isoformat()}"]
    release(client, record.pk, confirmed="yes", reason="Because", seen=seen)
    assert IdempotencyRecord.objects.exists() != offered


def test_too_many_at_once(
    root: Client, record: IdempotencyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    other = make("c" * 64)
    told = confirm(root, record.pk, other.pk, seen=[])
    assert told == "At most 1 records can be released at once."
    assert IdempotencyRecord.objects.count() == 2


def test_a_run_that_the_page_has_not_shown_is_not_released(
    root: Client, record: IdempotencyRecord
) -> None:
    scope, seen = record.pk, shown(root, record.pk)
    # Meanwhile somebody else has released it, and the client has come again.
    record.delete()
    make(scope)
    told = confirm(root, scope, seen=seen)
    assert "Released: 0." in told
    assert "Not released" in told
    assert IdempotencyRecord.objects.get().pk == scope
    assert not LogEntry.objects.exists()


@committed
def test_the_replay_cache_forgets_it(
    root: Client, record: IdempotencyRecord, settings: Any
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    columns = Answer(201, (), b"{}").columns(record.pk)
    owner = Claim(record.pk, "d" * 64, "b" * 64, "POST", "transfers/", 60)
    replay_cache.keep(owner, columns, "default")
    assert replay_cache.find(record.pk, "default")
    assert confirm(root, record.pk) == "Released: 1."
    assert replay_cache.find(record.pk, "default") is None
    caches["default"].clear()


@committed
def test_nothing_is_released_while_the_cache_is_down(
    root: Client, record: IdempotencyRecord, settings: Any, heard: list[Any]
) -> None:
    settings.CACHES = {**settings.CACHES, "down": DOWN}
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "down"}}
    assert "nothing was released" in confirm(root, record.pk)
    assert IdempotencyRecord.objects.exists()
    assert not LogEntry.objects.exists()
    assert heard == []


@committed
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_record_that_is_taken_over_is_not_waited_for(
    database: str, root: Client
) -> None:
    make("a" * 64, -timedelta(hours=1))
    make("c" * 64)
    owner = Claim("a" * 64, "d" * 64, "b" * 64, "POST", "transfers/", 60)
    with claimed(owner, DEFAULT_DB_ALIAS) as kept:
        assert kept is None, database
        (told,) = in_threads(lambda: confirm(root, "a" * 64, "c" * 64))
    assert told == (
        "Not released, since a request is at them or has been: 1. Released: 1."
    )
    assert IdempotencyRecord.objects.get().pk == "a" * 64
    assert [entry.object_id for entry in LogEntry.objects.all()] == ["c" * 64]


def failing(code: str) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        cause: Any = ValueError()
        cause.sqlite_errorname = code
        raise OperationalError from cause

    return fail


def test_a_database_that_is_busy(
    root: Client, record: IdempotencyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "delete", failing("SQLITE_BUSY"))
    told = "The database is busy: nothing was released. Try again."
    assert confirm(root, record.pk) == told
    assert not LogEntry.objects.exists()
    monkeypatch.setattr(module, "delete", failing("SQLITE_ERROR"))
    with pytest.raises(OperationalError):
        confirm(root, record.pk)
    assert connection.is_usable()


def test_identities_can_be_added_and_read(root: Client) -> None:
    user = User.objects.create(username="ada")
    data = {"issuer": "https://a.test", "subject": "s-1", "user": user.pk}
    add = page("externalidentity", "add")
    assert root.post(add, data).status_code == 302
    identity = ExternalIdentity.objects.get(user=user)
    listed = root.get(page("externalidentity", "changelist"), {"q": "s-1"})
    assert "https://a.test" in listed.content.decode()
    url = page("externalidentity", "change", identity.pk)
    shown = root.get(url).content.decode()
    assert ("s-1" in shown, identity.digest in shown) == (True, False)
    assert root.post(url, {**data, "subject": "s-2"}).status_code == 403
    # The other user's name is not hers twice.
    again = root.post(add, {**data, "user": User.objects.get(username="root").pk})
    text = "External identity with this Issuer and Subject already exists."
    assert text in again.content.decode()
    assert ExternalIdentity.objects.get().user == user
