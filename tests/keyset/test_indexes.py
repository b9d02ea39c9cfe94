"""Which declared index serves which ordering, by database.

Nothing here connects: pytest-django lets no test do so that has not asked for it.
"""

import runpy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.postgres.indexes import BrinIndex, BTreeIndex, GinIndex, HashIndex
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat, Lower, Upper
from django.db.utils import ConnectionHandler
from django.test.utils import isolate_apps

from drf_apikit.keyset import plan, resolve_ordering
from drf_apikit.keyset.indexes import missing_index
from tests.app.models import Article, Author, Profile, Seat
from tests.conftest import Services

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}

IMPORTS = """
from django.db import models
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Coalesce, Lower
"""

Making = Callable[..., Any]


@pytest.fixture(params=ENGINES)
def vendor(request: pytest.FixtureRequest, services: Services) -> Iterator[str]:
    """Make `default` a database of this kind that is nowhere."""
    name: str = request.param
    services.require_driver(name)
    settings: Any = {"ENGINE": ENGINES[name], "NAME": "nowhere"}
    before = connections[DEFAULT_DB_ALIAS]
    nowhere = ConnectionHandler({DEFAULT_DB_ALIAS: settings})[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = nowhere
    yield name
    assert nowhere.connection is None
    connections[DEFAULT_DB_ALIAS] = before


@pytest.fixture
def table() -> Making:
    """Give a function that makes a model with these indexes, or any `Meta`."""

    def making(*indexes: Any, fields: Any = None, **meta: Any) -> Any:
        options = {"app_label": "tests_app", "indexes": list(indexes), **meta}
        own = {
            "cat": models.IntegerField(default=0),
            "created": models.DateTimeField(),
            "score": models.IntegerField(null=True),
            "title": models.CharField(max_length=100),
            "author": models.ForeignKey(
                Author, models.CASCADE, db_index=False, related_name="+"
            ),
            **(fields or {}),
        }
        namespace = {"__module__": __name__, "Meta": type("Meta", (), options), **own}
        with isolate_apps("tests.app"):
            return type("Row", (models.Model,), namespace)

    return making


@pytest.fixture
def pasted(tmp_path: Path) -> Callable[[str], Any]:
    """Give a function that runs a declaration as it would stand in a model."""

    def pasting(declaration: str) -> Any:
        module = tmp_path / "declaration.py"
        module.write_text(f"{IMPORTS}index = {declaration}\n", "utf-8")
        return runpy.run_path(str(module))["index"]

    return pasting


def lacking(model: Any, *ordering: Any) -> str | None:
    rows = model._default_manager.all()
    return missing_index(rows, resolve_ordering(rows, ordering))


def index(*fields: str, **options: Any) -> models.Index:
    return models.Index(fields=fields, name="one", **options)


def by(*expressions: Any) -> models.Index:
    return models.Index(*expressions, name="one")


COVERED = [
    ("exact", index("created", "id"), ["created"]),
    ("backwards", index("created", "id"), ["-created"]),
    ("down", index("-created", "-id"), ["created"]),
    ("mixed", index("cat", "-created", "-id"), ["cat", "-created"]),
    ("mixed-backwards", index("cat", "-created", "-id"), ["-cat", "created"]),
    ("longer", index("created", "id", "cat"), ["created"]),
    ("unused-columns", index("created", "id", include=["cat"]), ["created"]),
    ("native-nulls", index("score", "id"), ["score"]),
    ("native-nulls-down", index("score", "id"), ["-score"]),
    ("nulls-last", index("score", "id"), [F("score").asc(nulls_last=True)]),
    ("nulls-first", index("score", "id"), [F("score").asc(nulls_first=True)]),
    ("down-last", index("score", "id"), [F("score").desc(nulls_last=True)]),
    ("never-null", index("cat", "id"), [F("cat").desc(nulls_last=True)]),
    ("relation", index("author", "id"), ["author"]),
    ("relation-column", index("author", "id"), ["author_id"]),
    ("relation-key", index("author", "id"), ["author__id"]),
    ("column-of-relation", index("author_id", "id"), ["author"]),
    ("names", by("created", "id"), ["created"]),
    ("down-expressions", by(F("created").desc(), F("id").desc()), ["created"]),
    ("expression", by(Lower("title"), "id"), [Lower("title")]),
    ("expression-of-f", by(Lower(F("title")), "id"), [Lower("title")]),
    (
        "expression-down",
        by(Lower("title").desc(), F("id").desc()),
        [Lower("title").desc()],
    ),
    ("wrapped", by(Cast("title", models.TextField()), "id"), None),
    ("btree", BTreeIndex(fields=["created", "id"], name="one"), ["created"]),
]


@pytest.mark.parametrize(
    ("declared", "ordering"), [c[1:] for c in COVERED], ids=[c[0] for c in COVERED]
)
def test_an_index_that_serves(
    declared: Any, ordering: Any, vendor: str, table: Making
) -> None:
    del vendor
    ordering = ordering or [Cast("title", models.TextField())]
    assert lacking(table(declared), *ordering) is None
    assert lacking(table(), *ordering) is not None


CREATED = 'models.Index(fields=["created", "id"])'

#: What serves no ordering by `created`.
USELESS = {
    "none": [],
    "other": [index("cat", "id")],
    "not-first": [index("cat", "created", "id")],
    "between": [index("created", "cat", "id")],
    "partial": [index("created", "id", condition=Q(cat=1))],
    "operators": [index("created", "id", opclasses=["date_ops", "int4_ops"])],
    "brin": [BrinIndex(fields=["created", "id"], name="one")],
    "gin": [GinIndex(fields=["created", "id"], name="one")],
    "hash": [HashIndex(fields=["created"], name="one")],
    "half-turned": [index("created", "-id")],
    "half-turned-too": [index("-created", "id")],
    "expression": [by(Lower("title"), "id")],
    "included": [index("cat", include=["created", "id"])],
    "misspelt": [by(F("creatd"), "id")],
}


@pytest.mark.parametrize("direction", ["", "-"])
@pytest.mark.parametrize("declared", USELESS.values(), ids=USELESS)
def test_an_index_that_does_not_serve(
    declared: Any, direction: str, vendor: str, table: Making
) -> None:
    del vendor
    assert lacking(table(*declared), f"{direction}created") == CREATED


@pytest.mark.parametrize("place", ["nulls_first", "nulls_last"])
@pytest.mark.parametrize("down", [False, True])
def test_nulls_elsewhere_in_an_index(
    place: Any, down: bool, vendor: str, table: Making
) -> None:
    """Such an index serves what it is the native one of, and nothing else.

    The planner asks for the NULLs apart, and for the rest as the database has it.
    """
    given: Any = {place: True}
    order = F("score").desc(**given) if down else F("score").asc(**given)
    tie = F("id").desc() if down else F("id")
    native = ((place == "nulls_last") != down) == (vendor == "postgresql")
    expected = None if native else 'models.Index(fields=["score", "id"])'
    model = table(by(order, tie))
    assert lacking(model, order) == expected
    assert lacking(model, "score") == expected
    assert lacking(model, "-score") == expected


def test_what_the_database_adds_to_an_index(vendor: str, table: Making) -> None:
    """SQLite and InnoDB have the key at the end; PostgreSQL would sort the ties."""
    implied = vendor != "postgresql"
    found = lacking(table(index("created")), "created")
    assert found == (None if implied else CREATED)
    assert lacking(table(index("-created")), "-created", "id") == (
        None if implied else 'models.Index(fields=["-created", "id"])'
    )
    assert lacking(table(index("-created")), "created") == CREATED
    # It begins with a column that PostgreSQL's planner stops at.
    assert lacking(table(by(F("creatd"), "created")), "created") == CREATED
    # What cannot be understood stands between, and the key behind it.
    assert lacking(table(by("created", F("creatd"))), "created") == CREATED


@pytest.mark.parametrize(
    ("key", "vendors"),
    [
        (models.IntegerField, {"sqlite", "mysql"}),
        (models.BigAutoField, {"sqlite", "mysql"}),
        (models.BigIntegerField, {"mysql"}),
        (models.UUIDField, {"mysql"}),
    ],
)
def test_keys_that_are_in_every_index(
    key: Any, vendors: set[str], vendor: str, table: Making
) -> None:
    model = table(index("created"), fields={"id": key(primary_key=True)})
    assert lacking(model, "created") == (None if vendor in vendors else CREATED)


def test_a_key_of_two_columns_that_is_in_every_index(
    vendor: str, table: Making
) -> None:
    fields = {"pk": models.CompositePrimaryKey("cat", "title")}
    declaration = 'models.Index(fields=["created", "cat", "title"])'
    expected = None if vendor == "mysql" else declaration
    assert lacking(table(index("created"), fields=fields), "created") == expected
    down = 'models.Index(fields=["-created", "title", "cat"])'
    found = lacking(table(index("created"), fields=fields), "-created", "title", "cat")
    assert found == down
    # One part is in the index itself already.
    assert lacking(table(index("cat", "created"), fields=fields), "cat", "created") == (
        None
        if vendor == "mysql"
        else 'models.Index(fields=["cat", "created", "title"])'
    )


@pytest.mark.parametrize(
    ("model", "ordering", "expected"),
    [
        (Article, ["pk"], None),
        (Article, ["-pk"], None),
        (Article, [], None),
        (Profile, ["pk"], None),
        (Seat, [], None),
        (Seat, ["-line", "-number"], None),
        (Seat, ["line"], None),
        (Seat, ["line", "-number"], 'models.Index(fields=["line", "-number"])'),
        (Seat, ["number"], 'models.Index(fields=["number", "line"])'),
    ],
)
def test_the_primary_key_has_an_index(
    model: Any, ordering: list[str], expected: str | None, vendor: str
) -> None:
    del vendor
    assert lacking(model, *ordering) == expected


def unique(*names: str, **options: Any) -> dict[str, Any]:
    constraint = models.UniqueConstraint(fields=names, name="one", **options)
    return {"constraints": [constraint]}


@pytest.mark.parametrize(
    ("meta", "served"),
    [
        ({"unique_together": [("cat", "title")]}, True),
        (unique("cat", "title"), True),
        (unique("cat", "title", deferrable=models.Deferrable.DEFERRED), False),
        (unique("cat", "title", condition=Q(cat=1)), False),
        (unique("cat", "title", opclasses=["a", "b"]), False),
        (
            {"constraints": [models.CheckConstraint(condition=Q(cat=1), name="a")]},
            False,
        ),
    ],
    ids=["together", "constraint", "deferred", "partial", "operators", "check"],
)
def test_unique_columns_have_an_index(
    meta: dict[str, Any], served: bool, vendor: str, table: Making
) -> None:
    model = table(**meta)
    # A deferred one promises nothing, so the key follows, which only some add.
    implied = "deferrable" in repr(meta) and vendor != "postgresql"
    assert (lacking(model, "cat", "title") is None) == (served or implied)


def test_a_unique_expression_has_an_index(vendor: str, table: Making) -> None:
    del vendor
    constraint = models.UniqueConstraint(Lower("title"), "id", name="one")
    assert lacking(table(constraints=[constraint]), Lower("title")) is None


@pytest.mark.parametrize(
    ("options", "served"),
    [
        ({"unique": True}, True),
        ({"unique": True, "null": True}, False),
        ({"db_index": True}, False),
    ],
)
def test_columns_with_an_index(
    options: dict[str, Any], served: bool, vendor: str, table: Making
) -> None:
    model = table(fields={"number": models.IntegerField(**options)})
    implied = vendor != "postgresql"
    assert (lacking(model, "number") is None) == (served or implied)


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        (["created"], CREATED),
        (["-created"], CREATED),
        (["-created", "id"], 'models.Index(fields=["-created", "id"])'),
        (["cat", "-created"], 'models.Index(fields=["cat", "-created", "-id"])'),
        (["author"], 'models.Index(fields=["author", "id"])'),
        (
            [Lower("title")],
            'models.Index(Lower("title"), "id", name="row_X_idx")',
        ),
        (
            [Lower("title").desc(), "-score", "id"],
            (
                'models.Index(Lower("title").desc(), F("score").desc(), "id",'
                ' name="row_X_idx")'
            ),
        ),
        (
            [Lower("title").desc()],
            'models.Index(Lower("title"), "id", name="row_X_idx")',
        ),
        (
            [Coalesce("score", Value(0))],
            'models.Index(Coalesce("score", Value(0)), "id", name="row_X_idx")',
        ),
        (
            [Cast("title", output_field=models.CharField(max_length=9))],
            (
                'models.Index(Cast("title", output_field=CharField(max_length=9)),'
                ' "id", name="row_X_idx")'
            ),
        ),
    ],
)
def test_the_declaration_to_add(
    ordering: list[Any],
    expected: str,
    vendor: str,
    table: Making,
    pasted: Callable[[str], Any],
) -> None:
    del vendor
    found = lacking(table(), *ordering) or ""
    built = pasted(found)
    if built.name:
        digest = built.name.split("_")[1]
        assert len(built.name) <= built.max_name_length
        found = found.replace(digest, "X")
    assert found == expected
    assert lacking(table(built), *ordering) is None


