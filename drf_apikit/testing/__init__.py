"""Help for the tests of a project: tokens, problem documents, pages.

Installed as a pytest plugin: the fixture `oidc_issuer` is there without an
import.
"""

from drf_apikit.testing.issuer import InMemoryIssuer
from drf_apikit.testing.pages import walk_pages
from drf_apikit.testing.problems import assert_problem

__all__ = ["InMemoryIssuer", "assert_problem", "walk_pages"]
