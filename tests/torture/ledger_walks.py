"""The transfers of the ledger, walked end to end in each of their orderings.

Through the real URLs, as a client does: `next` to the end, `prev` of the header
Link back to the beginning. Judged by one unpaginated ORDER BY; the total is
counted once for each way.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings
from rest_framework.test import APIClient

from drf_apikit.authentication import AccessToken
from ledger.models import Transfer
from ledger.seeding import Books, write_books
from ledger.views import TransferViewSet
from tests.benchmarks.harness import throw_away_database
from tests.torture.harness import conclude, options

FIELDS: Final = TransferViewSet.ordering_fields
ORDERINGS: Final = tuple(f"{sign}{name}" for name in FIELDS for sign in ("", "-"))
WRONG: Final = ("lost", "repeated", "misordered", "wrong totals", "further counts")


def walk(client: APIClient, url: str, relation: str) -> Iterator[Any]:
    """Follow a relation of the header Link; give the answers."""
    following: str | None = url
    while following is not None:
        response = client.get(following)
        assert response.status_code == 200, response.content
        yield response
        links = response.headers["Link"].split(", ")
        targets = [link for link in links if f'rel="{relation}"' in link]
        following = targets[0].partition(">")[0][1:] if targets else None


def address_of(response: Any) -> str:
    """Give where an answer came from."""
    return f"{response.request['PATH_INFO']}?{response.request['QUERY_STRING']}"


def noting_counts(noted: list[str]) -> Callable[..., Any]:
    """Give what notes each COUNT that is sent."""

    def note(execute: Callable[..., Any], sql: str, *details: Any) -> Any:
        if "COUNT(" in sql:
            noted.append(sql)
        return execute(sql, *details)

    return note


def judge(expected: list[int], found: list[int]) -> Counter[str]:
    """Compare the rows of a walk with those of the one query."""
    missing, repeated = set(expected) - set(found), len(found) - len(set(found))
    misordered = not missing and not repeated and found != expected
    return Counter(
        {"lost": len(missing), "repeated": repeated, "misordered": int(misordered)}
    )


def walk_both_ways(client: APIClient, name: str, size: int) -> Counter[str]:
    """Walk one ordering to its end and back; count what is wrong."""
    key = "-id" if name.startswith("-") else "id"
    expected = list(Transfer.objects.order_by(name, key).values_list("id", flat=True))
    wrong: Counter[str] = Counter()
    url = f"/api/transfers/?ordering={name}&page_size={size}"
    for relation in ("next", "prev"):
        found: list[int] = []
        counts: list[str] = []
        with connection.execute_wrapper(noting_counts(counts)):
            for response in walk(client, url, relation):
                rows = [row["id"] for row in response.data["results"]]
                found += rows[:: 1 if relation == "next" else -1]
                total = (response.data["count"], response.data["count_relation"])
                wrong["wrong totals"] += total != (len(expected), "exact")
                url = address_of(response)
        backwards = relation == "prev"
        wrong += judge(expected[::-1] if backwards else expected, found)
        wrong["further counts"] += len(counts) - (
            not backwards and len(expected) > size
        )
    return wrong


def run(rows: int, size: int) -> int:
    """Walk all orderings; print the result and give the exit code."""
    users = User.objects.bulk_create(User(username=f"{n}") for n in range(250))
    write_books(Books(rows), [user.pk for user in users], lambda _: None)
    staff = User.objects.create(username="staff", is_staff=True)
    client = APIClient()
    token: Any = AccessToken({"scope": "ledger:read"})
    client.force_authenticate(staff, token)
    wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
    apikit = {**settings.DRF_APIKIT, "PAGINATION": {"MAX_PAGE_SIZE": size}}
    with override_settings(DRF_APIKIT=apikit):
        for name in ORDERINGS:
            wrong.update(walk_both_ways(client, name, size))
    counts = {"transfers": rows, "orderings": len(ORDERINGS), "rows of a page": size}
    return conclude("ledger_walks", counts, {name: wrong[name] for name in WRONG})


def main() -> int:
    chosen = options(__doc__, rows=20_000, size=100)
    with throw_away_database("postgresql"):
        return run(chosen.rows, chosen.size)


if __name__ == "__main__":
    sys.exit(main())
