"""What the pages about tokens say, held against the code."""

import ast
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import override_settings

from drf_apikit.authentication.token import AccessToken
from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import PROFILES, Reason, TokenError, parse_compact, verify
from drf_apikit.oidc.issuers import find_issuer
from tests.jose.minting import KEYS, NOW, mint
from tests.jose.samples import SAMPLES, Sample

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
PROVIDERS: Final = (DOCS / "how-to/verify-tokens-of-a-provider.md").read_text("utf-8")
REASONS: Final = (DOCS / "reference/token-reasons.md").read_text("utf-8")
THREATS: Final = (DOCS / "explanation/threat-model.md").read_text("utf-8")

BLOCK: Final = re.compile(r"<!-- test: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
#: Each block of the page with settings, and the preset that it is about.
BLOCKS: Final = [(found[1], found[2]) for found in BLOCK.finditer(PROVIDERS)]
#: The same of other pages.
OTHER_BLOCKS: Final = [
    (path, found[2])
    for path in (
        "how-to/move-from-simplejwt.md",
        "reference/authentication.md",
        "tutorial/protect-it-with-tokens.md",
    )
    for found in BLOCK.finditer((DOCS / path).read_text("utf-8"))
    if "DRF_APIKIT = {\n" in found[2]
]
#: What `SCOPE_CLAIM` finds in the samples, as the page says.
SCOPE_CLAIMS: Final = [
    ("keycloak", "realm_access.roles", {"default-roles-shop", "clerk"}),
    ("keycloak", "resource_access.ledger.roles", {"approver"}),
    ("auth0", "permissions", {"ledger:read", "ledger:approve"}),
]


def section_of(text: str, directory: Path) -> Mapping[str, Any]:
    """Run a block and give the dict that it makes."""
    path = directory / "block.py"
    path.write_text(text, "utf-8")
    section: Mapping[str, Any] = runpy.run_path(str(path), {"INSTALLED_APPS": []})[
        "DRF_APIKIT"
    ]
    return section


def is_accepted(sample: Sample) -> bool:
    policy = find_issuer(sample.claims.get("iss")).policy
    token = mint(sample.header, sample.claims, algorithm="RS256", kind="RSA")
    try:
        verify(parse_compact(token), KEYS, policy, NOW)
    except TokenError:
        return False
    return True


def is_for(sample: Sample, audience: frozenset[str] | None) -> bool:
    found = sample.claims.get("aud", [])
    listed = [found] if isinstance(found, str) else found
    return audience is None or not audience.isdisjoint(listed)


def rows_of(page: str) -> list[list[str]]:
    """Give the cells of all tables, without their heads."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {number for number, row in enumerate(rows) if set(row[0]) == {"-"}}
    return [
        row
        for number, row in enumerate(rows)
        if number not in rules and number + 1 not in rules
    ]


@pytest.mark.parametrize(("preset", "text"), BLOCKS)
def test_the_settings_for_a_provider_take_its_access_tokens_and_no_others(
    preset: str, text: str, tmp_path: Path
) -> None:
    with override_settings(DRF_APIKIT=section_of(text, tmp_path)):
        assert apikit_settings.faults() == []
        issuers = apikit_settings.authentication.issuers
        assert {settings.token_profile for settings in issuers.values()} == {preset}
        known = [sample for sample in SAMPLES if sample.claims.get("iss") in issuers]
        expected = {
            str(sample)
            for sample in known
            if sample.kind == "access"
            and is_for(sample, issuers[sample.claims["iss"]].audience)
        }
        assert expected
        assert {str(sample) for sample in known if is_accepted(sample)} == expected


def test_every_provider_has_a_block() -> None:
    # That of simplejwt is on a page of its own.
    assert {preset for preset, _ in BLOCKS} == PROFILES.keys() - {"simplejwt"}


@pytest.mark.parametrize(("path", "text"), OTHER_BLOCKS)
def test_settings_of_other_pages_have_no_fault(
    path: str, text: str, tmp_path: Path
) -> None:
    with override_settings(DRF_APIKIT=section_of(text, tmp_path)):
        assert apikit_settings.faults() == [], path
        assert apikit_settings.authentication.issuers


def test_the_table_of_presets_is_right() -> None:
    names = {row[1].strip("`"): row for row in rows_of(PROVIDERS)}
    assert names.keys() == PROFILES.keys()
    for name, profile in PROFILES.items():
        clients, scopes = names[name][2:4]
        assert re.findall(r"`(\w+)`", clients) == list(profile.clients)
        if profile.clients:
            assert re.findall(r"`(\w+)`", scopes) == list(profile.scopes)


@pytest.mark.parametrize(("provider", "claim", "scopes"), SCOPE_CLAIMS)
def test_scopes_are_where_the_page_says(
    provider: str, claim: str, scopes: set[str]
) -> None:
    assert f'"{claim}"' in PROVIDERS
    settings = IssuerSettings(token_profile=provider, scope_claim=claim)
    found = {
        AccessToken(sample.claims, settings).scopes
        for sample in SAMPLES
        if sample.provider == provider and sample.kind == "access"
    }
    assert scopes in found


def test_each_reason_is_in_the_reference() -> None:
    codes = [row[0].strip("`") for row in rows_of(REASONS)]
    assert codes == [reason.value for reason in Reason]


def test_each_reason_answers_an_attack() -> None:
    attacks = [row for row in rows_of(THREATS) if len(row) == 4]
    named = {code for row in attacks for code in re.findall(r"`(\w+)`", row[2])}
    assert named == {reason.value for reason in Reason}


@pytest.mark.parametrize(
    "test", sorted(set(re.findall(r"`(tests/\S+::\w+)`", THREATS)))
)
def test_each_attack_names_a_test_that_is_there(test: str) -> None:
    path, name = test.split("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


def test_each_attack_names_a_test() -> None:
    rows = [row for row in rows_of(THREATS) if "::" in "".join(row) or len(row) == 4]
    assert [row for row in rows if "::" not in row[-1]] == []
