"""Change each line of `jose/` and `http/` in turn, and see whether a test notices.

mutmut makes the mutants, as `[tool.mutmut]` in pyproject.toml says, in a copy of the
tree; `tests/jose` and `tests/http` are the judges. Names of mutants limit the run:
`python -m tests.mutation 'drf_apikit.jose.keys*'`. A score under 95 % in one of the two
is a failure, and so is a mutant of `equivalents.py` that is not there any more.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.mutation.equivalents import EQUIVALENTS

__all__ = ["Mutant", "read_results", "report"]

ROOT: Final = Path(__file__).resolve().parents[2]
#: What the copy needs.
PARTS: Final = ("drf_apikit", "tests", "example_project", "pyproject.toml", "README.md")
WANTED: Final = 0.95
#: Statuses of mutants that somebody has noticed.
NOTICED: Final = frozenset({"killed", "timeout", "segfault", "caught by type check"})
UNTRIED: Final = "not checked"

#: A mutant by its function and by the lines that it has in the place of ours.
Mutant = tuple[str, str]

_RESULT: Final = re.compile(r"\s*(?P<name>drf_apikit\.\S+): (?P<status>.+)")
_NUMBER: Final = re.compile(r"__mutmut_\d+$")


def read_results(text: str) -> dict[str, str]:
    """Read what mutmut prints: the name of each mutant and what became of it."""
    found = map(_RESULT.fullmatch, text.splitlines())
    return {match["name"]: match["status"].strip() for match in found if match}


def room_of(name: str) -> str:
    """Name the package of a mutant: `jose` or `http`."""
    return name.split(".")[1]


def identify(name: str, diff: str) -> Mutant:
    """Name a mutant so that it is known when the others have other numbers."""
    added = [line[1:].strip() for line in diff.splitlines() if line[:1] == "+"]
    lines = [line for line in added if not line.startswith("++")]
    function = _NUMBER.sub("", name.removeprefix("drf_apikit."))
    return function, " ".join(lines)


def report(
    statuses: Mapping[str, str],
    survivors: Mapping[str, Mutant],
    equivalents: Mapping[Mutant, str],
    *,
    is_whole: bool,
) -> int:
    """Print the score of each package; give the exit code."""
    tried = {name: status for name, status in statuses.items() if status != UNTRIED}
    kept = {name: found for name, found in survivors.items() if found in equivalents}
    counts = Counter(room_of(name) for name in tried if name not in kept)
    missed = Counter(room_of(name) for name in survivors if name not in kept)
    for name, (_, lines) in survivors.items():
        if name not in kept:
            print(f"{statuses[name]}: {name}\n    + {lines}")
    gone = set(equivalents) - set(kept.values()) if is_whole else set()
    for function, lines in sorted(gone):
        print(f"killed or gone, though listed as equivalent: {function}\n    + {lines}")
    poor = [room for room in counts if missed[room] > counts[room] * (1 - WANTED)]
    for room, number in sorted(counts.items()):
        score = 1 - missed[room] / number
        told = f"{number - missed[room]} of {number} mutants killed, {score:.1%}"
        print(f"mutation of {room}: {'FAILED' if room in poor else 'ok'}: {told}")
    print(f"{len(kept)} more are equivalent")
    return int(bool(poor or gone or not counts))


def copy_to(place: Path) -> None:
    """Copy what mutmut needs: it writes beside what it reads."""
    unwanted = shutil.ignore_patterns("__pycache__", "mutants", ".*")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, place / part, ignore=unwanted)
        else:
            shutil.copy(source, place / part)


def mutmut(place: Path, *arguments: str, output: Path | None = None) -> str:
    """Run mutmut in the copy; give what it prints, unless that goes to a file."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    if output is None:
        done = subprocess.run(
            command, cwd=place, check=True, capture_output=True, text=True
        )
        return done.stdout
    with output.open("w") as stream:
        subprocess.run(command, cwd=place, check=True, stdout=stream, stderr=stream)
    return ""


def run(place: Path, names: Sequence[str], children: int) -> int:
    """Make the mutants and try them; print the result and give the exit code."""
    copy_to(place)
    log = place / "mutmut.log"
    try:
        # By name even if it is all of them: mutmut then looks first whether pytest
        # finds each test by its id, as it has to for each mutant.
        wanted = names or ["drf_apikit.*"]
        mutmut(place, "run", f"--max-children={children}", *wanted, output=log)
    except subprocess.CalledProcessError:
        # Its progress is one long line.
        print(log.read_text(errors="replace")[-3000:])
        raise
    statuses = read_results(mutmut(place, "results", "--all", "true"))
    unnoticed: Iterable[str] = (
        name for name, status in statuses.items() if status not in {*NOTICED, UNTRIED}
    )
    survivors = {
        name: identify(name, mutmut(place, "show", name)) for name in unnoticed
    }
    return report(statuses, survivors, EQUIVALENTS, is_whole=not names)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="names of mutants, with wildcards")
    parser.add_argument("--children", type=int, default=2, metavar="N")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return run(Path(scratch), chosen.names, chosen.children)


if __name__ == "__main__":
    sys.exit(main())
