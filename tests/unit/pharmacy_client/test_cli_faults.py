"""`pharmacy faults`: every fault told, and an exit code by what the parser makes of them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from emvs import damaged_scans
from emvs.fault_patterns import PATTERNS
from emvs.scan import Scan, parse_scan
from pharmacy_client.cli import app

runner = CliRunner()


def test_check_of_many_packs_passes() -> None:
    done = runner.invoke(app, ["faults", "--packs", "30", "--seed", "7", "--check"])
    assert done.exit_code == 0, done.output
    assert "all as it must be" in done.output
    assert done.output.count("\n") == 1


def test_check_fails_when_the_parser_repairs_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that takes Caps Lock for nothing would send other packs."""

    def careless(text: str) -> Scan:
        return parse_scan(text.replace("]D", "]d", 1))

    monkeypatch.setattr(damaged_scans, "parse_scan", careless)
    done = runner.invoke(app, ["faults", "--only", "caps-lock", "--check"])
    assert done.exit_code == 1
    assert "1 WRONG" in done.output
    assert "this must not be" in done.output


def test_json_has_a_line_for_each_fault_of_a_given_pack() -> None:
    scan = "]d201098765432109821728053110LOT-7A<GS>21SNyz0123aB10"
    done = runner.invoke(app, ["faults", scan, "--json"])
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert {row["fault"] for row in rows} == {pattern.name for pattern in PATTERNS}
    assert all(row["pack"]["serial_number"] == "SNyz0123aB10" for row in rows)
    assert {row["reading"] for row in rows} == {"refused", "repaired", "sent", "whole"}


def test_a_damaged_pack_cannot_be_damaged_again() -> None:
    done = runner.invoke(app, ["faults", "+d20109876543210982"])
    assert done.exit_code == 4


def test_unknown_fault_is_wrong_usage() -> None:
    assert runner.invoke(app, ["faults", "--only", "nope"]).exit_code == 2
