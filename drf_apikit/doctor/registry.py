"""All probes, and choosing among them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from drf_apikit.doctor import caches, counts, databases, issuers, tables, wiring
from drf_apikit.doctor.findings import Context, Finding, Probe
from drf_apikit.doctor.running import GENERAL, examine

__all__ = ["PROBES", "chosen", "known_names"]

PROBES: Final[Mapping[str, Probe]] = {
    module.PROBE.name: module.PROBE
    for module in (wiring, databases, tables, caches, issuers, counts)
}


def known_names() -> frozenset[str]:
    """Give what can be chosen: the names of probes and the ids of findings."""
    ids = {name for probe in PROBES.values() for name in probe.findings}
    general = {f"{probe}.{end}" for probe in PROBES for end in GENERAL}
    return frozenset({*PROBES, *ids, *general})


def chosen(
    context: Context, only: Collection[str], skip: Collection[str]
) -> Iterator[Finding]:
    """Run the probes that are wanted, and give the findings that are.

    What keeps a probe from its end is told unless it is skipped by its own name.
    """
    wanted = set(only) or set(PROBES)
    probes = [
        probe
        for name, probe in PROBES.items()
        if name not in skip and any(one.partition(".")[0] == name for one in wanted)
    ]
    for found in examine(probes, context):
        general = found.id.partition(".")[2] in GENERAL
        if found.id not in skip and (general or {found.id, found.probe} & wanted):
            yield found
