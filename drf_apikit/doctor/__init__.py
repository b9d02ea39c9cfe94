"""Probes of a running project, for what a system check cannot know.

A probe looks at what is configured, and tells findings: what it has seen, whether
that is a risk, and what to do about it. `manage.py apikit_doctor` runs them.
"""

__all__: list[str] = []