NUMBERS = Article.objects.filter(version=OuterRef("cat")).values("version")
SUBQUERY = Exists(NUMBERS)


@pytest.mark.parametrize(
    "ordering",
    [
        ["author__name"],
        ["-author__name", "cat"],
        [Lower("author__name")],
        [Concat("title", "author__name")],
        [SUBQUERY],
        [Subquery(NUMBERS)],
        [Coalesce(Subquery(NUMBERS), "cat")],
        [Coalesce(Value(1), Value(2))],
        [Value(1)],
    ],
)
def test_what_no_index_can_serve(
    ordering: list[Any], vendor: str, table: Making
) -> None:
    del vendor
    assert lacking(table(), *ordering) is None


@pytest.mark.parametrize("place", ["nulls_first", "nulls_last"])
def test_nulls_out_of_place_behind_the_first_term(
    place: str, vendor: str, table: Making
) -> None:
    """No index helps the database there; in their own place, one does."""
    given: Any = {place: True}
    found = lacking(table(), "cat", F("score").asc(**given))
    native = (place == "nulls_last") == (vendor == "postgresql")
    declaration = 'models.Index(fields=["cat", "score", "id"])'
    assert found == (declaration if native else None)


def test_annotations(vendor: str, table: Making) -> None:
    del vendor
    plain, declared = table(), table(by(Lower("title"), "id"), index("created", "id"))
    for model, served in ((plain, False), (declared, True)):
        rows = model.objects.annotate(
            lower=Lower("title"), upper=Upper("lower"), at=F("created"), name=SUBQUERY
        )
        lower = missing_index(rows, resolve_ordering(rows, ["lower"])) or ""
        assert lower.startswith('models.Index(Lower("title"), "id"') != served
        found = missing_index(rows, resolve_ordering(rows, ["at"]))
        assert found == (None if served else CREATED)
        assert missing_index(rows, resolve_ordering(rows, ["name"])) is None
        assert missing_index(rows, resolve_ordering(rows, ["upper"])) is not None


