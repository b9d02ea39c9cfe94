"""Others in the way: what a database refuses is judged anew, or refused, never 5xx."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import IsolationLevel

from drf_apikit.testing import assert_problem
from tests.app.models import Author, Document
from tests.conditional.calls import read, send
from tests.conditional.contended import Contended, detect_at_once, elsewhere
from tests.databases import in_threads

SECONDS: Final = 20.0
URL: Final = "/contended/one/"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.conditional.contended"),
]

Hook: TypeAlias = Callable[[int], None]
Configure: TypeAlias = Callable[..., None]
Hooks: TypeAlias = Callable[..., None]


def on(*vendors: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("database", vendors, indirect=True)


@pytest.fixture
def document(database: str) -> Document:
    """Give a document, and two rows that its writers touch."""
    del database
    for name in ("left", "right"):
        Author.objects.create(name=name)
    return Document.objects.create(slug="one", title="draft")


@pytest.fixture
def configure(database: str) -> Iterator[Configure]:
    """Give what changes options of the database, for all connections from now on."""
    del database
    settings = connection.settings_dict
    before = settings["OPTIONS"]

    def change(**options: Any) -> None:
        connection.close()
        settings["OPTIONS"] = {**before, **options}

    yield change
    connection.close()
    settings["OPTIONS"] = before


@pytest.fixture
def surrounded(everywhere: str, configure: Configure) -> bool:
    """Tell whether each request is in a transaction, which begins as a reader."""
    atomic: bool = connection.settings_dict["ATOMIC_REQUESTS"]
    if atomic and everywhere == "sqlite":
        configure(transaction_mode="DEFERRED")
    return atomic


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Give what sets what a view calls."""

    def put(**hooks: Hook) -> None:
        for name, hook in hooks.items():
            monkeypatch.setattr(Contended, name, staticmethod(hook))

    return put


def once(call: Callable[[], Any]) -> Hook:
    """Give what calls it at the first attempt alone."""

    def hook(attempt: int) -> None:
        if attempt == 1:
            call()

    return hook


def stored() -> tuple[Any, ...]:
    return Document.objects.values_list("title", "version").get()


def patch(tag: str | None, url: str = URL, title: str = "new") -> Any:
    headers = {} if tag is None else {"If_Match": tag}
    return send("patch", url, {"title": title}, **headers)


def assert_refused(response: Any, tag: str | None) -> None:
    """Assert that it says that others were faster."""
    if tag is None:
        assert_problem(response, 409, "edit-conflict")
        assert response["Retry-After"] == "1"
    else:
        assert_problem(response, 412, "precondition-failed")


@pytest.fixture(params=[False, True], ids=["without a tag", "with the tag"])
def tagged(request: pytest.FixtureRequest) -> bool:
    """Tell whether to send a condition."""
    sent: bool = request.param
    return sent


@pytest.fixture
def tag(tagged: bool, document: Document) -> str | None:
    """Give the condition to send, if any."""
    return read(f"/contended/{document.slug}/") if tagged else None


def overtaken(attempt: int) -> None:
    """Write a row that another transaction has written since it was read."""
    author = Author.objects.earliest("pk")
    rows = Author.objects.filter(pk=author.pk)
    elsewhere(lambda: rows.all().update(name=f"theirs {attempt}"))
    author.name = f"ours {attempt}"
    author.save()


REPEATABLE: Final[dict[str, dict[str, Any]]] = {
    "postgresql": {"isolation_level": IsolationLevel.REPEATABLE_READ},
    "mariadb": {
        "isolation_level": "repeatable read",
        "init_command": "SET innodb_snapshot_isolation = ON",
    },
}
by_snapshot = on("postgresql", "mariadb")


