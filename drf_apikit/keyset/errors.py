"""What the engine cannot do, said so that a person can mend it."""

__all__ = ["OrderingError"]


class OrderingError(ValueError):
    """These rows cannot be ordered by this, or no page can be cut from them."""
