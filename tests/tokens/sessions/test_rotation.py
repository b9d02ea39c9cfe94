"""What comes of a refresh token, by what it is to its session and by the time."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F, QuerySet
from pytest_django import Settings

from drf_apikit.signals import refresh_token_reused, token_session_ended
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    RefreshRefusedError,
    Refusal,
    end_session,
    rotate,
)
from drf_apikit.tokens.sessions.texts import new_text, read_text, unseal
from tests.counting import of_block, recorded
from tests.tokens.sessions.families import (
    age,
    begin,
    came_to,
    found,
    made,
    stored,
)

pytestmark = pytest.mark.django_db
everywhere = pytest.mark.usefixtures("database")


@everywhere
def test_a_family_goes_on_and_on(heard: list[Any]) -> None:
    session, text = begin()
    for _ in range(3):
        assert found(text) == str(session.pk)
        done = rotate(text)
        assert (done.session.pk, done.is_repeated) == (session.pk, False)
        assert done.refresh_token != text
        assert found(text) == "used"
        text = done.refresh_token
    assert TokenSession.objects.count() == 1
    assert heard == []


@everywhere
def test_a_session_is_given_as_it_is_now() -> None:
    session, text = begin()
    age(session, 100)
    given, row = rotate(text).session, stored(session)
    names = ("token_digest", "previous_digest", "auth_hash", "created_at", "ends_at")
    assert [getattr(given, name) for name in names] == [
        getattr(row, name) for name in names
    ]
    assert given.expires_at == row.expires_at
    assert abs(given.refreshed_at - row.refreshed_at) < timedelta(seconds=5)
    assert row.refreshed_at - row.created_at >= timedelta(seconds=99)
    assert given.user == session.user


@everywhere
@pytest.mark.compliance("RFC 9700", "4.14.2")
@pytest.mark.parametrize(
    ("grace", "seconds", "came"),
    [(None, 8, "used"), (None, 12, "reused"), (60, 50, "used"), (0, 1, "reused")],
)
def test_the_grace(
    grace: int | None, seconds: int, came: str, tokens: Callable[..., None]
) -> None:
    if grace is not None:
        tokens(REUSE_GRACE=grace)
    session, text = begin()
    rotate(text)
    age(session, seconds)
    assert came_to(text) == came


@everywhere
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize(
    ("hours", "seconds", "came"), [(-1, 600, "reused"), (1, 0, "used")]
)
def test_the_grace_while_clocks_are_put_back_or_forward(
    hours: int, seconds: int, came: str, zone: str, settings: Settings
) -> None:
    """Local times, as databases keep them without `USE_TZ`, say nothing of an age."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    session, text = begin()
    rotate(text)
    age(session, seconds)
    shifted = F("refreshed_at") - timedelta(hours=hours)
    TokenSession.objects.filter(pk=session.pk).update(refreshed_at=shifted)
    assert came_to(text) == came


@everywhere
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_seconds_are_counted_alike_in_any_zone(zone: str, settings: Settings) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    before = time.time()
    session, text = begin()
    given = rotate(text).session
    row = stored(session)
    assert row.created_epoch == session.created_epoch == session.refreshed_epoch
    assert before - 5 < row.created_epoch <= row.refreshed_epoch < time.time() + 5
    assert 0 <= row.refreshed_epoch - given.refreshed_epoch < 5


@everywhere
@pytest.mark.parametrize(("seconds", "came"), [(3, "used"), (3000, "reused")])
def test_a_clock_that_is_put_back(seconds: int, came: str) -> None:
    """Another host may have become the database; none is that far behind."""
    session, text = begin()
    rotate(text)
    age(session, -seconds)
    assert came_to(text) == came


@pytest.mark.django_db(transaction=True)
@everywhere
@pytest.mark.compliance("RFC 9700", "4.14.2")
@pytest.mark.parametrize("generations", [1, 2, 5])
def test_a_copy_ends_the_family(generations: int, heard: list[Any]) -> None:
    session, first = begin()
    last = first
    for _ in range(generations):
        last = rotate(last).refresh_token
    age(session, 11)
    with pytest.raises(RefreshRefusedError) as raised:
        rotate(first)
    assert (raised.value.refusal, raised.value.session) == (Refusal.REUSED, session)
    row = stored(session)
    assert row.ended_at is not None
    assert row.end_reason == "reuse"
    assert heard == [("reused", session.pk, "reuse"), ("ended", session.pk, "reuse")]
    assert [came_to(first), came_to(last), found(last)] == ["ended"] * 3


