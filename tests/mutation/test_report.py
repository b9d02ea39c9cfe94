import pytest

from tests.mutation.__main__ import identify, read_results, report

NAME = "drf_apikit.jose.keys.x__parse_key__mutmut_2"
DIFF = f"""# {NAME}: survived
--- drf_apikit/jose/keys.py
+++ drf_apikit/jose/keys.py
@@ -1,3 +1,3 @@
 def _parse_key(jwk: object) -> VerificationKey:
-        raise KeySetError("not an object")
+        raise KeySetError(None)
"""
MUTANT = ("jose.keys.x__parse_key", "raise KeySetError(None)")


def statuses(killed: int, **others: str) -> dict[str, str]:
    found = {f"drf_apikit.jose.keys.x_f__mutmut_{n}": "killed" for n in range(killed)}
    return {**found, **others}


def test_results_are_read() -> None:
    text = f"    {NAME}: survived\n    drf_apikit.http.a.x: no tests\nanything else\n"
    assert read_results(text) == {NAME: "survived", "drf_apikit.http.a.x": "no tests"}


def test_a_mutant_is_known_by_what_it_does() -> None:
    assert identify(NAME, DIFF) == MUTANT


@pytest.mark.parametrize(
    ("killed", "equivalents", "code", "told"),
    [
        (19, {}, 0, "mutation of jose: ok: 19 of 20 mutants killed, 95.0%"),
        (18, {}, 1, "mutation of jose: FAILED: 18 of 19 mutants killed, 94.7%"),
        (1, {MUTANT: "why"}, 0, "mutation of jose: ok: 1 of 1 mutants killed, 100.0%"),
        (19, {MUTANT: "why", ("a", "b"): "gone"}, 1, "though listed as equivalent: a"),
    ],
)
def test_the_score_decides(
    capsys: pytest.CaptureFixture[str],
    killed: int,
    equivalents: dict[tuple[str, str], str],
    code: int,
    told: str,
) -> None:
    found = statuses(killed, **{NAME: "survived", "drf_apikit.http.x": "not checked"})
    assert report(found, {NAME: MUTANT}, equivalents, is_whole=True) == code
    out = capsys.readouterr().out
    assert told in out
    assert "mutation of http" not in out
    assert (MUTANT[1] in out) is (MUTANT not in equivalents)


def test_a_part_of_the_run_says_nothing_of_the_other_equivalents() -> None:
    assert report(statuses(1), {}, {("a", "b"): "why"}, is_whole=False) == 0


def test_a_run_without_mutants_has_failed() -> None:
    assert report({}, {}, {}, is_whole=False) == 1
