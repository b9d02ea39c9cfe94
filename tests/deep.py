"""A table as deep as wanted, made within the database, for what depth may cost.

Its rows are spread or clustered: the groups of `cat` and the NULLs of `score`
all over the table, or in one piece each, which misleads planners in other ways.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

from django.db import connection, models

__all__ = ["Deep", "deep_table", "fill"]

#: The numbers from 1 to the first parameter, as `n`.
NUMBERS: Final = {
    "postgresql": "SELECT n FROM generate_series(1::bigint, %s) AS numbers(n)",
    "sqlite": """WITH RECURSIVE numbers(n) AS (
        SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s
    ) SELECT n FROM numbers""",
    "mysql": "SELECT seq AS n FROM seq_1_to_100000000 WHERE seq <= %s",
}
#: A moment of which each third row has a new one.
MOMENTS: Final = {
    "postgresql": "timestamptz '2026-01-01 00:00Z' + n / 3 * interval '1 second'",
    "sqlite": "datetime('2026-01-01', (n / 3) || ' seconds')",
    "mysql": "timestamp '2026-01-01 00:00:00' + INTERVAL n DIV 3 SECOND",
}
INSERT: Final = """INSERT INTO tests_deep (id, created, score, cat, name, body)
    SELECT n, {moment}, {score}, {cat}, CAST(n AS char(10)), %s
    FROM ({numbers}) AS source ORDER BY source.n"""
#: `score`, of which 45 rows have the same, and `cat`. All pages of an ordering lie
#: equally close together, since that is no matter of depth.
SPREAD: Final = (
    "CASE WHEN n %% 10 = 0 THEN NULL ELSE FLOOR((n %% 10 * {rows} + n) / 450) END",
    "n %% 5",
)
CLUSTERED: Final = (
    "CASE WHEN n > {rows} - {rows} / 10 THEN NULL ELSE FLOOR(n / 45) END",
    "FLOOR((n - 1) * 5 / {rows})",
)
#: How long the longest text of a row is.
WIDTH: Final = 80
ANALYZE: Final = {
    "postgresql": "VACUUM (ANALYZE) tests_deep",
    "sqlite": "ANALYZE tests_deep",
    "mysql": "ANALYZE TABLE tests_deep",
}


class Deep(models.Model):
    """Orderings: unique or nearly, mixed, nullable, and in large groups."""

    id = models.BigAutoField(primary_key=True)
    created = models.DateTimeField()
    score = models.IntegerField(null=True)
    cat = models.IntegerField()
    name = models.CharField(max_length=40)
    body = models.CharField(max_length=100)

    objects: ClassVar[models.Manager["Deep"]] = models.Manager()

    class Meta:
        app_label = "tests_app"
        db_table = "tests_deep"
        # Made here, and by no migration.
        managed = False
        indexes = (
            models.Index(fields=["created", "id"], name="deep_uniform"),
            models.Index(fields=["cat", "-created", "id"], name="deep_mixed"),
            models.Index(fields=["score", "id"], name="deep_nullable"),
            models.Index(fields=["cat", "id"], name="deep_groups"),
        )


@contextmanager
def deep_table() -> Iterator[None]:
    """Make the table in the default database, empty, and drop it in the end."""
    with connection.schema_editor() as editor:
        editor.create_model(Deep)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Deep)


def fill(rows: int, *, clustered: bool = False) -> None:
    """Write the rows, then the indexes, then what planners want to know."""
    score, cat = CLUSTERED if clustered else SPREAD
    vendor = connection.vendor
    parts = {
        "{score}": score,
        "{cat}": cat,
        "{moment}": MOMENTS[vendor],
        "{numbers}": NUMBERS[vendor],
        "{rows}": str(rows),
    }
    sql = INSERT
    for name, text in parts.items():
        sql = sql.replace(name, text)
    with connection.cursor() as cursor:
        cursor.execute(sql, ["b" * WIDTH, rows])
    with connection.schema_editor() as editor:
        for index in Deep._meta.indexes:
            editor.add_index(Deep, index)
    with connection.cursor() as cursor:
        cursor.execute(ANALYZE[vendor])
