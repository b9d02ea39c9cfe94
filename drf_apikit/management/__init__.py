"""Management commands of the package."""

__all__: list[str] = []
