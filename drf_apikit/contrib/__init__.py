"""Integrations with packages that are not required."""

__all__: list[str] = []
