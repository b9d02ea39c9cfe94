"""What the demo says on the terminal."""

import json
import os
import shlex
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from demo.cast import CUSTOMERS, OPERATOR, Cast
from demo.exchange import ETAG, TOKEN, Answer, Request
from demo.expectations import Step
from demo.outcome import Outcome
from demo.steps import SCOPE

__all__ = ["Report", "Stream"]

INDENT = "   "
NARROWEST, WIDEST = 60, 100
LONGEST_VALUE = 120
# Of an answer, the headers that the steps are about.
HEADERS = ("ETag", "Idempotent-Replayed", "Location", "WWW-Authenticate")
STYLES = {"bold": "1", "dim": "2", "red": "1;31", "green": "32", "cyan": "36"}


class Stream(Protocol):
    """Where the report goes: a text file, or what Django wraps around one."""

    def write(self, text: str, /) -> object:
        """Write some text."""

    def flush(self) -> None:
        """Let it be seen."""

    def isatty(self) -> bool:
        """Tell whether a person is looking."""


class Report:
    """Writes headings, steps and verdicts; in colour on a terminal alone."""

    def __init__(self, stream: Stream, *, color: bool | None = None) -> None:
        self._stream = stream
        self._color = _wants_color(stream) if color is None else color
        columns = shutil.get_terminal_size((80, 24)).columns
        self.width = min(max(columns, NARROWEST), WIDEST)

    def line(self, text: str = "", style: str = "") -> None:
        """Write one line."""
        self._stream.write(f"{self._paint(text, style)}\n")
        self._stream.flush()

    def progress(self, text: str) -> None:
        """Write what is being done now."""
        self.line(text, "dim")

    def heading(self, text: str) -> None:
        """Write a heading with air around it."""
        self.line()
        self.line(text, "bold")

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write names and values in two columns."""
        widest = max(len(name) for name, _ in pairs)
        for name, value in pairs:
            self.line(f"{INDENT}{name:<{widest}}  {value}")

    def people(self, cast: Cast) -> None:
        """Write who can sign in, with the secrets of this run."""
        rows = [("", "password", "of the app", "client for curl", "client secret")]
        for name in (*CUSTOMERS, OPERATOR):
            role = "staff, sees all" if name == OPERATOR else "customer"
            client = cast.client_of(name)
            secret = cast.client_secrets[name]
            of_app = cast.app_passwords.get(name, "")
            password = cast.passwords[name]
            rows.append((f"{name} ({role})", password, of_app, client, secret))
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
        for number, row in enumerate(rows):
            cells = (
                f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
            )
            text = "  ".join(cells).rstrip()
            self.line(f"{INDENT}{text}", "" if number else "dim")

    def token(self, token: str, endpoint: str, client: str, secret: str) -> None:
        """Write the token as a shell variable, and how to get a new one."""
        self.line(f"TOKEN={token}")
        self.line()
        self.line(f"{INDENT}It lives for an hour. A fresh one, any time:", "dim")
        self.line(
            f"TOKEN=$(curl -s -u {shlex.quote(f'{client}:{secret}')} \\\n"
            f"  -d grant_type=client_credentials -d 'scope={SCOPE}' \\\n"
            f'  {endpoint} | sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\')'
        )

    def recipe(self, title: str, sentences: Sequence[str]) -> None:
        """Write what to do with a browser, or in another shell."""
        self.line()
        self.line(f"{INDENT}{title}", "bold")
        for sentence in sentences:
            for line in self._wrapped(sentence):
                self.line(line)

    def command(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        """Write a command for pasting into a shell."""
        lines = [f"{name}={shlex.quote(value)}" for name, value in env.items()]
        self.line(" \\\n  ".join([*lines, shlex.join(words)]))

    def curl(self, number: int, step: Step) -> None:
        """Write a step for pasting into a shell."""
        self.line()
        expected = ", ".join(each.text for each in step.expectations)
        self.line(f"{INDENT}{number}. {step.title}", "bold")
        for line in self._wrapped(f"expect {expected}"):
            self.line(line, "dim")
        self.line(_curl(step.request))

    def verdict(
        self, number: int, step: Step, answer: Answer, wrong: list[str]
    ) -> None:
        """Write a step that was made: what was sent, what came back, right or not."""
        self._title(number, step.title, is_wrong=bool(wrong))
        for line in _request_lines(step.request):
            self._quote("> ", line, "cyan")
        for line in _answer_lines(answer):
            self._quote("< ", line)
        self._judge([(each.text, each.text not in wrong) for each in step.expectations])

    def outcome(self, number: int, outcome: Outcome) -> None:
        """Write what was tried by script: likewise."""
        is_wrong = not all(holds for _, holds in outcome.expected)
        self._title(number, outcome.title, is_wrong=is_wrong)
        for line in outcome.told:
            self._quote("| ", line)
        self._judge(outcome.expected)

    def _title(self, number: int, text: str, *, is_wrong: bool) -> None:
        self.line()
        mark, style = ("WRONG", "red") if is_wrong else ("ok", "green")
        title = f"{number}. {text}"
        gap = " " * max(1, self.width - len(title) - len(mark))
        self.line(f"{self._paint(title, 'bold')}{gap}{self._paint(mark, style)}")

    def _judge(self, expected: Sequence[tuple[str, bool]]) -> None:
        for text, holds in expected:
            if not holds:
                self.line(f"{INDENT}  wrong: not so that {text}", "red")
        right = [text for text, holds in expected if holds]
        for line in self._wrapped(", ".join(right)):
            self.line(line, "dim")

    def _quote(self, mark: str, text: str, style: str = "") -> None:
        """Write what went over the wire, a long body in several lines."""
        lines = textwrap.wrap(
            text,
            self.width,
            initial_indent=f"{INDENT}{mark}",
            subsequent_indent=f"{INDENT}{' ' * len(mark)}",
            break_on_hyphens=False,
        )
        for line in lines:
            self.line(line, style)

    def _wrapped(self, text: str) -> list[str]:
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_on_hyphens=False,
        )

    def _paint(self, text: str, style: str) -> str:
        if not (self._color and style and text):
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def _wants_color(stream: Stream) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _curl(request: Request) -> str:
    # The last option ends a body without a line break, before the next prompt.
    words = ["curl", "-isw", r"'\n'"]
    if request.method != "GET" and not (request.method == "POST" and request.body):
        words += ["-X", request.method]
    lines = [f"{' '.join(words)} {shlex.quote(request.url)}"]
    # In double quotes the shell puts the token in.
    lines += [f"-H {_double_quoted(f'{n}: {v}')}" for n, v in request.headers.items()]
    if request.body is not None:
        lines.append(f"-d {shlex.quote(request.body)}")
    command = " \\\n  ".join(lines)
    return _keeping_etag(command) if request.keeps_etag else command


def _keeping_etag(command: str) -> str:
    """Show the answer, and put its tag into a shell variable."""
    pick = "tr -d '\\r' | sed -n 's/^ETag: //p'"
    return f"ETAG=$({command} \\\n  | tee /dev/stderr | {pick})"


def _double_quoted(text: str) -> str:
    return f'"{text}"' if TOKEN in text or ETAG in text else shlex.quote(text)


def _request_lines(request: Request) -> list[str]:
    path = "/" + request.url.split("/", 3)[3]
    shown = [f"{n}: {v}" for n, v in request.headers.items() if n != "Content-Type"]
    return [
        f"{request.method} {path}",
        *shown,
        *([request.body] if request.body else []),
    ]


def _answer_lines(answer: Answer) -> list[str]:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    lines = [f"{answer.status} {phrase}  {answer.media_type}".rstrip()]
    shown = [(name, answer.headers.get(name.lower())) for name in HEADERS]
    lines += [f"{name}: {value}" for name, value in shown if value is not None]
    if answer.body:
        body = answer.json
        lines.append(answer.body if body is None else json.dumps(_short(body)))
    return lines


def _short(value: Any) -> Any:
    match value:
        case dict():
            return {name: _short(member) for name, member in value.items()}
        case list():
            return [f"{len(value)} items"]
        case str() if len(value) > LONGEST_VALUE:
            return f"{value[: LONGEST_VALUE - 3]}..."
        case _:
            return value
