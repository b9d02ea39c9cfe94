"""What is kept of first-party tokens: keys that sign, and sessions."""

__all__: list[str] = []
