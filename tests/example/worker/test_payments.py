"""The file of payments: read as a whole, or refused with the line."""

from pathlib import Path

import pytest

from worker.payments import Payment, read_payments

HEAD = "id,source,target,amount,currency,reference\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "payments.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_payments(tmp_path: Path) -> None:
    text = f'\ufeff{HEAD}a-1,1,5,10.50,EUR,"rent, June"\nb, 2 ,5,7,JPY,\n'
    first, second = read_payments(write(tmp_path, text))
    assert first == Payment(
        id="a-1",
        source=1,
        target=5,
        amount=1050,
        currency="EUR",
        reference="rent, June",
    )
    assert str(second) == "b  7 JPY  2 -> 5"
    assert second.reference == ""
    assert first.order == {
        "source": 1,
        "target": 5,
        "amount": 1050,
        "currency": "EUR",
        "reference": "rent, June",
    }


def test_the_key_is_that_of_the_id_alone(tmp_path: Path) -> None:
    rows = ("a,1,5,1,EUR,x", "a,2,6,2,USD,y", "b,1,5,1,EUR,x")
    payments = [read_payments(write(tmp_path, f"{HEAD}{row}\n"))[0] for row in rows]
    assert payments[0].key == payments[1].key != payments[2].key
    assert payments[0].key.isascii()
    assert len(payments[0].key) < 255


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the columns must be id, source"),
        ("id,amount\n", "the columns must be id, source"),
        (f"{HEAD}a,1,5,1,EUR\n", "line 2: a row has 6 cells"),
        (f"{HEAD}a,1,5,1,EUR,x,y\n", "line 2: a row has 6 cells"),
        (f"{HEAD} ,1,5,1,EUR,x\n", "line 2: a payment needs an id"),
        (f"{HEAD}a,1,5,1,EUR,\na,1,5,2,EUR,\n", "line 3: there is a payment a before"),
        (f"{HEAD}\x1b[2Ja,1,5,1,EUR,x\n", r"line 2: the id '\\x1b\[2Ja' cannot"),
        (f"{HEAD}a\u202eb,1,5,1,EUR,x\n", r"'a\\u202eb' cannot be printed"),
        (f'{HEAD}"a\nb",1,5,1,EUR,x\n', r"'a\\nb' cannot be printed"),
        (f"{HEAD}a,one,5,1,EUR,x\n", "'one' is no account number"),
        (f"{HEAD}a,1,-5,1,EUR,x\n", "'-5' is no account number"),
        (f"{HEAD}a,1,5,0,EUR,x\n", "above zero"),
        (f"{HEAD}a,1,5,1.999,EUR,x\n", "2 digits"),
        (f'{HEAD}a,1,5,"1,250",KWD,x\n', "line 2: 1,250 could be two amounts"),
        (f"{HEAD}a,1,5,1,euro,x\n", "three capital letters"),
        (f'{HEAD}a,1,5,1,EUR,"x', "unexpected end of data"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_payments(write(tmp_path, text))


@pytest.mark.parametrize(
    ("encoding", "reference"),
    [
        ("latin-1", "März"),
        ("utf-16", "May"),
        ("utf-16-le", "May"),
        ("utf-16-be", "May"),
    ],
)
def test_another_encoding_is_named(
    tmp_path: Path, encoding: str, reference: str
) -> None:
    path = tmp_path / "payments.csv"
    path.write_bytes(f"{HEAD}a,1,5,1,EUR,{reference}\n".encode(encoding))
    with pytest.raises(ValueError, match=r"payments\.csv: save it as UTF-8\."):
        read_payments(path)