@everywhere
def test_one_that_is_older_than_the_one_before_has_no_grace() -> None:
    _, first = begin()
    rotate(rotate(first).refresh_token)
    assert came_to(first) == "reused"


@everywhere
def test_what_nobody_has_given_out_does_no_harm() -> None:
    session, text = begin()
    good = rotate(text).refresh_token
    with_its_id = f"akr1_{new_text(session.pk)[5:-3]}AAA"
    for strange in (
        "",
        "x",
        text[:-1],
        f"{text}A",
        text[5:],
        new_text(uuid.uuid4()),
        with_its_id,
        "akr1_" + "\udc80" * 86,
        "akr1_" + "!" * 86,
    ):
        assert [came_to(strange), found(strange)] == ["unknown", "unknown"]
    assert came_to(good) == "rotated"


@everywhere
def test_too_long_without_a_refresh(tokens: Callable[..., None]) -> None:
    tokens(REFRESH_LIFETIME=1000)
    session, text = begin()
    age(session, 990)
    assert (found(text), came_to(text)) == (str(session.pk), "rotated")
    session, text = begin(made("bob"))
    age(session, 1001)
    assert [found(text), came_to(text)] == ["expired", "expired"]
    assert stored(session).ended_at is None


@everywhere
def test_too_old_however_often_it_was_refreshed(tokens: Callable[..., None]) -> None:
    tokens(REFRESH_LIFETIME=1000, SESSION_LIFETIME=1500)
    session, text = begin()
    age(session, 900)
    done = rotate(text)
    assert done.session.expires_at == done.session.ends_at == stored(session).ends_at
    age(session, 590)
    last = rotate(done.refresh_token).refresh_token
    age(session, 11)
    assert came_to(last) == "expired"


@everywhere
def test_a_copy_of_what_is_over_is_no_news(heard: list[Any]) -> None:
    session, text = begin()
    rotate(text)
    age(session, 20 * 24 * 3600)
    assert came_to(text) == "expired"
    assert heard == []


@everywhere
def test_a_lifetime_that_has_changed_counts_at_once(
    tokens: Callable[..., None],
) -> None:
    session, text = begin()
    tokens(REFRESH_LIFETIME=60)
    rotate(text)
    row = stored(session)
    assert row.expires_at - row.refreshed_at < timedelta(seconds=65)


@everywhere
def test_the_same_successor_is_given_again(tokens: Callable[..., None]) -> None:
    tokens(REPEAT_SUCCESSOR=True)
    session, text = begin()
    first = rotate(text)
    again = rotate(text)
    assert (again.refresh_token, again.is_repeated) == (first.refresh_token, True)
    assert again.session == session
    sealed = stored(session).successor
    assert first.refresh_token not in sealed
    assert unseal(sealed, text) == first.refresh_token
    assert unseal(sealed, first.refresh_token) is None
    age(session, 11)
    assert came_to(text) == "reused"
    assert stored(session).successor == ""


@everywhere
def test_a_successor_is_for_as_long_as_the_setting_is_on(
    tokens: Callable[..., None],
) -> None:
    tokens(REPEAT_SUCCESSOR=True)
    session, text = begin()
    second = rotate(text).refresh_token
    tokens(REPEAT_SUCCESSOR=False)
    assert came_to(text) == "used"
    third = rotate(second).refresh_token
    assert stored(session).successor == ""
    tokens(REPEAT_SUCCESSOR=True)
    assert came_to(second) == "used"
    assert came_to(third) == "rotated"


@everywhere
def test_nobody_is_given_a_successor_who_may_not_log_in(
    tokens: Callable[..., None],
) -> None:
    tokens(REPEAT_SUCCESSOR=True)
    session, text = begin()
    rotate(text)
    User.objects.update(is_active=False)
    assert came_to(text) == "inactive"
    assert came_to(text) == "ended", session


@pytest.mark.django_db(transaction=True)
@everywhere
def test_a_password_that_was_changed_past_all_signals(heard: list[Any]) -> None:
    session, text = begin()
    User.objects.update(password="other")
    assert found(text) == "password"
    assert stored(session).ended_at is None
    assert came_to(text) == "password"
    assert heard == [("ended", session.pk, "password")]
    assert came_to(text) == "ended"


@pytest.mark.django_db(transaction=True)
@everywhere
def test_a_user_who_was_deactivated_past_all_signals(heard: list[Any]) -> None:
    session, text = begin()
    User.objects.update(is_active=False)
    assert found(text) == "inactive"
    assert came_to(text) == "inactive"
    assert heard == [("ended", session.pk, "inactive")]
    User.objects.update(is_active=True)
    assert came_to(text) == "ended"


