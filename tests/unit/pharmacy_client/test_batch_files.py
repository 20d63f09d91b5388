"""Files of packs as spreadsheets and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emvs.states import Operation
from pharmacy_client.batch_files import read_rows
from pharmacy_client.errors import ProfileError

SCAN = "]d20109520000001155172912311010LOT<GS>21SN1"
FIELDS = "09520000001155{0}SN1{0}LOT{0}291231"


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "product_code,serial_number,batch_id,expiry,operation\n" + FIELDS.format(",") + ",supply\n",
        "\ufeffproduct_code,serial,batch,expiry,operation\r\n" + FIELDS.format(",") + ",SUPPLY\r\n",
        "Product code;Serial;Batch;Expiry;Operation\n" + FIELDS.format(";") + ";supply\n",
        "operation\tproduct_code\tserial\tbatch\texpiry\nsupply\t" + FIELDS.format("\t") + "\n",
    ],
)
def test_spreadsheets_of_every_kind(tmp_path: Path, text: str) -> None:
    (row,) = read_rows(written(tmp_path, "packs.csv", text), Operation.VERIFY)
    assert row.number == 2
    assert row.call is not None, row.error
    assert row.call.operation is Operation.SUPPLY
    assert (row.call.scan.serial_number, row.call.scan.batch_id) == ("SN1", "LOT")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{SCAN}\n", "has no heading"),
        (f"code,serial_number\n{FIELDS.format(',')}\n", "has no heading"),
        ("scan,Größe\n".encode("latin-1"), "Save it as UTF-8"),
    ],
)
def test_a_file_without_heading_or_in_other_letters_is_refused(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(ProfileError, match=told):
        list(read_rows(written(tmp_path, "packs.csv", text), Operation.VERIFY))


def test_an_empty_file_holds_no_packs(tmp_path: Path) -> None:
    assert not list(read_rows(written(tmp_path, "packs.csv", ""), Operation.VERIFY))


def test_operations_are_named_as_the_commands_are(tmp_path: Path) -> None:
    text = f"scan;operation\n{SCAN};undo\n{SCAN};frozen\n"
    undo, unknown = read_rows(written(tmp_path, "packs.csv", text), Operation.VERIFY)
    assert undo.call is not None
    assert undo.call.operation is Operation.UNDO_SUPPLY
    assert "There are: undo, verify, supply, destroy" in str(unknown.error)
