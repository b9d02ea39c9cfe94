"""Building blocks for predictable and secure Django REST framework APIs."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
