"""The one command of the worker."""
