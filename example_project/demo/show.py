"""The run of the demo: seed, start, then check by itself or serve."""

import time

from django.core.management.base import CommandError

from demo.cast import OPERATOR, Cast
from demo.exchange import Answer, Request, send
from demo.expectations import Step
from demo.processes import Services
from demo.report import Report
from demo.steps import (
    QUIET,
    SHARED,
    Scene,
    fetch_etag,
    fetch_token,
    make_steps,
    token_request,
)

__all__ = ["Show"]

DISCOVERY = "/.well-known/openid-configuration"


class Show:
    """One run, with the services that it plays on and the report that it writes."""

    def __init__(self, services: Services, report: Report, rows: int) -> None:
        self._services = services
        self._report = report
        self._rows = rows
        self._cast = Cast()

    def prepare(self) -> None:
        """Seed both databases and start both services."""
        say = self._report.progress
        began = time.monotonic()
        say(f"Seeding {self._rows:,} transfers over 1,000 accounts ...")
        self._services.seed(self._cast, self._rows)
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
        if failed:
            raise CommandError(f"{failed} of {len(steps)} steps went wrong.")
        self._report.line(f"All {len(steps)} steps are right.", "green")

    def serve(self) -> None:
        """Print what to try, and serve until Ctrl-C."""
        token = fetch_token(self._token_request())
        report, services = self._report, self._services
        report.heading("Addresses")
        report.pairs(
            [
                ("API", f"{services.api}/api/"),
                ("Documentation", f"{services.api}/api/docs/"),
                ("Admin site", f"{services.api}/admin/ (sign in as {OPERATOR})"),
                ("Provider", f"{services.issuer}/"),
            ]
        )
        report.heading("People of this run")
        report.people(self._cast)
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
