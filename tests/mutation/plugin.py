"""What pytest and hypothesis do otherwise when mutmut runs them again and again."""

import pytest
from hypothesis import HealthCheck, Phase, settings

__all__ = ["pytest_generate_tests"]

# Nobody wants to know the smallest example.
settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the ids of tests be made anew.

    pytest keeps them, and in the next run of the process escapes them once more: a
    test with a backslash in its id is not found then, and mutmut takes the error of
    pytest for a mutant that is killed.
    """
    for mark in metafunc.definition.iter_markers("parametrize"):
        source = vars(mark)["_param_ids_from"]
        if source is not None:
            vars(source)["_param_ids_generated"] = None
