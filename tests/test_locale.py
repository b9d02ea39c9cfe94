import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils import translation
from rest_framework.test import APIClient

from drf_apikit.problems.registry import problem_types

PACKAGE: Final = Path(__file__).resolve().parent.parent / "drf_apikit"
LANGUAGES: Final = sorted(path.name for path in (PACKAGE / "locale").iterdir())
#: Both tags of Django's i18n, with a literal in either kind of quotes.
TAG: Final = re.compile(r"""{%\s*(?:translate|trans)\s+(["'])(?P<text>.*?)\1""")
BLOCK: Final = re.compile(r"{%\s*(?:blocktranslate|blocktrans)\b")
FUNCTIONS: Final[dict[str, Any]] = {"_": None, "gettext": None, "gettext_lazy": None}


def marked() -> Iterator[str]:
    """Give all texts of the package that are marked for translation."""
    for path in PACKAGE.rglob("*.py"):
        for _line, message, _comments, _context in extract_from_file(
            "python", path, keywords=FUNCTIONS
        ):
            assert isinstance(message, str), (path, message)
            yield message
    for path in PACKAGE.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not BLOCK.search(text), path
        yield from (found["text"] for found in TAG.finditer(text))


def catalogue(language: str, suffix: str) -> Catalog:
    path = PACKAGE / "locale" / language / "LC_MESSAGES" / f"django.{suffix}"
    with path.open("rb") as file:
        return read_po(file) if suffix == "po" else read_mo(file)


def texts(found: Catalog) -> dict[Any, Any]:
    return {message.id: message.string for message in found if message.id}


def test_german_is_there() -> None:
    assert "de" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing_and_nothing_left_over(language: str) -> None:
    wanted = set(marked())
    assert "Not found" in wanted
    assert "Problem types" in wanted
    assert set(texts(catalogue(language, "po"))) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_for_good(language: str) -> None:
    messages = [message for message in catalogue(language, "po") if message.id]
    assert [message.id for message in messages if message.fuzzy] == []
    assert [message.id for message in messages if not message.string] == []
    for message in messages:
        assert list(message.check()) == [], message.id
        assert code_in(message.id) == code_in(message.string), message.id


def code_in(text: Any) -> list[str]:
    """Give what stands in backticks: names, which stay as they are."""
    return sorted(re.findall(r"`[^`]*`", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_runs_is_what_is_written(language: str) -> None:
    written, runs = catalogue(language, "po"), catalogue(language, "mo")
    assert texts(runs) == texts(written)


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_are_translated_and_types_are_not(language: str) -> None:
    english = {
        slug: (str(kind.title), kind.code, kind.status)
        for slug, kind in problem_types().items()
    }
    with translation.override(language):
        for slug, kind in problem_types().items():
            assert (kind.code, kind.status) == english[slug][1:]
        assert str(problem_types()["not-found"].title) != english["not-found"][0]


@pytest.mark.urls("tests.problems.urls")
@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_speak_the_language_and_keep_the_type(language: str) -> None:
    own, english = (
        APIClient(headers={"Accept-Language": name}).get("/nowhere/").json()
        for name in (language, "en")
    )
    assert own["type"] == english["type"]
    assert own["status"] == english["status"]
    assert own["title"] != english["title"]
    assert own["detail"] != english["detail"]