def test_groups_have_no_index(vendor: str, table: Making) -> None:
    del vendor
    rows = table().objects.values("cat")
    groups = rows.annotate(number=Count("id"))
    assert missing_index(groups, resolve_ordering(groups, ["number"])) is None
    distinct = rows.distinct()
    assert missing_index(distinct, resolve_ordering(distinct, ["cat"])) is None
    assert lacking(table(managed=False), "created") is None


@isolate_apps("tests.app")
def test_a_table_and_its_parent(vendor: str, table: Making) -> None:
    """What is in two tables no index can serve; a proxy has no table."""
    del vendor
    parent = table(index("created", "id"))

    meta = type("Meta", (), {"app_label": "tests_app"})
    own = {"__module__": __name__, "Meta": meta, "rank": models.IntegerField()}
    child = type("Child", (parent,), own)
    meta = type("Meta", (), {"app_label": "tests_app", "proxy": True})
    proxy = type("Proxy", (parent,), {"__module__": __name__, "Meta": meta})
    assert lacking(child, "created") is None
    assert lacking(child, "cat") is None
    assert lacking(child, "rank") == 'models.Index(fields=["rank", "row_ptr"])'
    assert lacking(proxy, "created") is None
    assert lacking(proxy, "cat") == 'models.Index(fields=["cat", "id"])'


