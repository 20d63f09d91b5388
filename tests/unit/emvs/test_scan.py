"""From the text of a scanner to a pack, by the agreed examples in tests/vectors/scans.json."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.character_sets import IFA_BATCH_CHARACTERS, IFA_SERIAL_CHARACTERS, SET_82
from emvs.scan import (
    SCAN_LENGTH_MAX,
    Scan,
    ScanError,
    build_scan_text,
    parse_scan,
    scan_from_fields,
    split_symbology,
)
from emvs.scheme import Scheme

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "scans.json").read_text())["scans"]
GTIN, PPN = "04150037528643", "110375286414"


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_agreed_examples(row: dict[str, Any]) -> None:
    if "refused" in row:
        with pytest.raises(ScanError) as caught:
            parse_scan(row["scan"])
        assert row["refused"] in caught.value.problem
        assert caught.value.advice
        return
    scan = asdict(parse_scan(row["scan"]))
    problems = scan.pop("problems")
    repairs = scan.pop("repairs")
    assert len(repairs) == len(row.get("repairs", ()))
    assert all(word in repair for word, repair in zip(row.get("repairs", ()), repairs, strict=True))
    assert scan == row["expected"]
    assert len(problems) == len(row["problems"])
    assert all(word in problem for word, problem in zip(row["problems"], problems, strict=True))


def test_problems_are_listed_all_together() -> None:
    scan = parse_scan("]d2010415003752864417270230" + "10B 1\x1d21S 1\x1d~")
    assert [" ".join(problem.split()[:3]) for problem in scan.problems] == [
        "The scan can't",
        "The product code",
        "The serial number",
        "The batch id",
        "The expiry date",
    ]


@given(st.text(SET_82, min_size=1, max_size=20), st.text(SET_82, min_size=1, max_size=20))
def test_gs1_packs_come_back_as_built(serial: str, batch: str) -> None:
    fields: Any = {
        "product_code": GTIN,
        "serial_number": serial,
        "batch_id": batch,
        "expiry": "271200",
    }
    text = build_scan_text(scheme=Scheme.GTIN, **fields)
    assert parse_scan(text) == Scan(scheme=Scheme.GTIN, symbology="]d2", **fields)


@given(
    st.text(IFA_SERIAL_CHARACTERS, min_size=1, max_size=20),
    st.text(IFA_BATCH_CHARACTERS, min_size=1, max_size=20),
)
def test_ifa_packs_come_back_as_built(serial: str, batch: str) -> None:
    fields: Any = {
        "product_code": PPN,
        "serial_number": serial,
        "batch_id": batch,
        "expiry": "271231",
    }
    text = build_scan_text(scheme=Scheme.PPN, **fields)
    assert parse_scan(text) == Scan(scheme=Scheme.PPN, symbology="]d1", **fields)


@given(st.text(max_size=60) | st.text("]d210[)>\x1e\x1d\x049NS1TD069(1)7AX ", max_size=150))
def test_any_text_is_a_pack_or_a_refusal(text: str) -> None:
    try:
        scan = parse_scan(text)
        texts = [scan.product_code, scan.serial_number]
    except ScanError as error:
        texts = [error.problem, error.advice]
    assert all(texts)


def test_the_length_is_bounded() -> None:
    start = f"]d201{GTIN}21SN1\x1d99"
    filler = "X" * (SCAN_LENGTH_MAX - len(start))
    assert parse_scan(start + filler).serial_number == "SN1"
    with pytest.raises(ScanError, match="1001 characters"):
        parse_scan(start + filler + "X")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("]d2010", ("]d2", "010")),
        ("]E0", ("]E0", "")),
        ("]d", (None, "]d")),
        ("]12x", (None, "]12x")),
        ("010", (None, "010")),
        ("", (None, "")),
    ],
)
def test_symbology_identifiers(text: str, parts: tuple[str | None, str]) -> None:
    assert split_symbology(text) == parts


def test_typed_fields() -> None:
    scan = scan_from_fields(product_code=" 4150037528643 ", serial_number="SN1 ", expiry="270230")
    assert (scan.scheme, scan.product_code, scan.serial_number) == (Scheme.GTIN, GTIN, "SN1")
    assert scan.batch_id is None
    assert scan.problems == ("The expiry date '270230' is not a date of the form YYMMDD.",)


@pytest.mark.parametrize(
    ("scheme", "product_code", "expected"),
    [
        (None, PPN, (Scheme.PPN, PPN)),
        (None, "110375286415", (Scheme.GTIN, "00110375286415")),
        (Scheme.PPN, "110375286415", (Scheme.PPN, "110375286415")),
        (None, "96385074", (Scheme.GTIN, "00000096385074")),
        (None, "ABC", (Scheme.GTIN, "ABC")),
    ],
)
def test_the_scheme_of_typed_fields(
    scheme: Scheme | None, product_code: str, expected: tuple[Scheme, str]
) -> None:
    scan = scan_from_fields(product_code=product_code, serial_number="1", scheme=scheme)
    assert (scan.scheme, scan.product_code) == expected


@pytest.mark.parametrize("missing", ["product_code", "serial_number"])
def test_typed_fields_need_product_code_and_serial(missing: str) -> None:
    fields = {"product_code": GTIN, "serial_number": "SN1", missing: " "}
    with pytest.raises(ScanError, match=f"The {missing.replace('_', ' ')} is missing"):
        scan_from_fields(**fields)  # type: ignore[arg-type]
