"""Password hashing at development speed."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

__all__ = ["DevelopmentPasswordHasher"]


class DevelopmentPasswordHasher(PBKDF2PasswordHasher):
    """PBKDF2 with few iterations: milliseconds instead of a third of a second.

    Passwords and client secrets of this provider are printed on the screen anyway,
    and every token request of a confidential client checks one.
    """

    algorithm = "pbkdf2_sha256_development"
    iterations = 1000