def test_a_database_whose_indexes_have_no_directions(
    vendor: str, table: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    del vendor
    features: Any = type(connection.features)
    monkeypatch.setattr(features, "supports_index_column_ordering", False)
    # The minus is ignored there, also by Django.
    assert lacking(table(index("cat", "-created", "id")), "cat", "created") is None
    assert lacking(table(index("cat", "-created", "id")), "cat", "-created") is None
    assert lacking(table(), "-cat", "-created") is not None


#: Rows that are written, and how often they are doubled: as few as let each database
#: prefer an index to a sort.
ROWS = 375
DOUBLED = 3
DOUBLE = """INSERT INTO {table} (cat, created, score, title, author_id)
    SELECT cat, created, score + %s, title, author_id FROM {table}"""
#: How each database says that it has to sort.
SORTS = {"sqlite": "TEMP B-TREE", "postgresql": "Sort", "mariadb": "filesort"}

REAL: dict[str, tuple[Any, list[Any]]] = {
    "exact": (index("created", "id"), ["created"]),
    "backwards": (index("created", "id"), ["-created"]),
    "implied": (index("created"), ["created"]),
    "implied-half": (index("created"), ["-created", "id"]),
    "implied-down": (index("-created"), ["-created", "id"]),
    "half": (index("created", "id"), ["created", "-id"]),
    "mixed": (index("cat", "-created", "id"), ["-cat", "created", "-id"]),
    "nulls": (index("score", "id"), ["score"]),
    "nulls-down": (index("score", "id"), ["-score"]),
    "nulls-last": (index("score", "id"), [F("score").asc(nulls_last=True)]),
    "nulls-first": (index("score", "id"), [F("score").asc(nulls_first=True)]),
    "nulls-down-last": (index("score", "id"), [F("score").desc(nulls_last=True)]),
    "relation": (index("author", "id"), ["author_id"]),
    "none": (index("cat", "id"), ["created"]),
}
#: What other databases do not understand.
POSTGRESQL: dict[str, tuple[Any, list[Any]]] = {
    "last": (by(F("score").desc(nulls_last=True), F("id").desc()), ["-score"]),
    "last-asked": (
        by(F("score").desc(nulls_last=True), F("id").desc()),
        [F("score").desc(nulls_last=True)],
    ),
    "native": (by(F("score").asc(nulls_last=True), "id"), ["score"]),
    "expression": (by(Lower("title"), "id"), [Lower("title").desc()]),
    "hash": (HashIndex(fields=["created"], name="one"), ["created"]),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("declared", "items"), REAL.values(), ids=REAL)
def test_the_database_agrees(
    declared: Any, items: list[Any], database: str, table: Making
) -> None:
    agree(table(declared), items, database)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("declared", "items"), POSTGRESQL.values(), ids=POSTGRESQL)
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_agrees(
    declared: Any, items: list[Any], database: str, table: Making
) -> None:
    agree(table(declared), items, database)


def agree(model: Any, items: list[Any], database: str) -> None:
    """See that what is said to be served is never sorted, and what is not, is."""
    with connection.schema_editor() as editor:
        editor.create_model(model)
    try:
        fill(model)
        rows = model.objects.all()
        ordering = resolve_ordering(rows, items)
        middle = ordering.values_of(rows.annotate(**ordering.annotations())[1000])
        parts = [*plan(rows, ordering), *plan(rows, ordering, middle)]
        sorts = [SORTS[database] in part[:11].explain() for part in parts]
        assert any(sorts) == (missing_index(rows, ordering) is not None)
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(model)


def fill(model: Any) -> None:
    author = Author.objects.create(name="anyone")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    model.objects.bulk_create(
        model(
            cat=number % 5,
            created=noon + timedelta(seconds=number * 7919 % 1000),
            score=None if number % 3 == 0 else number * 7919 % 1000,
            title=str(number * 7919 % 1000),
            author=author,
        )
        for number in range(ROWS)
    )
    analyze = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
    table = model._meta.db_table
    with connection.cursor() as cursor:
        for turn in range(DOUBLED):
            cursor.execute(DOUBLE.replace("{table}", table), [1000 * 2**turn])
        cursor.execute(f"{analyze} {table}")
