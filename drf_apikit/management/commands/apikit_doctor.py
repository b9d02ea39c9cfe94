"""`manage.py apikit_doctor`: see what no system check can know."""

import json
import math
import shutil
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.urls import get_resolver

from drf_apikit.checks.views import RoutedView, routed_views
from drf_apikit.doctor.findings import LARGE, Context, Status
from drf_apikit.doctor.registry import PROBES, chosen, known_names
from drf_apikit.doctor.report import document, table

__all__ = ["Command"]

#: Seconds for each thing that is looked at.
_TIMEOUT = 10.0


class Command(BaseCommand):
    """May run at any time, beside requests; it changes nothing that others have."""

    help = (
        "Probe issuers, caches, databases and the wiring; fail where there is a risk."
    )
    # What they find is no reason not to look; `check` has its own exit status.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to look at, for how long, and how to tell."""
        parser.add_argument("--json", action="store_true", help="write JSON")
        names = ", ".join(PROBES)
        for name, text in (("only", "look at nothing else"), ("skip", "leave it out")):
            parser.add_argument(
                f"--{name}",
                action="append",
                default=[],
                metavar="NAME",
                help=f"{text}: a probe ({names}) or the id of a finding; repeatable",
            )
        parser.add_argument(
            "--database",
            action="append",
            default=[],
            metavar="ALIAS",
            help="a database to look at; repeatable; by default all of them",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=_TIMEOUT,
            metavar="SECONDS",
            help="for each thing that is looked at (%(default)g)",
        )
        parser.add_argument(
            "--large",
            type=int,
            default=LARGE,
            metavar="ROWS",
            help="of a table whose rows nobody should count (%(default)s)",
        )

    def handle(self, **options: Any) -> None:
        """Run the probes and tell; fail with a risk."""
        context = _context(options)
        for name in sorted({*options["only"], *options["skip"]} - known_names()):
            raise CommandError(f"{name!r} is no probe and no finding: {_known()}.")
        findings = list(chosen(context, options["only"], options["skip"]))
        if not findings:
            # Nothing seen is not everything in order.
            raise CommandError("--only and --skip leave no finding to tell.")
        if options["json"]:
            told = document(findings, time.time())
            self.stdout.write(json.dumps(told, indent=2))
        else:
            width = shutil.get_terminal_size((100, 24)).columns
            self.stdout.write("\n".join(table(findings, width)))
        risks = sum(found.status is Status.RISK for found in findings)
        if risks:
            raise CommandError(f"{risks} {'risk' if risks == 1 else 'risks'} found.")


def _context(options: dict[str, Any]) -> Context:
    for alias in options["database"]:
        if alias not in connections:
            known = ", ".join(sorted(connections))
            raise CommandError(f"{alias!r} is no database. Name one of {known}.")
    timeout, large = options["timeout"], options["large"]
    if not (math.isfinite(timeout) and timeout > 0 and large > 0):
        raise CommandError("--timeout and --large must be above 0.")
    aliases = tuple(dict.fromkeys(options["database"])) or tuple(connections)
    return Context(aliases, _lists, timeout, large)


def _lists() -> list[RoutedView]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    views = routed_views(get_resolver())
    return [view for view in views if "list" in view.handlers]


def _known() -> str:
    return ", ".join(sorted(known_names()))
