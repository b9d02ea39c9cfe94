"""Management commands of first-party tokens."""

__all__: list[str] = []
