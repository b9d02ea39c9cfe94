"""What the demo needs, looked at before anything is started."""

import importlib.util
import os
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import CommandError

__all__ = ["LOOPBACK", "MOST_ROWS", "check_installed", "check_space", "choose_ports"]

LOOPBACK = "127.0.0.1"
MOST_ROWS = 5_000_000
BYTES_A_ROW = 600
BYTES_ANYWAY = 50_000_000
MODULES = (
    "dj_database_url",
    "django_filters",
    "drf_apikit",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "gunicorn",
    "jwcrypto",
    "mozilla_django_oidc",
    "oauth2_provider",
    "requests",
    "rest_framework",
    "rest_framework_simplejwt",
)


def check_installed() -> None:
    """Raise CommandError with the remedy when a package is missing."""
    if os.name != "posix":
        raise CommandError("The demo runs on Linux and macOS (gunicorn needs fork).")
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"Not installed: {', '.join(missing)}. In the project's folder:\n"
            '    python -m pip install -e ".[example]"'
        )


def check_space(folder: Path, rows: int) -> None:
    """Raise CommandError when the rows would not fit on the disk."""
    needed = BYTES_ANYWAY + rows * BYTES_A_ROW
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CommandError(
            f"{folder} has {free // 10**6:,} MB free and {rows:,} rows need"
            f" {needed // 10**6:,} MB. Ask for fewer --rows, or set TMPDIR."
        )


def choose_ports(port: int | None, identity_port: int | None) -> tuple[int, int]:
    """Give the wanted ports, free ones for None; raise CommandError when taken."""
    if port is not None and port == identity_port:
        raise CommandError("--port and --identity-port must differ.")
    with ExitStack() as held:
        wanted = (("--port", port), ("--identity-port", identity_port))
        # Both are held until both are known: two free ones could be the same.
        first, second = [_probe(held, option, number) for option, number in wanted]
    return first, second


def _probe(held: ExitStack, option: str, number: int | None) -> int:
    probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # As gunicorn does: a port of connections that just ended is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, number or 0))
        probe.listen()
    except OSError as error:
        raise CommandError(
            f"{option}: port {number} cannot be used ({error.strerror}). Choose"
            " another, or leave the option out for a free one."
        ) from error
    return int(probe.getsockname()[1])
