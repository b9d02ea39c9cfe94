"""The `apikit_*` commands."""

__all__: list[str] = []
