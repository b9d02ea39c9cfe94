#!/usr/bin/env python
"""Command line of the example: `manage.py demo` needs no setting at all."""

import os
import sys


def main() -> None:
    """Run a management command of the ledger, the demo around it, or the worker."""
    if sys.argv[1:2] in (["demo"], ["worker"]):
        # The demo starts the two services with settings of their own, and the worker
        # is a client of them; what the shell has exported for a real installation
        # must not reach either.
        os.environ["DJANGO_SETTINGS_MODULE"] = f"{sys.argv[1]}.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ledger.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit('Django is missing: python -m pip install -e ".[example]"')
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