@by_snapshot
def test_a_serialization_failure_is_evaluated_once_more(
    database: str, configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(**REPEATABLE[database])
    attempts: list[int] = []

    def hook(attempt: int) -> None:
        attempts.append(attempt)
        if attempt == 1:
            overtaken(attempt)

    hooks(on_write=hook)
    assert patch(tag).status_code == 200
    assert attempts == [1, 2]
    assert stored() == ("new", 2)
    assert Author.objects.earliest("pk").name == "theirs 1"


@by_snapshot
def test_two_serialization_failures_are_a_refusal(
    database: str, configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(**REPEATABLE[database])
    hooks(on_write=overtaken)
    assert_refused(patch(tag), tag)
    assert stored() == ("draft", 1)
    assert Author.objects.earliest("pk").name == "theirs 2"


@by_snapshot
@pytest.mark.usefixtures("atomic_requests")
def test_within_a_transaction_a_serialization_failure_is_a_refusal_at_once(
    database: str, configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(**REPEATABLE[database])

    def hook(attempt: int) -> None:
        Author.objects.create(name="made")
        overtaken(attempt)

    hooks(on_write=hook)
    assert_refused(patch(tag), tag)
    assert stored() == ("draft", 1)
    names = Author.objects.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["theirs 1", "right"]


@on("postgresql")
def test_a_commit_that_cannot_be_serialized_is_evaluated_once_more(
    configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(isolation_level=IsolationLevel.SERIALIZABLE)
    attempts: list[int] = []

    def theirs() -> None:
        with transaction.atomic():
            name = Document.objects.get().title
            Author.objects.filter(name="left").update(name=name)

    def hook(attempt: int) -> None:
        """Read what they write, who read what is written here."""
        attempts.append(attempt)
        if attempt == 1:
            assert Author.objects.filter(name="left").exists()
            elsewhere(theirs)

    hooks(on_write=hook)
    assert patch(tag).status_code == 200
    assert attempts == [1, 2]
    assert stored() == ("new", 2)


def crossing(hooks: Hooks) -> Callable[[], list[Any]]:
    """Give what lets two requests wait for each other within their handlers."""
    Document.objects.create(slug="two", title="draft")
    barrier = threading.Barrier(2)
    left, right = Author.objects.order_by("pk")
    order = {"one": (left.pk, right.pk), "two": (right.pk, left.pk)}
    own = threading.local()

    def hook(attempt: int) -> None:
        first, second = order[own.slug]
        detect_at_once()
        Author.objects.filter(pk=first).update(name="locked")
        if attempt == 1:
            barrier.wait(SECONDS)
        Author.objects.filter(pk=second).update(name="locked")

    hooks(on_write=hook)

    def write(slug: str, tag: str) -> Any:
        own.slug = slug
        return patch(tag or None, f"/contended/{slug}/")

    def go(**tags: str) -> list[Any]:
        return in_threads(*(partial(write, slug, tags.get(slug, "")) for slug in order))

    return go


@on("postgresql", "mariadb")
def test_the_victim_of_a_deadlock_is_evaluated_once_more(
    tagged: bool, document: Document, hooks: Hooks
) -> None:
    go = crossing(hooks)
    slugs = (document.slug, "two") if tagged else ()
    tags = {slug: read(f"/contended/{slug}/") for slug in slugs}
    assert [answer.status_code for answer in go(**tags)] == [200, 200]
    versions = Document.objects.values_list("title", "version")
    assert list(versions) == [("new", 2)] * 2


@on("postgresql", "mariadb")
@pytest.mark.usefixtures("atomic_requests", "document")
def test_within_a_transaction_the_victim_of_a_deadlock_is_refused(
    tagged: bool, hooks: Hooks
) -> None:
    go = crossing(hooks)
    slugs = ("one", "two") if tagged else ()
    tags = {slug: read(f"/contended/{slug}/") for slug in slugs}
    answers = dict(zip(("one", "two"), go(**tags), strict=True))
    (victim,) = (slug for slug in answers if answers[slug].status_code != 200)
    assert_refused(answers[victim], tags.get(victim))
    found = {row.slug: (row.title, row.version) for row in Document.objects.all()}
    assert found.pop(victim) == ("draft", 1)
    assert list(found.values()) == [("new", 2)]


@on("postgresql", "mariadb")
@pytest.mark.parametrize("base", ["contended", "locked"])
def test_two_requests_that_write_each_other_s_rows(
    base: str, document: Document, hooks: Hooks
) -> None:
    other = Document.objects.create(slug="two", title="draft")
    barrier, own = threading.Barrier(2), threading.local()

    def hook(attempt: int) -> None:
        if attempt == 1:
            barrier.wait(SECONDS)
        detect_at_once()
        Document.objects.filter(pk=own.other).update(text="crossed")

    hooks(on_write=hook)
    tags = {slug: read(f"/{base}/{slug}/") for slug in ("one", "two")}

    def write(slug: str, crossed: Document) -> Any:
        own.other = crossed.pk
        return patch(tags[slug], f"/{base}/{slug}/")

    answers = in_threads(partial(write, "one", other), partial(write, "two", document))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 1}
    rows = Document.objects.order_by("pk").values_list("title", "text", "version")
    assert set(rows) == {("new", "", 2), ("draft", "crossed", 2)}


@pytest.fixture
def impatient(configure: Configure) -> Configure:
    """Have connections that do not wait for the lock of SQLite."""
    configure(timeout=0)
    return configure


@on("sqlite")
@pytest.mark.parametrize("mode", ["IMMEDIATE", "DEFERRED"])
def test_a_write_lock_that_another_holds(
    mode: str, impatient: Configure, hooks: Hooks, tag: str | None
) -> None:
    impatient(timeout=0, transaction_mode=mode)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Author.objects.update(name="theirs")
            held.set()
            assert done.wait(SECONDS)

    def write() -> Any:
        assert held.wait(SECONDS)
        try:
            return patch(tag)
        finally:
            done.set()

    hooks()
    _, answer = in_threads(hold, write)
    assert_refused(answer, tag)
    assert stored() == ("draft", 1)


@on("sqlite")
@pytest.mark.usefixtures("atomic_requests")
def test_an_old_snapshot_of_sqlite_is_a_refusal(
    configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(transaction_mode="DEFERRED")
    theirs = partial(elsewhere, lambda: Author.objects.update(name="theirs"))
    hooks(on_read=once(theirs))
    assert_refused(patch(tag), tag)
    assert stored() == ("draft", 1)
    hooks(on_read=lambda _: None)
    assert patch(tag).status_code == 200


def change(**columns: Any) -> Hook:
    """Be another writer, who is faster than the first attempt."""

    def write() -> None:
        Document.objects.update(**columns)

    return once(partial(elsewhere, write))


@on("mariadb")
@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("base", ["contended", "locked"])
def test_an_old_snapshot_of_mariadb_is_not_what_is_judged(
    base: str, configure: Configure, hooks: Hooks, tag: str | None
) -> None:
    configure(isolation_level="repeatable read")
    hooks(on_read=change(text="theirs"))
    response = patch(tag, f"/{base}/one/")
    if tag is None:
        assert response.status_code == 200
        assert stored() == ("new", 3)
        assert Document.objects.get().text == "theirs"
    else:
        assert_refused(response, tag)
        assert stored() == ("draft", 2)


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize("base", ["contended", "locked", "digested"])
def test_who_may_no_longer_see_the_row_does_not_write_it(
    base: str, everywhere: str, surrounded: bool, configure: Configure, hooks: Hooks
) -> None:
    if everywhere == "mariadb":
        configure(isolation_level="repeatable read")
    hooks(on_read=change(title="hidden"))
    response = patch(None, f"/{base}/one/")
    if surrounded and everywhere == "sqlite":
        assert_refused(response, None)
    else:
        assert_problem(response, 404, "not-found")
    assert stored() == ("hidden", 2)


def put(base: str, **headers: str) -> Any:
    """Put the document that has the name `new`."""
    return send("put", f"/{base}/new/", {"slug": "new", "title": "ours"}, **headers)


def theirs(title: str = "theirs") -> Hook:
    """Be another writer, who takes the name before the first attempt does."""
    made = partial(Document.objects.create, slug="new", title=title)
    return once(partial(elsewhere, made))


def late_on(vendor: str, base: str, hook: Hook) -> dict[str, Hook]:
    """Name the step at which another can still take the name.

    SQLite: before the writer's lock is taken. Elsewhere, where the serializer does
    not look for the name, after it has been found to be free.
    """
    late = vendor != "sqlite" and base == "nameless"
    return {"on_write" if late else "on_read": hook}


BASES = pytest.mark.parametrize("base", ["contended", "nameless"])


@BASES
@pytest.mark.parametrize("only", [False, True], ids=["any", "new only"])
def test_a_name_that_another_takes_meanwhile(
    only: bool, base: str, everywhere: str, surrounded: bool, hooks: Hooks
) -> None:
    hooks(**late_on(everywhere, base, theirs()))
    response = put(base, **({"If_None_Match": "*"} if only else {}))
    title, version = stored()
    if only or (surrounded and everywhere == "sqlite"):
        assert_refused(response, "*" if only else None)
        assert (title, version) == ("theirs", 1)
    else:
        assert response.status_code == 200
        assert (title, version) == ("ours", 2)


@BASES
@pytest.mark.parametrize("meanwhile", [False, True], ids=["before", "meanwhile"])
@pytest.mark.parametrize("only", [False, True], ids=["any", "new only"])
def test_a_name_of_what_the_caller_may_not_see(
    only: bool,
    meanwhile: bool,
    base: str,
    everywhere: str,
    surrounded: bool,
    hooks: Hooks,
) -> None:
    headers = {"If_None_Match": "*"} if only else {}
    if meanwhile:
        hooks(**late_on(everywhere, base, theirs("hidden")))
    else:
        Document.objects.create(slug="new", title="hidden")
    response = put(base, **headers)
    if meanwhile and surrounded and everywhere == "sqlite":
        assert_refused(response, "*" if only else None)
    else:
        assert_problem(response, 404, "not-found")
    assert stored() == ("hidden", 1)


@pytest.mark.usefixtures("atomic_requests", "database")
@on("postgresql", "mariadb")
@BASES
@pytest.mark.parametrize("only", [False, True], ids=["any", "new only"])
def test_a_name_that_the_snapshot_does_not_show(
    only: bool, base: str, database: str, configure: Configure, hooks: Hooks
) -> None:
    configure(isolation_level=REPEATABLE[database]["isolation_level"])
    hooks(**late_on(database, base, theirs()))
    response = put(base, **({"If_None_Match": "*"} if only else {}))
    if database == "postgresql":
        # There is no way to see that it was this name that was taken.
        assert_problem(response, 409, "already-exists")
    elif only:
        assert_refused(response, "*")
    else:
        assert response.status_code == 200
    assert stored() == (("ours", 2) if response.status_code == 200 else ("theirs", 1))


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("only", [False, True], ids=["any", "new only"])
def test_content_that_is_wrong_anyway_stays_wrong(only: bool) -> None:
    headers = {"If_None_Match": "*"} if only else {}
    response = send("put", "/contended/new/", {"title": "x" * 101}, **headers)
    assert_problem(response, 400, "validation-error")
    assert not Document.objects.exists()


@pytest.mark.usefixtures("document")
def test_a_name_that_is_given_up_and_taken_again_meanwhile(
    everywhere: str, surrounded: bool, hooks: Hooks, tag: str | None
) -> None:
    steps: dict[int, Callable[[], Any]] = {
        1: Document.objects.all().delete,
        2: partial(Document.objects.create, slug="one", title="theirs"),
    }
    hooks(on_read=lambda attempt: elsewhere(steps.get(attempt, int)))
    headers = {} if tag is None else {"If_Match": tag}
    response = send("put", URL, {"slug": "one", "title": "ours"}, **headers)
    assert_refused(response, tag)
    if not (surrounded and everywhere == "sqlite"):
        assert stored() == ("theirs", 1)


@pytest.mark.usefixtures("everywhere")
def test_a_row_that_is_nothing_but_its_key() -> None:
    url = f"/profiles/{Author.objects.create().pk}/"
    assert send("put", url, {}, If_None_Match="*").status_code == 201
    assert_refused(send("put", url, {}, If_None_Match="*"), "*")
    assert send("put", url, {}, If_Match=read(url)).status_code == 200
    assert send("put", url, {}).status_code == 200


@pytest.mark.usefixtures("everywhere")
def test_a_name_that_cannot_be_one() -> None:
    assert_problem(send("put", "/profiles/nobody/", {}), 404, "not-found")


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize("base", ["locked", "digested"])
def test_a_row_that_is_gone_when_it_is_locked_is_made_again(
    base: str, everywhere: str, surrounded: bool, hooks: Hooks, tagged: bool
) -> None:
    url = f"/{base}/one/"
    tag = read(url) if tagged else None
    hooks(on_read=once(partial(elsewhere, Document.objects.all().delete)))
    headers = {} if tag is None else {"If_Match": tag}
    response = send("put", url, {"slug": "one", "title": "new"}, **headers)
    if surrounded and everywhere == "sqlite":
        assert_refused(response, tag)
    elif tag is None:
        assert response.status_code == 201
        assert stored() == ("new", 1)
    else:
        assert_refused(response, tag)
        assert not Document.objects.exists()


@pytest.mark.usefixtures("everywhere", "document")
def test_writers_who_wait_for_the_lock_lose_nothing() -> None:
    barrier = threading.Barrier(8)

    def write(title: str) -> Any:
        barrier.wait(SECONDS)
        return patch(None, "/locked/one/", title)

    answers = in_threads(*(partial(write, mark) for mark in "abcdefgh"))
    assert {answer.status_code for answer in answers} == {200}
    versions = [answer.json()["version"] for answer in answers]
    assert sorted(versions) == list(range(2, 10))
    last = answers[versions.index(9)].json()["title"]
    assert stored() == (last, 9)


def clash(_attempt: int) -> None:
    """Break a constraint that has nothing to do with the row that is written."""
    for _ in range(2):
        Document.objects.create(slug="twin")


def fail(_attempt: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM missing")


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize(("fault", "status"), [(clash, 409), (fail, 500)])
@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_handler_s_own_error_is_its_own(
    method: str, fault: Hook, status: int, hooks: Hooks
) -> None:
    attempts: list[int] = []

    def hook(attempt: int) -> None:
        attempts.append(attempt)
        fault(attempt)

    hooks(on_write=hook)
    if method == "put":
        response = put("contended", If_None_Match="*")
    else:
        response = patch(read(URL))
    assert response.status_code == status
    assert b"edit-conflict" not in response.content
    assert attempts == [1]
    assert stored() == ("draft", 1)
