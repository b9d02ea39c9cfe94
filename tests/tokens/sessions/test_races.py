"""Of any number of requests with one token, exactly one takes its session on."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from django.contrib.auth.hashers import make_password
from django.db import DEFAULT_DB_ALIAS, connection, transaction

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    LegacyToken,
    RefreshRefusedError,
    end_all,
    exchange_legacy,
    opening,
    password_given,
    rotate,
    rotation,
    transactions,
)
from drf_apikit.tokens.sessions.ending import end_as_read
from drf_apikit.tokens.sessions.people import auth_digest
from tests.databases import in_threads
from tests.tokens.sessions.families import (
    STRICTER,
    age,
    begin,
    came_to,
    connected,
    made,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.usefixtures("database")
strictly = pytest.mark.parametrize(
    ("database", "stricter"),
    [(vendor, name) for name, (vendor, _) in STRICTER.items()],
    ids=list(STRICTER),
    indirect=True,
)
MANY: Final = 50


def one_wins() -> None:
    session, text = begin()
    came = Counter(in_threads(*[lambda: came_to(text)] * MANY))
    assert came == {"rotated": 1, "used": MANY - 1}
    row = stored(session)
    assert (row.ended_at, row.previous_digest) == (None, session.token_digest)


@everywhere
@pytest.mark.compliance("RFC 9700", "4.14.2")
def test_one_of_fifty_wins() -> None:
    one_wins()


@strictly
@pytest.mark.usefixtures("database", "stricter")
def test_one_of_fifty_wins_however_strict_the_database_is() -> None:
    one_wins()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_is_overtaken_where_the_database_itself_is_strict_looks_again() -> None:
    """Django's settings say nothing of it."""
    _, text = begin()
    tried: list[str] = []

    def overtaken(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.startswith("UPDATE"):
            tried.append(sql)
            if len(tried) == 1:
                # From here on the transaction sees nothing that is newer.
                context["cursor"].execute("SELECT 1")
                in_threads(lambda: TokenSession.objects.update(user_agent="other"))
        return execute(sql, params, many, context)

    strict = r"-c default_transaction_isolation=repeatable\ read"
    with connected(options=strict), connection.execute_wrapper(overtaken):
        assert came_to(text) == "rotated"
    assert len(tried) == 2


@strictly
@pytest.mark.usefixtures("database", "stricter")
def test_fifty_sessions_are_no_bother_to_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = made()
    texts = [begin(user)[1] for _ in range(MANY)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Of a small table PostgreSQL would rather read all than use the index.
            cursor.execute(f"VACUUM (ANALYZE) {TokenSession._meta.db_table}")
        # Not even once is anybody refused for what others do.
        monkeypatch.setattr(rotation, "TRIES", 1)

    def using(text: str) -> Callable[[], str]:
        return lambda: came_to(text)

    assert Counter(in_threads(*map(using, texts))) == {"rotated": MANY}


@everywhere
def test_all_fifty_get_the_same_successor(tokens: Callable[..., None]) -> None:
    tokens(REPEAT_SUCCESSOR=True)
    _, text = begin()
    got = in_threads(*[lambda: rotate(text)] * MANY)
    assert len({one.refresh_token for one in got}) == 1
    assert Counter(one.is_repeated for one in got) == {False: 1, True: MANY - 1}
    assert came_to(got[0].refresh_token) == "rotated"


@everywhere
def test_a_copy_that_comes_fifty_times_ends_its_session_once(
    heard: list[Any],
) -> None:
    session, text = begin()
    good = rotate(text).refresh_token
    age(session, 11)
    came = Counter(in_threads(*[lambda: came_to(text)] * MANY))
    assert came.pop("reused") == 1
    assert came == {"ended": MANY - 1}
    assert heard == [
        ("reused", session.pk, "reuse"),
        ("ended", session.pk, "reuse"),
    ]
    assert came_to(good) == "ended"


@everywhere
def test_one_of_fifty_exchanges_a_token_of_simplejwt() -> None:
    user = made()

    def exchange() -> str:
        try:
            token = LegacyToken("legacy", "jti")
            exchange_legacy(user, token, client_id="first-party", scopes=[])
        except RefreshRefusedError as error:
            return error.refusal.value
        return "exchanged"

    came = Counter(in_threads(*[exchange] * MANY))
    assert came == {"exchanged": 1, "used": MANY - 1}
    assert TokenSession.objects.count() == 1


@strictly
@pytest.mark.usefixtures("database", "stricter")
def test_a_token_of_simplejwt_is_exchanged_once_however_strict_it_is() -> None:
    test_one_of_fifty_exchanges_a_token_of_simplejwt()


@everywhere
def test_a_logout_everywhere_beside_refreshes_leaves_nothing() -> None:
    user = made()
    texts = [begin(user)[1] for _ in range(10)]

    def use(text: str) -> Callable[[], Any]:
        return lambda: came_to(text)

    in_threads(*map(use, texts), lambda: end_all(user, Ending.REVOKED))
    assert not TokenSession.objects.filter(ended_at=None).exists()


def interrupted(
    monkeypatch: pytest.MonkeyPatch, text: str, meanwhile: Callable[[], Any]
) -> str:
    """Use a token; when it has been judged, let something else happen first."""
    write = transactions.unless_outdated
    left = [meanwhile]

    def late(rows: Any, **values: Any) -> bool:
        while left:
            in_threads(left.pop())
        return write(rows, **values)

    monkeypatch.setattr(rotation, "unless_outdated", late)
    return came_to(text)


@everywhere
def test_who_was_overtaken_twice_has_done_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its token is neither the good one nor the one before: nobody has a copy."""
    session, text = begin()

    def twice() -> None:
        rotate(rotate(text).refresh_token)
        age(session, 3600)

    assert interrupted(monkeypatch, text, twice) == "used"
    assert stored(session).ended_at is None


@everywhere
def test_who_waits_longer_than_the_grace_has_done_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, text = begin()

    def once() -> None:
        rotate(text)
        age(session, 3600)

    assert interrupted(monkeypatch, text, once) == "used"
    assert stored(session).ended_at is None


def never_resting(monkeypatch: pytest.MonkeyPatch, place: Any, good: str) -> list[str]:
    """Have somebody refresh whenever a session has been read; give the tokens."""
    look, chain, inside = place.read, [good], [False]

    def late(alias: str, **which: Any) -> Any:
        found = look(alias, **which)
        if not inside[0]:
            inside[0] = True
            with suppress(RefreshRefusedError):
                chain.append(rotate(chain[-1]).refresh_token)
            inside[0] = False
        return found

    monkeypatch.setattr(place, "read", late)
    return chain


@everywhere
@pytest.mark.compliance("RFC 9700", "4.14.2")
def test_who_refreshes_without_a_pause_does_not_outlive_reuse(
    monkeypatch: pytest.MonkeyPatch, heard: list[Any]
) -> None:
    session, text = begin()
    stolen = rotate(text).refresh_token
    age(session, 1000)
    chain = never_resting(monkeypatch, rotation, stolen)
    assert came_to(text) == "reused"
    monkeypatch.undo()
    assert heard == [("reused", session.pk, "reuse"), ("ended", session.pk, "reuse")]
    assert came_to(chain[-1]) == "ended"


def test_nor_does_he_outlive_reuse_of_a_token_of_simplejwt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exchange() -> str:
        token = LegacyToken("text", "jti")
        return exchange_legacy(user, token, client_id="first-party", scopes=[])[1]

    user = made()
    stolen = exchange()
    age(TokenSession.objects.get(), 1000)
    chain = never_resting(monkeypatch, opening, stolen)
    with pytest.raises(RefreshRefusedError, match="reused"):
        exchange()
    monkeypatch.undo()
    assert came_to(chain[-1]) == "ended"


@everywhere
def test_who_was_judged_by_an_older_row_ends_nothing_at_first() -> None:
    """It may be another one who is right about what the row has become."""
    session, text = begin()
    as_read = stored(session)
    rotate(text)
    assert not end_as_read(as_read, Ending.REUSE, DEFAULT_DB_ALIAS)
    assert stored(session).ended_at is None
    assert end_as_read(as_read, Ending.REUSE, DEFAULT_DB_ALIAS, even_if_changed=True)
    assert stored(session).ended_at is not None


@everywhere
def test_a_session_that_ends_meanwhile_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, text = begin()
    user = session.user
    came = interrupted(monkeypatch, text, lambda: end_all(user, Ending.LOGOUT))
    assert came == "ended"


@everywhere
def test_the_grace_counts_from_when_it_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not from when it was read: whoever waits for others takes a while."""
    session, text = begin()
    place: Any = rotation
    look = place.read

    def long_ago(*given: Any, **which: Any) -> Any:
        found = look(*given, **which)
        past = timedelta(seconds=60)
        return found and replace(found, at=found.at - past, epoch=found.epoch - 60)

    monkeypatch.setattr(place, "read", long_ago)
    assert came_to(text) == "rotated"
    row = stored(session)
    assert row.refreshed_at >= row.created_at
    assert row.refreshed_epoch >= row.created_epoch


@everywhere
def test_a_password_that_is_hashed_anew_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a login has made of the session is not undone."""
    session, text = begin()
    user = session.user

    def rehash() -> None:
        user.password = make_password("correct horse", "another salt")
        with password_given("correct horse"):
            user.save(update_fields=["password"])

    assert interrupted(monkeypatch, text, rehash) == "rotated"
    assert stored(session).auth_hash == auth_digest(user) != session.auth_hash


@everywhere
def test_a_session_that_is_deleted_meanwhile_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, text = begin()
    assert interrupted(monkeypatch, text, session.delete) == "unknown"


@everywhere
def test_a_row_that_is_never_as_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when something in between reads from a copy that lags behind."""
    session, text = begin()
    monkeypatch.setattr(rotation, "unless_outdated", lambda *_, **__: False)
    assert came_to(text) == "used"
    assert stored(session).ended_at is None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_a_database_that_is_held_too_long_is_told() -> None:
    session, text = begin()

    def impatient() -> str:
        with pytest.raises(Exception, match="locked"):
            came_to(text)
        return "told"

    with connected(timeout=0.01), transaction.atomic():
        TokenSession.objects.update(user_agent="held")
        assert in_threads(impatient) == ["told"]
    assert connection.connection is None
    assert came_to(text) == "rotated", session
