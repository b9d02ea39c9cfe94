"""Pure HTTP grammar: entity tags, structured fields and preconditions.

Nothing here knows Django or does I/O.
"""

__all__: list[str] = []
