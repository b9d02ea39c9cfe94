"""What the app connects to when all models are there."""

__all__ = ["install"]


def install() -> None:
    """Connect receivers and register checks and purges."""
