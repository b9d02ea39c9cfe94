"""Cursors that no list gave out, made from those that it did."""

import base64
import json
import logging
import random
import string
import zlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from django.core.signing import Signer, TimestampSigner
from rest_framework.generics import ListAPIView
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory

from drf_apikit.pagination import CursorPagination
from tests.app.models import Article

__all__ = ["ORDERINGS", "ForgedCursors", "mutate"]

ORDERINGS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("created",),
    ("-score", "title"),
    ("price", "-day"),
    ("token",),
    ("author__name", "-hour"),
    ("-ratio", "flag"),
    ("span",),
)
FACTORY: Final = APIRequestFactory()
HUGE: Final = 20_000
SALT: Final = "drf_apikit.keyset.cursor"
ALPHABET: Final = string.ascii_letters + string.digits + "-_."
STRANGE: Final = "\0\n\t =+/%&#;:|,'\"\\<>é٣𝟙ａ\u202e\ufeff\U0010ffff"
TEXTS: Final = ("", ".", "..", "null", "0", "1e999", "cD0yMDI2LTExLTIy", "[]", "{}")

logger = logging.getLogger(__name__)


class ArticleSerializer(ModelSerializer[Article]):
    class Meta:
        model = Article
        fields = ("id",)


class ArticleList(ListAPIView[Article]):
    authentication_classes = ()
    permission_classes = ()
    filter_backends = ()
    queryset = Article.objects.all()
    serializer_class = ArticleSerializer


class ForgedCursors:
    """Lists of all articles in several orderings, and what they answer."""

    def __init__(self) -> None:
        self._views = [_view(ordering) for ordering in ORDERINGS]
        self.given = [_collect(view) for view in self._views]

    def attempt(self, rng: random.Random) -> str:
        """Send one that this list did not give out; name the answer."""
        number = rng.randrange(len(self._views))
        given = self.given[number]
        text: str | bytes = rng.choice(given)
        while text in given:
            text = mutate(rng, self.given, number)
        return self.send(number, text)

    def send(self, number: int, text: str | bytes) -> str:
        """Send a cursor to a list; give "" if it is refused as it should be."""
        raw = text if isinstance(text, bytes) else text.encode()
        try:
            response = self._views[number](FACTORY.get(f"/?cursor={quote(raw)}"))
        except Exception:
            logger.exception("It raised, given %r", text)
            return "of 5xx"
        if response.status_code >= 500:
            return "of 5xx"
        if response.status_code < 400:
            return "accepted"
        document = json.loads(response.content)
        found = (response.status_code, document["type"].rpartition("/")[2])
        expected = found == (400, "invalid-cursor")
        return "" if expected and document["parameter"] == "cursor" else "other answers"


def _view(ordering: tuple[str, ...]) -> Callable[[Any], Any]:
    own = {"ordering": ordering, "page_size": 2}
    paginator = type("Ordered", (CursorPagination,), own)
    return ArticleList.as_view(pagination_class=paginator)


def _collect(view: Callable[[Any], Any]) -> list[str]:
    """Give the cursors of the list's first pages."""
    found: list[str] = []
    url = "/"
    while url and len(found) < 8:
        data = view(FACTORY.get(url)).data
        links = [link for link in (data["next"], data["previous"]) if link]
        found += [parse_qs(urlsplit(link).query)["cursor"][0] for link in links]
        url = data["next"]
    return found


def mutate(rng: random.Random, given: list[list[str]], number: int) -> str | bytes:
    """Make a cursor from those that were given out, here and elsewhere."""
    text = rng.choice(given[number])
    if rng.random() < 0.6:
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            text = rng.choice(EDITS)(rng, text)
        return text
    return rng.choice(FORGERIES)(rng, text, rng.choice(rng.choice(given)))


def _place(rng: random.Random, text: str) -> int:
    return rng.randrange(len(text) + 1)


def _replace(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]


def _insert(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + rng.choice(ALPHABET + STRANGE) + text[at:]


def _delete(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + text[at + rng.choice((1, 1, 3)) :]


def _cut(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return rng.choice((text[:at], text[at:]))


def _swap_case(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]


def _swap(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]


def _repeat(rng: random.Random, text: str) -> str:
    at = _place(rng, text)
    return text[:at] + text[at : at + 8] * 2 + text[at + 8 :]


def _pad(rng: random.Random, text: str) -> str:
    return text + rng.choice(STRANGE) * rng.randrange(1, 4)


EDITS: Final = (_replace, _insert, _delete, _cut, _swap_case, _swap, _repeat, _pad)


def _halves(text: str) -> tuple[str, str]:
    payload, _, signature = text.rpartition(".")
    return payload, signature


def _elsewhere(_rng: random.Random, _text: str, other: str) -> str:
    return other


def _crossed(_rng: random.Random, text: str, other: str) -> str:
    return f"{_halves(text)[0]}.{_halves(other)[1]}"


def _signed_otherwise(rng: random.Random, text: str, _other: str) -> str:
    payload, _ = _halves(text)
    signers = (
        Signer(sep=".", salt="another"),
        Signer(sep="."),
        Signer(sep=".", salt=SALT, key="guessed"),
        Signer(sep=".", salt=SALT, algorithm="sha1"),
        TimestampSigner(sep=".", salt=SALT, key="guessed"),
    )
    return rng.choice(signers).sign(payload)


def _rewritten(rng: random.Random, text: str, _other: str) -> str:
    """Change what the payload says, under the old signature."""
    payload, signature = _halves(text)
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    at = rng.randrange(len(content))
    content[at] = rng.choice((None, 0, 2**70, "x", [], [None], [["t", "x"]], {}))
    raw = json.dumps(content).encode()
    mark = ""
    if rng.random() < 0.3:
        mark, raw = ".", zlib.compress(raw)
    return f"{mark}{base64.urlsafe_b64encode(raw).decode().rstrip('=')}.{signature}"


def _random_bytes(rng: random.Random, _text: str, _other: str) -> bytes:
    return rng.randbytes(rng.randrange(40))


def _known(rng: random.Random, _text: str, _other: str) -> str:
    return rng.choice(TEXTS)


def _long(rng: random.Random, text: str, _other: str) -> str:
    return text * rng.randrange(1, HUGE // len(text)) if rng.random() < 0.1 else text


FORGERIES: Final[tuple[Callable[[random.Random, str, str], str | bytes], ...]] = (
    _elsewhere,
    _crossed,
    _signed_otherwise,
    _rewritten,
    _random_bytes,
    _known,
    _long,
)
