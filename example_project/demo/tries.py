"""What a person does with a browser, and the worker without one: tried by script."""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from demo.cast import APP_CLIENT, CUSTOMERS
from demo.outcome import Outcome
from demo.processes import Services
from demo.steps import SCOPE
from demo.visitor import SECONDS, Page, Visitor

__all__ = ["PAYMENTS", "TRIED", "try_all"]

PERSON = CUSTOMERS[0]
AMOUNT = Decimal("12.34")
PAYMENTS = """\
id,source,target,amount,currency,reference
invoice-2001,1,5,12.50,EUR,coffee beans
invoice-2002,2,6,8.00,EUR,tea
"""
MOST_PAGES = 3
MONEY = re.compile(r'<p class="money">([0-9,.]+) ')
ROW = re.compile(r'href="(/transfers/\d+/)"')
#: How many outcomes there are.
TRIED = 6


def try_all(services: Services) -> Iterator[Outcome]:
    """Try everything, in the order in which a person would."""
    evening = _Evening(services)
    yield evening.log_in()
    yield evening.turn_pages()
    yield evening.click_twice()
    yield evening.authorize_swagger()
    yield run_worker(services)
    yield evening.log_out()


def run_worker(services: Services) -> Outcome:
    """Run the worker twice on one file."""
    file = services.write("payments.csv", PAYMENTS)
    (first, said), (second, said_again) = services.work(file), services.work(file)
    return Outcome(
        "The worker, with a token of its own: run twice, it pays once",
        [*said.strip().splitlines(), "Again:", *said_again.strip().splitlines()],
        [
            ("it ends well both times", (first, second) == (0, 0)),
            ("the first run pays", said.count(" paid, transfer ") == 2),
            ("the second one does not", said_again.count(" paid before, ") == 2),
            ("all are in the books", "In the books: 2" in said_again),
        ],
    )


