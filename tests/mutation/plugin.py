"""Hypothesis for a run in which nobody wants to know the smallest example."""

from hypothesis import HealthCheck, Phase, settings

__all__: list[str] = []

settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
