"""The keys that sign first-party tokens: next, active and retired."""

__all__: list[str] = []