class _Evening:
    """One person at the web page, with one browser."""

    def __init__(self, services: Services) -> None:
        self._api, self._issuer = services.api, services.issuer
        self._password = services.cast.passwords[PERSON]
        self._visitor = Visitor()

    def log_in(self) -> Outcome:
        """Be sent to the provider, say who one is, allow it, and come back."""
        asked = self._visitor.open(f"{self._api}/accounts/")
        consent = self._visitor.submit(
            asked, "username", username=PERSON, password=self._password
        )
        accounts = self._visitor.submit(consent, "client_id", allow="true")
        return Outcome(
            "The web page: logging in at the provider",
            [_line(page) for page in (asked, consent, accounts)],
            [
                ("the provider asks who it is", self._is_at(asked, "/login/")),
                ("and whether that is allowed", self._is_at(consent, "/authorize/")),
                ("the way back", accounts.url == f"{self._api}/accounts/"),
                ("four accounts, in major units", len(_balances(accounts)) == 4),
            ],
        )

    def turn_pages(self) -> Outcome:
        """Follow the links of the pager, and go back."""
        pages = [self._visitor.open(f"{self._api}/transfers/")]
        while "next" in pages[-1].links and len(pages) < MOST_PAGES:
            pages.append(self._visitor.open(pages[-1].links["next"]))
        rows = [row for page in pages for row in rows_of(page)]
        back = pages[0]
        if len(pages) > 1:
            back = self._visitor.open(pages[1].links.get("prev", ""))
        return Outcome(
            "The web page: the transfers, page by page",
            [f"{_line(page)}, {len(rows_of(page))} rows" for page in pages],
            [
                ("no transfer is on two pages", len(rows) == len(set(rows))),
                ("Newer leads back", rows_of(back) == rows_of(pages[0])),
            ],
        )

    def click_twice(self) -> Outcome:
        """Send one form twice at once."""
        accounts = f"{self._api}/accounts/"
        before = _balances(self._visitor.open(accounts))
        form = self._visitor.open(f"{self._api}/transfers/new/")
        order = {"source": "1", "target": "5", "amount": str(AMOUNT)}

        def click(_: int) -> requests.Response:
            return self._visitor.send(form, "idempotency_key", **order)

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(click, range(2)))
        after = _balances(self._visitor.open(accounts))
        places = {answer.headers.get("Location") for answer in answers}
        return Outcome(
            "The web page: a transfer form that is clicked twice",
            [
                f"{answer.status_code}: see {answer.headers.get('Location')}"
                for answer in answers
            ],
            [
                ("both are 303", {each.status_code for each in answers} == {303}),
                ("both lead to one transfer", len(places) == 1),
                ("the money left once", [before[0] - AMOUNT] == after[:1]),
            ],
        )

    def authorize_swagger(self) -> Outcome:
        """Do what Swagger UI's "Authorize" does: a code, PKCE, a token, a call."""
        schema = self._visitor.session.get(
            f"{self._api}/api/schema/?format=json", timeout=SECONDS
        ).json()
        scheme = schema["components"]["securitySchemes"].get("oauth2", {})
        flow = scheme.get("flows", {}).get("authorizationCode", {})
        page, redirect, verifier = self._code_page(str(flow.get("authorizationUrl")))
        code = dict(parse_qsl(urlsplit(page.url).query)).get("code", "")
        answer = self._token(str(flow.get("tokenUrl")), redirect, code, verifier)
        token = answer.json().get("access_token", "")
        called = self._visitor.session.get(
            f"{self._api}/api/accounts/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=SECONDS,
        )
        readable = answer.headers.get("Access-Control-Allow-Origin") == self._api
        return Outcome(
            'Swagger UI: "Authorize", as a public client with PKCE',
            [_line(page), f"the token endpoint says {answer.status_code}"],
            [
                ("the code comes to Swagger UI", page.url.startswith(redirect)),
                ("its script may read the token", readable),
                ("the token opens the API", called.status_code == 200),
            ],
        )

    def log_out(self) -> Outcome:
        """End the session here and at the provider."""
        page = self._visitor.submit(self._visitor.open(f"{self._api}/"), "/logout/")
        told = [_line(page)]
        if self._is_at(page, "/logout/"):
            page = self._visitor.submit(page, "post_logout_redirect_uri", allow="true")
            told.append(_line(page))
        asked = self._visitor.open(f"{self._api}/accounts/")
        return Outcome(
            "The web page: logging out, at the provider too",
            [*told, _line(asked)],
            [
                ("the way back", page.url.partition("?")[0] == f"{self._api}/"),
                ("nobody is logged in", "Log in" in page.text),
                ("the provider asks anew", self._is_at(asked, "/login/")),
            ],
        )

    def _code_page(self, authorize: str) -> tuple[Page, str, str]:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        redirect = f"{self._api}/api/docs/oauth2-redirect.html"
        query = {
            "response_type": "code",
            "client_id": APP_CLIENT,
            "redirect_uri": redirect,
            "scope": SCOPE,
            "state": secrets.token_urlsafe(12),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        consent = self._visitor.open(f"{authorize}?{urlencode(query)}")
        page = self._visitor.submit(consent, "client_id", allow="true")
        return page, redirect, verifier

    def _token(
        self, endpoint: str, redirect: str, code: str, verifier: str
    ) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": APP_CLIENT,
            "redirect_uri": redirect,
            "code": code,
            "code_verifier": verifier,
        }
        headers = {"Origin": self._api, "X-Requested-With": "XMLHttpRequest"}
        session = Visitor().session
        return session.post(endpoint, data=form, headers=headers, timeout=SECONDS)

    def _is_at(self, page: Page, path: str) -> bool:
        return page.url.startswith(f"{self._issuer}{path}")


def rows_of(page: Page) -> list[str]:
    """Give the transfers of a page, in their order."""
    return ROW.findall(page.text)


def _balances(page: Page) -> list[Decimal]:
    return [Decimal(text.replace(",", "")) for text in MONEY.findall(page.text)]


def _line(page: Page) -> str:
    return f"{page.url.partition('?')[0]} ({page.status})"
