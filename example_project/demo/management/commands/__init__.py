"""The one command of the demo."""
