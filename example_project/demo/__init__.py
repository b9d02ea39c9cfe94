"""The demo: the whole example project in one command."""
