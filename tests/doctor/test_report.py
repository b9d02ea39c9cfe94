from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from drf_apikit import __version__
from drf_apikit.doctor.findings import Finding, Subject
from drf_apikit.doctor.report import FORMAT, SCHEMA, document, table

ONE = Subject("default")
FINDINGS = [
    ONE.ok("caches.atomic", "It is."),
    ONE.ok("caches.shared", "It is.", "Mind the folder."),
    ONE.risk("caches.expiry", "A key stays for longer than it should.", "Mend it."),
    Subject("").skipped("counts.nothing", "There is nothing to see."),
]
VALIDATOR = Draft202012Validator(
    SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER
)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("findings", [FINDINGS, FINDINGS[:1], []], ids=len)
def test_a_document_is_as_the_schema_says(findings: list[Finding]) -> None:
    VALIDATOR.validate(document(findings, 1_800_000_000.5))


def test_a_document_tells_all() -> None:
    written = document(FINDINGS, 1_800_000_000)
    assert {**written, "findings": len(written["findings"])} == {
        "format": FORMAT,
        "version": __version__,
        "examined_at": "2027-01-15T08:00:00+00:00",
        "status": "risk",
        "summary": {"ok": 2, "risk": 1, "skipped": 1},
        "findings": 4,
    }
    assert written["findings"][2] == {
        "id": "caches.expiry",
        "probe": "caches",
        "subject": "default",
        "status": "risk",
        "seen": "A key stays for longer than it should.",
        "remedy": "Mend it.",
    }
    assert written["findings"][0]["remedy"] is None
    assert document(FINDINGS[:2], 0)["status"] == "ok"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"status": "fine"},
        {"findings": [{}]},
        {"summary": {"ok": 1}},
    ],
    ids=str,
)
def test_the_schema_refuses_other_documents(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**document(FINDINGS, 0), **change})


@pytest.mark.parametrize("change", [{"remedy": None}, {"remedy": ""}, {"id": "x"}])
def test_the_schema_wants_a_remedy_for_each_risk(change: dict[str, Any]) -> None:
    written = document(FINDINGS, 0)
    written["findings"][2].update(change)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(written)


def test_a_table_is_for_people() -> None:
    assert list(table(FINDINGS, 64)) == [
        "probe           status   what was seen, and the remedy",
        "--------------  -------  -----------------------------",
        "caches.atomic   ok       default: It is.",
        "caches.shared   ok       default: It is.",
        "                         -> Mind the folder.",
        "caches.expiry   risk     default: A key stays for longer than it",
        "                         should.",
        "                         -> Mend it.",
        "counts.nothing  skipped  There is nothing to see.",
    ]


def test_a_table_keeps_addresses_in_one_piece() -> None:
    url = "https://id.example/" + "x" * 200
    lines = list(table([ONE.ok("issuers.keys", f"Two keys at {url}.")], 10))
    assert lines[-1].strip() == f"{url}."
    assert next(table([], 80)).startswith("probe  status")
