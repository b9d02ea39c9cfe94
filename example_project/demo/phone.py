"""What a person does with the mobile app: tokens of the ledger's own, by script."""

import base64
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from demo.cast import CUSTOMERS
from demo.outcome import Outcome
from demo.processes import Services
from demo.steps import fetch_token, token_request
from mobile import CLIENT_ID
from mobile.session import Session, SessionOverError

__all__ = ["PHONE_TRIED", "try_phone"]

PERSON = CUSTOMERS[0]
ACCOUNTS, SESSIONS = "/api/accounts/", "/api/sessions/"
REFRESH = "/api/token/refresh/"
KEY_SET = "/.well-known/jwks.json"
#: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1.
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
AT_ONCE = 8
HOUR = 60 * 60
SECONDS = 30.0
#: How many outcomes there are.
PHONE_TRIED = 6


def try_phone(services: Services) -> Iterator[Outcome]:
    """Try everything, in the order in which a person would.

    Raises:
        OSError: the app cannot go on.

    """
    try:
        app = _App(services)
        yield app.log_in()
        yield app.renew_at_once()
        yield app.lose_an_answer()
        yield app.change_keys()
        yield app.look_after_sessions()
        yield app.meet_a_thief()
    except (SessionOverError, KeyError) as error:
        raise OSError(f"The mobile app cannot go on: {error}") from error


class _Wire(HTTPAdapter):
    """The way from a phone to the ledger: counts renewals, and loses their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.renewals: list[int] = []
        self.to_lose = 0

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send it, and note what became of a renewal."""
        response = super().send(request, *args, **options)
        if request.path_url == REFRESH:
            self.renewals.append(response.status_code)
            if self.to_lose:
                self.to_lose -= 1
                raise requests.ConnectionError("The answer is lost on its way.")
        return response


class _Phone:
    """A phone with the app, whose clock can be put forward."""

    def __init__(self, services: Services) -> None:
        self._ahead = 0.0
        self.wire = _Wire()
        self.app = Session(services.api, CLIENT_ID, clock=self._clock)
        self.app.http.trust_env = False
        self.app.http.mount(services.api, self.wire)
        self.app.log_in(PERSON, services.cast.app_passwords[PERSON])

    def sleep(self) -> None:
        """Let the access token end, by this phone's clock."""
        self._ahead += HOUR

    def get(self, path: str = ACCOUNTS) -> requests.Response:
        """Ask the API for something."""
        return self.app.request("GET", path)

    def is_over(self) -> bool:
        """Tell whether the ledger refuses to go on with the session."""
        self.sleep()
        try:
            self.get()
        except SessionOverError:
            return True
        return False

    def _clock(self) -> float:
        return time.monotonic() + self._ahead


