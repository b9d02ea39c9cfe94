"""The app's part of the talk, against answers that are written down here."""

import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Final

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import ProtocolError

from mobile import session
from mobile.session import Session, SessionOverError

LIFE: Final = 300
PAUSE: Final = session.PAUSE
TOKEN: Final = "/api/token/"
REFRESH: Final = "/api/token/refresh/"
LOGOUT: Final = "/api/token/blacklist/"
ACCOUNTS: Final = "/api/accounts/"

Answer = tuple[Any, ...] | Exception


class Broken(io.BytesIO):
    """A body that ends too early, or comes octet by octet."""

    def __init__(self, after_each: Callable[[], None]) -> None:
        super().__init__(b'{"access": "a')
        self._after_each = after_each

    def stream(self, size: int, **_options: Any) -> Iterator[bytes]:
        while octets := self.read(size):
            yield octets
            self._after_each()
        raise ProtocolError("Connection broken: IncompleteRead")


class Ledger(BaseAdapter):
    """Gives out tokens by number, and first the answers that a test has put here."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, Any]] = []
        self._numbers = count(1)

    def send(
        self, request: requests.PreparedRequest, *_args: Any, **_options: Any
    ) -> requests.Response:
        path = request.path_url
        sent = json.loads(request.body) if request.body else None
        self.asked.append((path, sent or request.headers.get("Authorization")))
        planned = self.answers.get(path)
        found = planned.pop(0) if planned else self._answer(path)
        if isinstance(found, Exception):
            raise found
        response = requests.Response()
        response.status_code, response.url = found[0], str(request.url)
        response.headers.update(dict(found[2:]))
        body = found[1]
        is_broken = isinstance(body, Broken)
        response.raw = body if is_broken else io.BytesIO(json.dumps(body).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, path: str) -> Answer:
        if path not in {TOKEN, REFRESH}:
            return 200, {}
        number = next(self._numbers)
        tokens = {"access": f"access-{number}", "refresh": f"refresh-{number}"}
        return 200, {**tokens, "expires_in": LIFE}

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def phone(ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(session, "PAUSE", 0)
    made = Session("https://ledger.test/", "ledger-mobile", clock=clock)
    made.http.trust_env = False
    made.http.mount("https://", ledger)
    made.log_in("alice", "secret")
    return made


def test_a_password_is_sent_once(phone: Session, ledger: Ledger) -> None:
    for _ in range(3):
        phone.request("GET", ACCOUNTS, headers={"Accept": "application/json"})
    sent = {"username": "alice", "password": "secret", "client_id": "ledger-mobile"}
    assert ledger.asked == [(TOKEN, sent), *[(ACCOUNTS, "Bearer access-1")] * 3]


def test_a_token_is_renewed_before_it_ends(
    phone: Session, ledger: Ledger, clock: Clock
) -> None:
    clock.now += 0.79 * LIFE
    phone.request("GET", ACCOUNTS)
    clock.now += 0.02 * LIFE
    phone.request("GET", ACCOUNTS)
    assert ledger.asked[1:] == [
        (ACCOUNTS, "Bearer access-1"),
        (REFRESH, {"refresh": "refresh-1"}),
        (ACCOUNTS, "Bearer access-2"),
    ]


def test_threads_renew_it_once(phone: Session, ledger: Ledger, clock: Clock) -> None:
    clock.now += LIFE
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: phone.request("GET", ACCOUNTS), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert ledger.paths().count(REFRESH) == 1
    assert ledger.asked[2:] == [(ACCOUNTS, "Bearer access-2")] * 8


def test_a_token_that_is_refused_is_renewed_once(
    phone: Session, ledger: Ledger
) -> None:
    ledger.answers[ACCOUNTS] = [(401, {}), (401, {})]
    assert phone.request("GET", ACCOUNTS).status_code == 401
    assert ledger.paths()[1:] == [ACCOUNTS, REFRESH, ACCOUNTS]


@pytest.mark.parametrize(
    "fault",
    [
        requests.ConnectionError("reset"),
        requests.Timeout("late"),
        (503, {}),
        (502, "a proxy"),
        (200, "a login page"),
        (200, Broken(lambda: None)),
    ],
    ids=["lost", "late", "unavailable", "gateway", "unreadable", "cut"],
)
def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_token(
    phone: Session, ledger: Ledger, clock: Clock, fault: Answer
) -> None:
    ledger.answers[REFRESH] = [fault]
    clock.now += LIFE
    assert phone.request("GET", ACCOUNTS).ok
    sent = (REFRESH, {"refresh": "refresh-1"})
    assert ledger.asked[1:3] == [sent] * 2
    assert phone.tokens.refresh == "refresh-2"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (requests.ConnectionError("reset"), requests.ConnectionError),
        ((503, {}), requests.HTTPError),
    ],
    ids=["lost", "unavailable"],
)
def test_a_ledger_that_is_down_ends_no_session(
    phone: Session,
    ledger: Ledger,
    clock: Clock,
    fault: Answer,
    raised: type[Exception],
) -> None:
    ledger.answers[REFRESH] = [fault] * session.ATTEMPTS
    clock.now += LIFE
    with pytest.raises(raised):
        phone.request("GET", ACCOUNTS)
    assert phone.request("GET", ACCOUNTS).ok


def test_a_body_that_trickles_is_not_waited_for(
    phone: Session, ledger: Ledger, clock: Clock
) -> None:
    def pass_by() -> None:
        clock.now += 1

    ledger.answers[REFRESH] = [(200, Broken(pass_by)) for _ in range(session.ATTEMPTS)]
    clock.now += LIFE
    begun = clock.now
    with pytest.raises(requests.Timeout):
        phone.request("GET", ACCOUNTS)
    assert clock.now - begun <= session.RENEWAL
    assert ledger.paths().count(REFRESH) > 1


def test_no_attempt_begins_that_may_end_after_the_grace(
    phone: Session, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_by(seconds: float) -> None:
        clock.now += seconds + 7

    monkeypatch.setattr(time, "sleep", pass_by)
    ledger.answers[REFRESH] = [requests.Timeout("late")] * session.ATTEMPTS
    clock.now += LIFE
    with pytest.raises(requests.Timeout):
        phone.request("GET", ACCOUNTS)
    assert ledger.paths().count(REFRESH) == 1


@pytest.mark.parametrize(
    ("status", "after", "pauses"),
    [
        (503, "3", [3]),
        (429, "2", [2]),
        (503, "0", [0]),
        (503, "60", None),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", [session.PAUSE]),
        (502, "3", [session.PAUSE]),
    ],
)
def test_who_is_told_to_come_later_does_so(
    phone: Session,
    ledger: Ledger,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    after: str,
    pauses: list[float] | None,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(session, "PAUSE", PAUSE)
    monkeypatch.setattr(time, "sleep", slept.append)
    ledger.answers[REFRESH] = [(status, {}, ("Retry-After", after))]
    clock.now += LIFE
    if pauses is None:
        # That is too long to wait for: whoever calls decides.
        with pytest.raises(requests.HTTPError):
            phone.request("GET", ACCOUNTS)
        assert slept == []
    else:
        assert phone.request("GET", ACCOUNTS).ok
        assert slept == pauses


@pytest.mark.parametrize("status", [401, 409])
def test_a_refused_refresh_token_is_the_end(
    phone: Session, ledger: Ledger, clock: Clock, status: int
) -> None:
    ledger.answers[REFRESH] = [(status, {})]
    clock.now += LIFE
    for _ in range(2):
        with pytest.raises(SessionOverError):
            phone.request("GET", ACCOUNTS)
    assert ledger.paths().count(REFRESH) == 1


def test_a_request_that_is_wrong_is_not_repeated(
    phone: Session, ledger: Ledger, clock: Clock
) -> None:
    ledger.answers[REFRESH] = [(400, {})]
    clock.now += LIFE
    with pytest.raises(requests.HTTPError):
        phone.request("GET", ACCOUNTS)
    assert ledger.paths().count(REFRESH) == 1


def test_logging_out_ends_the_session_and_forgets_it(
    phone: Session, ledger: Ledger
) -> None:
    phone.log_out()
    assert ledger.asked[1:] == [(LOGOUT, {"refresh": "refresh-1"})]
    with pytest.raises(SessionOverError):
        phone.request("GET", ACCOUNTS)
    phone.log_out()
    assert ledger.paths().count(LOGOUT) == 1


def test_it_is_forgotten_though_the_ledger_is_down(
    phone: Session, ledger: Ledger
) -> None:
    ledger.answers[LOGOUT] = [requests.ConnectionError("down")]
    with pytest.raises(requests.ConnectionError):
        phone.log_out()
    with pytest.raises(SessionOverError):
        _ = phone.tokens


@pytest.mark.parametrize(
    "answer",
    [[], None, {}, {"access": "a", "refresh": "r", "expires_in": "x"}],
    ids=str,
)
def test_what_are_no_tokens(phone: Session, ledger: Ledger, answer: object) -> None:
    ledger.answers[TOKEN] = [(200, answer)]
    with pytest.raises(requests.RequestException, match="no tokens"):
        phone.log_in("alice", "secret")


def test_a_wrong_password(phone: Session, ledger: Ledger) -> None:
    ledger.answers[TOKEN] = [(401, {})]
    with pytest.raises(requests.HTTPError):
        phone.log_in("alice", "wrong")


@pytest.mark.parametrize(
    "origin", ["http://ledger.test", "ledger.test", ""], ids=["plain", "bare", "empty"]
)
def test_a_password_is_never_sent_in_the_clear(origin: str) -> None:
    with pytest.raises(ValueError, match="no TLS"):
        Session(origin, "ledger-mobile")


def test_no_token_is_in_a_report(phone: Session) -> None:
    assert "access-1" not in repr(phone.tokens)
    assert "refresh-1" not in repr(phone.tokens)
