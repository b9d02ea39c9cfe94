"""The run of the demo: seed, start, then check by itself or serve."""

import sys
import time
from itertools import chain

from django.core.management.base import CommandError

from demo.cast import CUSTOMERS, OPERATOR, Cast
from demo.exchange import Answer, Request, send
from demo.expectations import Step
from demo.phone import try_phone
from demo.processes import MANAGE, ROOT, Services
from demo.report import Report, Stream
from demo.steps import (
    QUIET,
    SHARED,
    Scene,
    fetch_etag,
    fetch_token,
    make_steps,
    token_request,
)
from demo.tries import PAYMENTS, try_all

__all__ = ["Show", "play"]

DISCOVERY = "/.well-known/openid-configuration"


def play(
    stream: Stream,
    *,
    ports: tuple[int, int],
    rows: int,
    color: bool | None,
    check: bool,
) -> None:
    """Run from the seeding to the end, on the ports of the API and the provider."""
    report, (port, identity_port) = Report(stream, color=color), ports
    with Services(Cast(), port=port, identity_port=identity_port) as services:
        show = Show(services, report, rows)
        show.prepare()
        if check:
            show.check()
        else:
            show.serve()


class Show:
    """One run, with the services that it plays on and the report that it writes."""

    def __init__(self, services: Services, report: Report, rows: int) -> None:
        self._services = services
        self._report = report
        self._rows = rows
        self._cast = services.cast

    def prepare(self) -> None:
        """Seed both databases and start both services."""
        say = self._report.progress
        began = time.monotonic()
        say(f"Seeding {self._rows:,} transfers over 1,000 accounts ...")
        self._services.seed(self._rows)
        seeded = time.monotonic()
        say(f"Seeded in {seeded - began:.1f} s. Starting the two services ...")
        self._services.start()
        say(f"Started in {time.monotonic() - seeded:.1f} s.")

    def check(self) -> None:
        """Make every step; raise CommandError when one came out wrong."""
        token = fetch_token(self._token_request())
        steps = self._steps(token)
        self._report.line()
        self._report.line(f"The provider at {self._services.issuer} gave a token for")
        self._report.line(f"the API at {self._services.api}. With it:")
        before: Answer | None = None
        failed, etag = 0, ""
        for number, step in enumerate(steps, start=1):
            answer = send(step.request, token, etag)
            wrong = [
                each.text
                for each in step.expectations
                if not each.holds(answer, before)
            ]
            self._report.verdict(number, step, answer, wrong)
            if step.request.keeps_etag:
                etag = answer.headers.get("etag", "")
            failed += bool(wrong)
            before = answer
        self._report.line()
        self._report.line("A browser without JavaScript, the worker, and a phone:")
        total = len(steps)
        for outcome in chain(try_all(self._services), try_phone(self._services)):
            total += 1
            self._report.outcome(total, outcome)
            failed += not all(holds for _, holds in outcome.expected)
        self._report.line()
        if failed:
            raise CommandError(f"{failed} of {total} steps went wrong.")
        self._report.line(f"All {total} steps are right.", "green")

    def serve(self) -> None:
        """Print what to try, and serve until Ctrl-C."""
        token = fetch_token(self._token_request())
        report, services = self._report, self._services
        report.heading("Addresses")
        report.pairs(
            [
                ("Web page", f"{services.api}/"),
                ("API", f"{services.api}/api/"),
                ("Documentation", f"{services.api}/api/docs/"),
                ("Admin site", f"{services.api}/admin/ (sign in as {OPERATOR})"),
                ("Provider", f"{services.issuer}/"),
            ]
        )
        report.heading("People of this run")
        report.people(self._cast)
        report.heading("With a browser, and as a service")
        self._recipes()
        report.heading(f"A token of {OPERATOR}, to paste first")
        report.token(
            token,
            self._token_endpoint(),
            self._cast.client_of(OPERATOR),
            self._cast.client_secrets[OPERATOR],
        )
        report.heading("Then, one by one")
        for number, step in enumerate(self._steps(token), start=1):
            report.curl(number, step)
        report.heading("Serving. Ctrl-C stops everything and leaves nothing behind.")
        services.watch()

    def _recipes(self) -> None:
        """Tell how to try what needs no token of one's own."""
        report, services = self._report, self._services
        person = f"Log in as {CUSTOMERS[0]}, with the password above."
        report.recipe(
            "The web page: accounts, transfers, and a form that sends once",
            [
                f"Open {services.api}/ and press Log in. {person}",
                "Send money by New transfer, and press Send twice: it is one transfer.",
            ],
        )
        report.recipe(
            "The API in a browser",
            [f"Open {services.api}/api/transfers/ and press Log in, top right."],
        )
        report.recipe(
            "Swagger UI",
            [
                f"Open {services.api}/api/docs/ and press Authorize, twice. {person}",
            ],
        )
        report.recipe(
            "The worker: pays what is in a file, each payment once",
            ["Paste this into another shell, twice. Then look into the file."],
        )
        file = services.write("payments.csv", PAYMENTS)
        words = [sys.executable, str(MANAGE), "worker", str(file)]
        report.command(words, services.worker_env)
        report.recipe(
            "The mobile app: with a password of the ledger's own, and its tokens",
            ["Paste this into another shell."],
        )
        env = {"PYTHONPATH": str(ROOT), **services.mobile_env}
        report.command([sys.executable, "-m", "mobile"], env)

    def _steps(self, token: str) -> tuple[Step, ...]:
        api = self._services.api
        quiet, shared = (fetch_etag(api, pk, token) for pk in (QUIET, SHARED))
        scene = Scene(api=api, rows=self._rows, etag=quiet, shared_etag=shared)
        return make_steps(scene)

    def _token_request(self) -> Request:
        return token_request(
            self._token_endpoint(),
            self._cast.client_of(OPERATOR),
            self._cast.client_secrets[OPERATOR],
        )

    def _token_endpoint(self) -> str:
        url = f"{self._services.issuer}{DISCOVERY}"
        return str(send(Request("GET", url)).member("token_endpoint"))
