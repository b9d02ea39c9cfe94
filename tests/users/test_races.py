"""First requests at the same time, and tokens that overtake each other."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection, transaction
from django.db.backends.postgresql.psycopg_any import IsolationLevel

from drf_apikit.contention import is_contention
from drf_apikit.models import ExternalIdentity
from drf_apikit.users.retries import retry_on_contention
from tests.authentication.tokens import ISSUER, cost, resolved
from tests.databases import in_threads

SECONDS: Final = 20.0
CREATE: Final[dict[str, Any]] = {"users": "create"}
MATCH: Final[dict[str, Any]] = {"match_verified_email": True}
ADA: Final[dict[str, Any]] = {"email": "ada@a.test", "email_verified": True}
ROLES: Final[dict[str, Any]] = {
    "groups_claim": "roles",
    "groups": {"editor": "Editors", "reader": "Readers"},
    "staff": frozenset({"admin"}),
}
STRICT: Final[dict[str, Any]] = {
    "postgresql": IsolationLevel.REPEATABLE_READ,
    "mariadb": "repeatable read",
}

pytestmark = pytest.mark.django_db(transaction=True)

levels = pytest.mark.parametrize(
    ("database", "level"),
    [
        *[(name, "usual") for name in ("sqlite", "postgresql", "mariadb")],
        *[(name, "repeatable read") for name in STRICT],
    ],
    indirect=True,
)

#: What stands around a request: nothing, or a transaction (ATOMIC_REQUESTS).
Around = Callable[[], AbstractContextManager[Any]]


@pytest.fixture(params=["autocommit", "atomic"])
def around(request: pytest.FixtureRequest) -> Around:
    return transaction.atomic if request.param == "atomic" else nullcontext


@pytest.fixture
def level(request: pytest.FixtureRequest, database: str) -> Iterator[None]:
    """Have all connections at that level."""
    usual = connection.settings_dict["OPTIONS"]
    strict = {**usual, "isolation_level": STRICT.get(database)}
    _choose(usual if request.param == "usual" else strict)
    yield
    _choose(usual)


def _choose(options: dict[str, Any]) -> None:
    if connection.settings_dict["OPTIONS"] is not options:
        connection.settings_dict["OPTIONS"] = options
        connection.close()


def is_alone(around: Around) -> bool:
    """Tell whether the first transaction keeps all others waiting (SQLite)."""
    return connection.vendor == "sqlite" and around is not nullcontext


@contextmanager
def after_look_up(step: Callable[[], Any]) -> Iterator[None]:
    """Do something once when the connection has looked for an identity."""
    done: list[None] = []

    def wrap(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "drf_apikit_identity" in sql and not done:
            done.append(None)
            step()
        return result

    with connection.execute_wrapper(wrap):
        yield


def at_once(around: Around, *requests: Callable[[], Any]) -> list[Any]:
    """Have all look before one of them writes."""
    barrier = threading.Barrier(1 if is_alone(around) else len(requests))

    def run(request: Callable[[], Any]) -> Callable[[], Any]:
        def call() -> Any:
            with after_look_up(lambda: barrier.wait(SECONDS)):
                return insisted(around, request)

        return call

    return in_threads(*map(run, requests))


def insisted(around: Around, request: Callable[[], Any]) -> Any:
    """Send a request again whose transaction InnoDB has ended, as clients do.

    It may end any that holds locks; one that has begun outside is not ours to repeat.
    """
    while True:
        try:
            with around():
                return request()
        except OperationalError as error:
            is_ours = around is nullcontext or connection.vendor != "mysql"
            if is_ours or not is_contention(error):
                raise


def overtaken(around: Around, first: Callable[[], Any], late: Callable[[], Any]) -> Any:
    """Have the first done and committed after the late one has looked."""
    if is_alone(around):
        in_threads(first)
        return late()
    with after_look_up(lambda: in_threads(first)), around():
        return late()


def ada() -> User:
    user = User.objects.create_user("ada", "ada@a.test")
    for name in ROLES["groups"].values():
        Group.objects.create(name=name)
    return user


def known() -> User:
    user = ada()
    ExternalIdentity.objects.create(issuer=ISSUER, subject="s-1", user=user)
    return user


def state() -> tuple[bool, bool]:
    """Give what the database holds: the group, and the status."""
    user = User.objects.get()
    return user.groups.exists(), user.is_staff


@levels
@pytest.mark.usefixtures("level")
def test_first_requests_at_the_same_time_make_one_user(around: Around) -> None:
    made = at_once(around, *[lambda: resolved(CREATE, **ADA)] * 3)
    assert made == [User.objects.get()] * 3
    assert ExternalIdentity.objects.get().user == made[0]


@levels
@pytest.mark.usefixtures("level")
def test_who_is_overtaken_finds_the_user_that_is_there(around: Around) -> None:
    def request() -> Any:
        return resolved(CREATE, **ADA)

    late = overtaken(around, request, request)
    assert late == User.objects.get() == resolved(CREATE)
    assert (late.email, late.is_active) == ("ada@a.test", True)


@levels
@pytest.mark.usefixtures("level")
def test_who_is_overtaken_by_a_ban_is_refused(around: Around) -> None:
    def banned() -> None:
        resolved(CREATE)
        User.objects.update(is_active=False)

    assert overtaken(around, banned, lambda: resolved(CREATE)) is None
    assert not User.objects.get().is_active


@levels
@pytest.mark.usefixtures("level")
def test_an_address_links_once(around: Around) -> None:
    user = ada()
    linked = at_once(around, *[lambda: resolved(MATCH, **ADA)] * 3)
    assert linked == [user] * 3
    assert ExternalIdentity.objects.get().user == user


def test_an_address_links_one_of_two_subjects(database: str, around: Around) -> None:
    user = ada()
    linked = at_once(
        around,
        lambda: resolved(MATCH, "s-1", **ADA),
        lambda: resolved(MATCH, "s-2", **ADA),
    )
    assert sorted(linked, key=str) == [None, user], database
    assert ExternalIdentity.objects.count() == 1


@levels
@pytest.mark.usefixtures("level")
def test_grants_of_one_token_are_applied_once(around: Around) -> None:
    user = known()
    roles = ["editor", "admin"]
    found = at_once(around, *[lambda: resolved(ROLES, roles=roles)] * 3)
    assert found == [user] * 3
    assert state() == (True, True)


@levels
@pytest.mark.parametrize("roles", [["editor", "admin"], []], ids=["gives", "takes"])
@pytest.mark.usefixtures("level")
def test_an_older_token_that_is_overtaken_undoes_nothing(
    around: Around, roles: list[str]
) -> None:
    known()
    resolved(ROLES, roles=["admin"], iat=1)
    older = [] if roles else ["editor", "admin"]
    late = overtaken(
        around,
        lambda: resolved(ROLES, roles=roles, iat=3),
        lambda: resolved(ROLES, roles=older, iat=2),
    )
    assert state() == (bool(roles), bool(roles))
    assert late.pk


@levels
@pytest.mark.parametrize("roles", [["editor", "admin"], []], ids=["gives", "takes"])
@pytest.mark.usefixtures("level")
def test_a_newer_token_that_is_overtaken_has_the_last_word(
    around: Around, roles: list[str]
) -> None:
    known()
    resolved(ROLES, roles=["admin"] if roles else ["reader"], iat=1)
    older = [] if roles else ["editor", "admin"]

    def newer() -> Any:
        return resolved(ROLES, roles=roles, iat=3)

    overtaken(around, lambda: resolved(ROLES, roles=older, iat=2), newer)
    # In PostgreSQL's older snapshot with the next request.
    found = newer()
    assert state() == (bool(roles), bool(roles))
    assert found.is_staff == bool(roles)


@pytest.mark.parametrize("staff", [ROLES["staff"], None], ids=["staff", "groups"])
def test_the_user_is_as_the_request_that_was_faster_has_left_it(
    database: str, staff: Any
) -> None:
    known()
    settings = {**ROLES, "staff": staff}
    late = overtaken(
        nullcontext,
        lambda: resolved(settings, roles=["editor", "admin"], iat=3),
        lambda: resolved(settings, roles=[], iat=2),
    )
    assert late.is_staff == (staff is not None), database
    assert state() == (True, late.is_staff)


def test_what_another_request_has_done_is_not_done_again(database: str) -> None:
    known()

    def request() -> Any:
        return resolved(ROLES, roles=["editor", "admin"])

    statements = cost(lambda: overtaken(nullcontext, request, request))
    # The identity; a note that is there already; what the other one has written.
    assert statements == 3, database
    assert state() == (True, True)


def hindered(times: int, code: str = "SQLITE_BUSY") -> Callable[[], str]:
    """Give a write that fails that often."""
    left = iter(range(times))

    def write() -> str:
        if next(left, None) is None:
            return "written"
        cause: Any = ValueError()
        cause.sqlite_errorname = code
        raise OperationalError from cause

    return write


def test_a_transaction_of_our_own_is_made_again_for_a_while() -> None:
    assert retry_on_contention(hindered(2), "default") == "written"
    with pytest.raises(OperationalError):
        retry_on_contention(hindered(3), "default")
    with pytest.raises(OperationalError):
        retry_on_contention(hindered(1, "SQLITE_ERROR"), "default")
    with transaction.atomic(), pytest.raises(OperationalError):
        retry_on_contention(hindered(1), "default")


def test_a_database_that_fails_is_no_request_that_was_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known()
    monkeypatch.setattr("drf_apikit.users.grants._write", lambda *_: hindered(1, "x")())
    with pytest.raises(OperationalError):
        resolved(ROLES, roles=["editor"])
