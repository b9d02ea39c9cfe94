"""Sessions: families of refresh tokens, each of which works once."""

__all__: list[str] = []