class _App:
    """One person with two phones."""

    def __init__(self, services: Services) -> None:
        self._services, self._api = services, services.api
        self._phone = _Phone(services)
        self._http = requests.Session()
        self._http.trust_env = False

    def log_in(self) -> Outcome:
        """Ask the API with a token of each issuer."""
        own = self._phone.app.tokens.access
        theirs = self._token_of_the_provider()
        issuers = [_part(token, 1).get("iss") for token in (own, theirs)]
        answers = [self._accounts(token) for token in (own, theirs)]
        return Outcome(
            "The mobile app: a token of the ledger's own, beside the provider's",
            [f"iss {issuer}" for issuer in issuers],
            [
                ("the ledger issued one of them", issuers[0] == self._api),
                ("the provider the other", issuers[1] == self._services.issuer),
                ("both open the API", _statuses(answers) == {200}),
                ("to the same accounts", answers[0].text == answers[1].text),
            ],
        )

    def renew_at_once(self) -> Outcome:
        """Let the token end, and ask from several threads."""
        self._phone.sleep()
        before = self._phone.app.tokens
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda _: self._phone.get(), range(AT_ONCE)))
        renewals = self._phone.wire.renewals
        return Outcome(
            f"The mobile app: a token ends while {AT_ONCE} threads ask",
            [f"renewals: {len(renewals)}", f"answers: {_statuses(answers)}"],
            [
                ("one of them renews it", renewals == [200]),
                ("nobody is refused", _statuses(answers) == {200}),
                ("the refresh token is another one", self._is_other(before.refresh)),
            ],
        )

    def lose_an_answer(self) -> Outcome:
        """Have the ledger renew, and the phone never hear of it."""
        before, wire = self._phone.app.tokens, self._phone.wire
        wire.renewals.clear()
        wire.to_lose = 1
        self._phone.sleep()
        answer = self._phone.get()
        return Outcome(
            "The mobile app: the answer to a renewal is lost",
            [f"renewals: {wire.renewals}, then {ACCOUNTS}: {answer.status_code}"],
            [
                ("the same refresh token is good again", wire.renewals == [200, 200]),
                ("the app goes on", answer.ok),
                ("with what came of it", self._is_other(before.refresh)),
            ],
        )

    def change_keys(self) -> Outcome:
        """Have another key sign, and use tokens of both."""
        old = self._phone.app.tokens.access
        code, said = self._services.manage("apikit_keys", "rotate", "--now")
        # A process looks for other keys every 15 seconds, and when a token names one.
        self._accounts(_naming("a-key-of-another-process", old))
        published = self._kids()
        self._phone.sleep()
        answers = [self._phone.get(), self._accounts(old)]
        new = self._phone.app.tokens.access
        return Outcome(
            "The mobile app: another key signs, and nobody is refused",
            [*said.strip().splitlines(), f"published: {sorted(published)}"],
            [
                ("the command ends well", code == 0),
                ("a new token is of the new key", _kid(new) != _kid(old)),
                (
                    "both keys are published, with no private part",
                    {_kid(new), _kid(old)} <= published,
                ),
                ("both tokens are good", _statuses(answers) == {200}),
            ],
        )

    def look_after_sessions(self) -> Outcome:
        """See both phones, and have one of them logged out."""
        other = _Phone(self._services)
        rows = self._phone.get(SESSIONS).json()
        others = [row["id"] for row in rows if not row["current"]]
        ended = [
            self._phone.app.request("DELETE", f"{SESSIONS}{each}/").status_code
            for each in others
        ]
        return Outcome(
            "The mobile app: the list of sessions, and one that is ended",
            [f"{row['client_id']}, current: {row['current']}" for row in rows],
            [
                ("there are two", len(rows) == 2),
                ("the other phone's is ended", ended == [204]),
                ("it has to log in again", other.is_over()),
                ("this one has not", not self._phone.is_over()),
            ],
        )

    def meet_a_thief(self) -> Outcome:
        """Have a refresh token come back that was used long ago; and log out."""
        stolen = self._phone.app.tokens.refresh
        for _ in range(2):
            self._phone.sleep()
            self._phone.get()
        thief = self._post("refresh", stolen)
        other = _Phone(self._services)
        last = other.app.tokens.refresh
        other.app.log_out()
        after = self._post("refresh", last)
        return Outcome(
            "The mobile app: a refresh token that was used comes back",
            [_told("the thief", thief), _told("after logging out", after)],
            [
                ("it is refused", _is_refused(thief)),
                ("its session is over for both", self._phone.is_over()),
                ("logging out ends one too", _is_refused(after)),
            ],
        )

    def _token_of_the_provider(self) -> str:
        cast, issuer = self._services.cast, self._services.issuer
        client = cast.client_of(PERSON)
        secret = cast.client_secrets[PERSON]
        return fetch_token(token_request(f"{issuer}/token/", client, secret))

    def _accounts(self, token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self._get(ACCOUNTS, headers=headers)

    def _post(self, endpoint: str, refresh: str) -> requests.Response:
        url = f"{self._api}/api/token/{endpoint}/"
        return self._http.post(url, json={"refresh": refresh}, timeout=SECONDS)

    def _get(self, path: str, **options: Any) -> requests.Response:
        return self._http.get(f"{self._api}{path}", timeout=SECONDS, **options)

    def _kids(self) -> set[str]:
        keys = self._get(KEY_SET).json()["keys"]
        if any(key.keys() & PRIVATE for key in keys):
            raise OSError("The key set has a private key.")
        return {key["kid"] for key in keys}

    def _is_other(self, refresh: str) -> bool:
        return self._phone.app.tokens.refresh != refresh


def _part(token: str, number: int) -> dict[str, Any]:
    """Read the header (0) or the claims (1) of a token, without any verification."""
    part = token.split(".")[number]
    decoded: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    )
    return decoded


def _naming(kid: str, token: str) -> str:
    """Have a token name another key, by which it is not signed."""
    header = json.dumps({**_part(token, 0), "kid": kid}).encode()
    encoded = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    return f"{encoded}.{token.partition('.')[2]}"


def _kid(token: str) -> str:
    return str(_part(token, 0).get("kid"))


def _statuses(answers: Sequence[requests.Response]) -> set[int]:
    return {answer.status_code for answer in answers}


def _is_refused(answer: requests.Response) -> bool:
    slug = str(answer.json().get("type")).rpartition("/")[2]
    return (answer.status_code, slug) == (401, "refresh-token-refused")


def _told(who: str, answer: requests.Response) -> str:
    return f"{who}: {answer.status_code} {answer.json().get('title')}"
