"""A management command with the settings of the fleet."""

import sys

from django.core.management import execute_from_command_line

# Importing it is what sets them.
from tests.torture.fleet.site import application

__all__ = ["application"]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