@everywhere
def test_a_user_who_is_deleted() -> None:
    session, text = begin()
    session.user.delete()
    assert came_to(text) == "unknown"


def nobody(_user: Any) -> bool:
    return False


def everybody(_user: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("rule", "active", "came"),
    [
        (f"{__name__}.nobody", True, "inactive"),
        pytest.param(nobody, True, "inactive", id="function"),
        (f"{__name__}.everybody", False, "rotated"),
        (None, True, "rotated"),
        (None, False, "inactive"),
        (
            "rest_framework_simplejwt.authentication.default_user_authentication_rule",
            False,
            "inactive",
        ),
    ],
    ids=str,
)
def test_the_rule_of_simplejwt(
    rule: Any, active: bool, came: str, settings: Settings
) -> None:
    _, text = begin()
    settings.SIMPLE_JWT = {"USER_AUTHENTICATION_RULE": rule}
    User.objects.update(is_active=active)
    assert came_to(text) == came


@everywhere
def test_a_user_whom_the_default_manager_hides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get_queryset(self: Any) -> QuerySet[User]:
        return QuerySet(User, using=self._db).exclude(username="ada")

    user = made("bob")
    texts = [begin(user)[1], begin()[1]]
    monkeypatch.setattr(type(User._default_manager), "get_queryset", get_queryset)
    assert [came_to(text) for text in texts] == ["rotated", "inactive"]


@everywhere
def test_another_secret_key_with_a_fallback(settings: Settings) -> None:
    old = settings.SECRET_KEY
    session, text = begin()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [old]
    second = rotate(text).refresh_token
    assert came_to(text) == "used"
    third = rotate(second).refresh_token
    # All that is of use is now of the new key alone.
    settings.SECRET_KEY_FALLBACKS = []
    assert came_to(text) == "unknown"
    last = rotate(third).refresh_token
    settings.SECRET_KEY_FALLBACKS = [old]
    assert came_to(text) == "reused"
    assert came_to(last) == "ended", session


@everywhere
def test_another_secret_key_without_a_fallback(settings: Settings) -> None:
    """Everybody logs in again, as with sessions of Django."""
    session, first = begin()
    second = rotate(first).refresh_token
    settings.SECRET_KEY = "new" * 20
    assert came_to(new_text(session.pk)) == "reused"
    session, first = begin(made("bob"))
    second = rotate(first).refresh_token
    settings.SECRET_KEY = "newer" * 20
    assert found(second) == "password"
    assert came_to(second) == "password"


@everywhere
def test_refusals_are_counted(settings: Settings) -> None:
    counted = recorded(settings)
    _, text = begin()
    found("x")
    for one in ("x", text, text, new_text(uuid.uuid4())):
        came_to(one)
    refused = "tokens.refresh_refused"
    assert of_block("tokens", counted) == [
        (refused, {"reason": "unknown"}),
        (refused, {"reason": "used"}),
        (refused, {"reason": "unknown"}),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_copy_is_counted_and_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    counted = recorded(settings)
    session, text = begin()
    rotate(text)
    age(session, 11)
    assert came_to(text) == "reused"
    assert of_block("tokens", counted) == [
        ("tokens.session_ended", {"reason": "reuse"}),
        ("tokens.refresh_refused", {"reason": "reused"}),
    ]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert str(session.pk) in record.getMessage()
    assert text not in record.getMessage()


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_is_no_bother() -> None:
    def fail(**_: Any) -> None:
        raise LookupError

    session, text = begin()
    rotate(text)
    age(session, 11)
    for signal in (refresh_token_reused, token_session_ended):
        signal.connect(fail)
    try:
        assert came_to(text) == "reused"
    finally:
        for signal in (refresh_token_reused, token_session_ended):
            signal.disconnect(fail)


def test_nothing_that_is_good_is_shown() -> None:
    session, text = begin()
    done = rotate(text)
    assert done.refresh_token not in repr(done)
    read = read_text(text)
    assert text not in repr(read)
    assert not {text, done.refresh_token} & set(map(str, vars(stored(session))))
    error = RefreshRefusedError(Refusal.USED, session)
    assert str(error) == "used"


def test_a_session_that_has_ended_is_refused() -> None:
    session, text = begin()
    assert end_session(session.pk, Ending.LOGOUT)
    assert came_to(text) == found(text) == "ended"
    assert str(session) == f"first-party {session.pk}"
