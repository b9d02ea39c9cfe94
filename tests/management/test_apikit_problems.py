import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from drf_apikit.problems.catalogue import fingerprint
from drf_apikit.problems.registry import problem_types

ADVICE = "Give a new type a new slug; --lock again only before a release."


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("apikit_problems", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "types.json"
    run("--lock", str(path))
    return path


def edited(lock: Path, edit: Any) -> Path:
    """Write a lock file that is older than the code."""
    locked = json.loads(lock.read_text("utf-8"))
    edit(locked)
    lock.write_text(json.dumps(locked), "utf-8")
    return lock


def test_the_types_are_listed() -> None:
    lines = run().splitlines()
    assert len(lines) == len(problem_types())
    for line, kind in zip(lines, problem_types().values(), strict=True):
        assert line.split(maxsplit=2) == [str(kind.status), kind.slug, str(kind.title)]


def test_what_clients_rely_on_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "types.json"
    told = run("--lock", str(path))
    assert told == f"Locked {len(problem_types())} problem types in {path}.\n"
    text = path.read_text("utf-8")
    assert json.loads(text) == {
        slug: fingerprint(kind) for slug, kind in problem_types().items()
    }
    assert text.endswith("}\n")
    run("--lock", str(path))
    assert path.read_text("utf-8") == text


def test_the_lock_has_a_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("--lock")
    assert (tmp_path / "problem-types.lock.json").exists()
    assert "as locked in problem-types.lock.json; 0 are new." in run("--check")


def test_the_lock_is_the_same_in_every_language(
    lock: Path, settings: Any, tmp_path: Path
) -> None:
    settings.LANGUAGE_CODE = "de"
    other = tmp_path / "german.json"
    run("--lock", str(other))
    assert other.read_text("utf-8") == lock.read_text("utf-8")


def test_nothing_has_changed(lock: Path) -> None:
    count = len(problem_types())
    told = f"{count} problem types are as locked in {lock}; 0 are new.\n"
    assert run("--check", str(lock)) == told


def test_new_types_are_fine(lock: Path) -> None:
    edited(lock, lambda locked: [locked.pop("not-found"), locked.pop("throttled")])
    assert run("--check", str(lock)).endswith("; 2 are new.\n")


def test_new_members_are_fine(lock: Path) -> None:
    edited(lock, lambda locked: locked["validation-error"]["members"].clear())
    assert run("--check", str(lock)).endswith("; 0 are new.\n")


def gone(locked: Any) -> None:
    locked["was-there"] = {"status": 404, "members": {}}


def another_status(locked: Any) -> None:
    locked["not-found"]["status"] = 410


def removed_member(locked: Any) -> None:
    locked["not-found"]["members"]["where"] = {}


def changed_member(locked: Any) -> None:
    locked["validation-error"]["members"]["errors_total"] = {"type": "string"}


CHANGES: dict[str, tuple[Any, str]] = {
    "vanished": (gone, "was-there has vanished."),
    "status": (another_status, "not-found has another status."),
    "removed member": (
        removed_member,
        "not-found: the member 'where' has changed or vanished.",
    ),
    "changed member": (
        changed_member,
        "validation-error: the member 'errors_total' has changed or vanished.",
    ),
}


@pytest.mark.parametrize(("edit", "told"), CHANGES.values(), ids=CHANGES)
def test_a_broken_promise_fails(edit: Any, told: str, lock: Path) -> None:
    with pytest.raises(CommandError) as raised:
        run("--check", str(edited(lock, edit)))
    assert str(raised.value) == f"{told}\n{ADVICE}"


def test_all_broken_promises_are_told(lock: Path) -> None:
    for edit, _ in CHANGES.values():
        edited(lock, edit)
    with pytest.raises(CommandError) as raised:
        run("--check", str(lock))
    lines = str(raised.value).splitlines()
    # Of one type the first difference is told.
    assert lines[-1] == ADVICE
    assert {line.partition(" ")[0].rstrip(":") for line in lines[:-1]} == {
        "was-there",
        "not-found",
        "validation-error",
    }


BAD: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "entries are no objects": b'{"not-found": 404}',
    "entries are lists": b'{"not-found": []}',
    "no members": b'{"not-found": {"status": 404}}',
    "members are a list": b'{"not-found": {"status": 404, "members": []}}',
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_is_no_lock_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="is no lock file"):
        run("--check", str(path))


@pytest.mark.parametrize("name", ["nowhere.json", "no/where.json", "."])
@pytest.mark.parametrize(("option", "verb"), [("--check", "read"), ("--lock", "write")])
def test_a_file_that_cannot_be_had(
    option: str, verb: str, name: str, tmp_path: Path
) -> None:
    if (option, name) == ("--lock", "nowhere.json"):
        name = "nowhere.json/file"
    with pytest.raises(CommandError, match=f"Cannot {verb} "):
        run(option, str(tmp_path / name))


@pytest.mark.parametrize(("option", "verb"), [("--check", "read"), ("--lock", "write")])
def test_a_name_that_is_empty_is_no_list(option: str, verb: str) -> None:
    with pytest.raises(CommandError, match=f"Cannot {verb} "):
        run(f"{option}=")


def test_one_thing_at_a_time() -> None:
    with pytest.raises(CommandError, match="not allowed with argument"):
        run("--lock", "a", "--check", "b")
