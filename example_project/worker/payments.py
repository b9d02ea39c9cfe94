"""The list of payments: a CSV file that is read as a whole before any is made."""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.money import in_major_units, in_minor_units

__all__ = ["COLUMNS", "Payment", "read_payments"]

COLUMNS: Final = ("id", "source", "target", "amount", "currency", "reference")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
NUMBER: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One row: the file's own id of the payment, and the order."""

    id: str
    source: int
    target: int
    amount: int
    currency: str
    reference: str

    @property
    def key(self) -> str:
        """The Idempotency-Key: of the id alone.

        Whoever changes the amount of a payment that was made is refused for that,
        instead of paying it once more.
        """
        return f"payment-{hashlib.sha256(self.id.encode()).hexdigest()[:40]}"

    @property
    def order(self) -> dict[str, Any]:
        """What the API is asked for."""
        return {
            "source": self.source,
            "target": self.target,
            "amount": self.amount,
            "currency": self.currency,
            "reference": self.reference,
        }

    def __str__(self) -> str:
        amount = in_major_units(self.amount, self.currency)
        return f"{self.id}  {amount} {self.currency}  {self.source} -> {self.target}"


def read_payments(path: Path) -> list[Payment]:
    """Read all rows.

    Raises:
        ValueError: with the line and what is wrong there; OSError: no such file.

    """
    rows = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path}: the columns must be {', '.join(COLUMNS)}.")
        return list(_payments(path, rows))
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: {error}.") from error


def _text(path: Path) -> str:
    """Read it; spreadsheets write other encodings as well."""
    advice = f"{path}: save it as UTF-8."
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(advice) from None
    # UTF-16 without its mark is full of them.
    if "\0" in text:
        raise ValueError(advice)
    return text


def _payments(path: Path, rows: Any) -> Iterator[Payment]:
    seen: set[str] = set()
    for row in rows:
        try:
            payment = _payment(row, seen)
        except ValueError as error:
            raise ValueError(f"{path}, line {rows.line_num}: {error}") from None
        seen.add(payment.id)
        yield payment


def _payment(row: dict[Any, Any], seen: set[str]) -> Payment:
    if None in row or None in row.values():
        raise ValueError(f"a row has {len(COLUMNS)} cells.")
    cells = {name: row[name].strip() for name in COLUMNS}
    if not cells["id"]:
        raise ValueError("a payment needs an id.")
    if not cells["id"].isprintable():
        # It is shown, and a terminal obeys some characters.
        raise ValueError(f"the id {cells['id']!a} cannot be printed.")
    if cells["id"] in seen:
        raise ValueError(f"there is a payment {cells['id']} before.")
    if not CURRENCY.fullmatch(cells["currency"]):
        raise ValueError("the currency must be three capital letters.")
    return Payment(
        id=cells["id"],
        source=_number(cells["source"]),
        target=_number(cells["target"]),
        amount=in_minor_units(cells["amount"], cells["currency"]),
        currency=cells["currency"],
        reference=cells["reference"],
    )


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no account number.")
    return int(text)
