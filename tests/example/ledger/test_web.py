"""The pages: who sees what, and how they fail."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ledger.models import Account, Transfer

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.example.ledger.web_urls"),
]
PAGES = ["/accounts/", "/transfers/", "/transfers/new/", "/transfers/1/"]


@pytest.fixture
def alice(client: Client, people: dict[str, User]) -> Client:
    client.force_login(people["alice"])
    return client


def test_a_stranger_finds_the_way_in(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert 'href="/oidc/authenticate/?next=/accounts/"' in page.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_log_in_and_back(client: Client, path: str) -> None:
    answer = client.get(f"{path}?account=1")
    assert answer.status_code == 302
    assert answer["Location"] == f"/oidc/authenticate/?next={path}%3Faccount%3D1"


def test_an_order_of_a_stranger_is_sent_to_log_in(client: Client) -> None:
    answer = client.post("/transfers/new/", {"source": "1"})
    wanted = "/oidc/authenticate/?next=/transfers/new/%3Fsource%3D1"
    assert answer["Location"] == wanted
    answer = client.post("/accounts/?x=1", {"source": "1"})
    assert answer["Location"] == "/oidc/authenticate/?next=/accounts/"


def test_home_greets(alice: Client) -> None:
    page = alice.get("/").content.decode()
    assert "Hello, alice" in page
    assert '<form class="who" method="post" action="/oidc/logout/">' in page


@pytest.mark.parametrize("path", ["/", *PAGES[:3]])
@pytest.mark.usefixtures("paid")
def test_a_page_loads_nothing_but_its_style_and_stays_nowhere(
    alice: Client, path: str
) -> None:
    page = alice.get(path)
    assert page["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert "no-store" in page["Cache-Control"]
    text = page.content.decode()
    assert "<script" not in text
    assert "style=" not in text
    assert alice.get("/style.css")["Content-Type"] == "text/css"


def test_accounts_are_the_own_ones_in_major_units(
    alice: Client, open_account: Any
) -> None:
    open_account("alice", 123_456_789, name="Savings")
    open_account("alice", 700, name="Yen", currency="JPY", status="frozen")
    open_account("bob", 77_777, name="Secret")
    page = alice.get("/accounts/").content.decode()
    assert "1,234,567.89 EUR" in page
    assert "700 JPY" in page
    assert "Frozen" in page
    assert "Secret" not in page
    assert "777.77" not in page


def test_the_staff_sees_its_own_accounts_here(
    client: Client, people: dict[str, User], alices: Account
) -> None:
    client.force_login(people["operator"])
    page = client.get("/accounts/").content.decode()
    assert "You have no account here yet" in page
    assert "/admin/" in page
    assert alices.name not in page
    assert "no account that could pay" in client.get("/transfers/new/").content.decode()


def test_a_transfer_is_seen_from_both_sides(
    client: Client, paid: Transfer, people: dict[str, User]
) -> None:
    for name, sign, other in (
        ("alice", "\N{MINUS SIGN}", paid.target),
        ("bob", "+", paid.source),
    ):
        client.force_login(people[name])
        page = client.get("/transfers/").content.decode()
        assert f"{sign}1.00 EUR" in page
        assert f"Account {other.pk}" in page
        assert f"{other.name}" not in page
        detail = client.get(f"/transfers/{paid.pk}/").content.decode()
        assert "1.00 EUR" in detail
        assert f"Account {other.pk}" in detail
        assert other.name not in detail


def test_a_transfer_of_others_is_not_there(
    client: Client, paid: Transfer, people: dict[str, User]
) -> None:
    client.force_login(people["operator"])
    page = client.get(f"/transfers/{paid.pk}/")
    assert page.status_code == 404
    assert "text/html" in page["Content-Type"]
    assert "Not found" in page.content.decode()
    assert "There are none yet" in client.get("/transfers/").content.decode()


def test_the_pages_of_a_list_lead_to_its_end_and_back(
    alice: Client, alices: Account, bobs: Account
) -> None:
    Transfer.objects.bulk_create(
        Transfer(
            source=alices,
            target=bobs,
            amount=1 + n,
            currency="EUR",
            status="pending",
            reference=f"<b>{n}</b>",
        )
        for n in range(40)
    )
    seen, url = [], "/transfers/"
    pages = 0
    while url:
        text = alice.get(url).content.decode()
        seen += [n for n in range(40) if f"&lt;b&gt;{n}&lt;/b&gt;" in text]
        assert "40 in all" in text
        pages, before, url = pages + 1, url, links(text).get("next", "")
    assert (pages, sorted(seen), len(seen)) == (3, list(range(40)), 40)
    back = links(alice.get(before).content.decode())
    assert set(back) == {"first", "prev"}
    assert set(links(alice.get(back["first"]).content.decode())) == {"next", "last"}


def test_the_transfers_of_one_account(alice: Client, history: list[Transfer]) -> None:
    mine, bobs = history[0].source, history[0].target
    page = alice.get(f"/transfers/?account={mine.pk}").content.decode()
    assert f"Transfers of {mine.name.replace(chr(39), '&#x27;')}" in page
    page = alice.get(f"/transfers/?account={bobs.pk}").content.decode()
    assert f"Transfers with account {bobs.pk}" in page
    assert page.count("<time ") == 2


@pytest.mark.parametrize("text", ["{}.0", "{}.", "0{}", "%20{}", "{}&account={}"])
def test_an_account_is_the_number_that_the_filter_reads(
    alice: Client, history: list[Transfer], text: str
) -> None:
    for account in (history[0].source, history[0].target):
        number = str(account.pk)
        plain = alice.get(f"/transfers/?account={number}")
        page = alice.get(f"/transfers/?account={text.replace('{}', number)}")
        assert page.status_code == 200
        assert heading(page) == heading(plain)


def test_an_account_that_nobody_has_can_be_left_again(alice: Client) -> None:
    page = alice.get("/transfers/?account=0")
    assert heading(page) == "Transfers with account 0"
    assert "Show all transfers" in page.content.decode()


# Each reads the session and the user besides, and `new/` the accounts that can pay:
# whether there are any, then the choice of them.
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/", 2),
        ("/accounts/", 3),
        ("/transfers/", 6),
        ("/transfers/?account={}", 6),
        ("/transfers/new/", 4),
        ("/transfers/{}/", 4),
    ],
)
def test_a_page_asks_the_database_as_often_however_much_there_is(
    alice: Client,
    open_account: Any,
    django_assert_num_queries: Any,
    path: str,
    queries: int,
) -> None:
    for _ in range(2):
        mine, theirs = open_account("alice"), open_account("bob")
        made = Transfer.objects.bulk_create(
            Transfer(source=one, target=two, amount=1, currency="EUR", status="pending")
            for one, two in ((mine, theirs), (theirs, mine)) * 10
        )
        number = mine.pk if "account" in path else made[0].pk
        with django_assert_num_queries(queries):
            assert alice.get(path.format(number)).status_code == 200


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE"])
def test_other_methods_get_a_page_too(alice: Client, method: str) -> None:
    page = alice.generic(method, "/accounts/")
    assert page.status_code == 405
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("query", "title"),
    [("account=x", "Validation error"), ("cursor=x", "Invalid cursor")],
)
def test_a_bad_address_gets_a_page(alice: Client, query: str, title: str) -> None:
    page = alice.get(f"/transfers/?{query}")
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")
    assert f"<h1>{title}</h1>" in page.content.decode()


@pytest.mark.usefixtures("paid")
def test_the_pages_are_english_throughout(alice: Client) -> None:
    page = alice.get("/transfers/", headers={"Accept-Language": "de"})
    assert "1 in all" in page.content.decode()
    assert page["Content-Language"] == "en"


def heading(page: Any) -> str:
    text: str = page.content.decode()
    return text.partition("<h1>")[2].partition("</h1>")[0]


def links(page: str) -> dict[str, str]:
    """Give the links of a pager by their relations."""
    parser = _Links()
    parser.feed(page)
    return parser.found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and (relation := given.get("rel")):
            self.found[relation] = given["href"] or ""
