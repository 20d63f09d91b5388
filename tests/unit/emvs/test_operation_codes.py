"""The grammar of operation codes, and the table of those that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from emvs.operation_code_table import CODE_TABLE, AlertFlag, Colour
from emvs.operation_codes import (
    OPERATIONS,
    STATUS_CLASSES,
    Certainty,
    ClientMade,
    OperationCode,
    TextKind,
    compose,
    parse,
    without_body,
)
from emvs.states import State

PUBLISHED = Path(__file__).parents[2] / "vectors" / "rest" / "published_codes.txt"


def published() -> list[tuple[int, str]]:
    """Return status and code of each line of the vectors."""
    lines = [line.split() for line in PUBLISHED.read_text().splitlines() if line[0] != "#"]
    return [(int(status), code) for status, *codes in lines for code in codes]


def test_a_code_is_taken_apart() -> None:
    assert parse("51320601") == OperationCode("5", "13", TextKind.WARNING, 6, 1)
    parts = parse("B1020001")
    assert parts is not None
    assert (parts.status, parts.state, parts.reason) == (503, None, 1)
    assert parse("11111200") == OperationCode("1", "11", TextKind.INFORMATION, State.WITHDRAWN, 0)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "1111010",
        "111101000",
        "E1020000",
        "1x110100",
        "11160100",
        "11930100",
        "\uff11" + "1110100",
    ],
)
def test_what_does_not_follow_the_grammar_is_no_code(code: str) -> None:
    assert parse(code) is None


def test_a_state_that_nobody_knows_yet_is_still_a_code() -> None:
    parts = parse("11117700")
    assert parts is not None
    assert (parts.state_number, parts.state) == (77, None)


def test_codes_are_composed() -> None:
    assert compose(200, "11", TextKind.INFORMATION, state=State.ACTIVE) == "11110100"
    assert compose(409, "14", TextKind.WARNING, state=State.SUPPLIED, reason=1) == "51420201"
    assert compose(200, "51") == "15100000"


@pytest.mark.parametrize(("status", "operation", "reason"), [(400, "11", 0), (200, "99", 0)])
def test_what_has_no_place_is_not_composed(status: int, operation: str, reason: int) -> None:
    with pytest.raises(ValueError, match="no code tells"):
        compose(status, operation, reason=reason)
    with pytest.raises(ValueError, match="no code tells"):
        compose(200, "11", reason=100)


def test_clients_make_codes_of_their_own() -> None:
    made = {"01220000": ClientMade.YES, "51220000": ClientMade.POSSIBLY, "51220200": ClientMade.NO}
    for code, expected in made.items():
        parts = parse(code)
        assert parts is not None
        assert parts.client_made is expected
    assert without_body("12", None) == "01220000"
    assert without_body("12", 409) == "51220000"


def test_every_row_is_what_composing_its_parts_gives() -> None:
    for code, row in CODE_TABLE.items():
        assert str(row.parts) == row.code == code
        assert row.meaning
        assert "{" not in row.meaning
        if row.parts.status is not None:
            assert code == compose(
                row.parts.status,
                row.parts.operation,
                row.parts.kind,
                state=row.parts.state,
                reason=row.parts.reason,
            )


def test_every_published_code_has_a_row_with_its_status() -> None:
    for status, code in published():
        assert CODE_TABLE[code].parts.status == status, code


@pytest.mark.parametrize(
    ("code", "certainty", "colour", "alert"),
    [
        ("11110100", Certainty.CERTAIN, Colour.GREEN, None),
        ("11110201", Certainty.INFERRED, Colour.AMBER, AlertFlag.NO),
        ("51220301", Certainty.INFERRED, Colour.RED, AlertFlag.YES),
        ("51221100", Certainty.INFERRED, Colour.AMBER, AlertFlag.NO),
        ("51420100", Certainty.INFERRED, Colour.GREEN, AlertFlag.NO),
        ("51420501", Certainty.CERTAIN, Colour.RED, AlertFlag.NO),
        ("52120000", Certainty.INFERRED, Colour.RED, AlertFlag.PROBABLY),
        ("61020007", Certainty.TWO_SOURCES, None, AlertFlag.NO),
        ("61020014", Certainty.UNKNOWN, Colour.AMBER, AlertFlag.NO),
        ("62120000", Certainty.CERTAIN, None, AlertFlag.YES),
        ("15100000", Certainty.CERTAIN, None, None),
    ],
)
def test_a_row_tells_how_well_it_is_known(
    code: str, certainty: Certainty, colour: Colour | None, alert: AlertFlag | None
) -> None:
    row = CODE_TABLE[code]
    assert (row.certainty, row.colour, row.alert) == (certainty, colour, alert)


def test_the_series_of_statuses_goes_up() -> None:
    statuses = [row.status for row in STATUS_CLASSES.values() if row.status is not None]
    assert statuses == sorted(statuses)
    assert all(len(digits) == 2 for digits in OPERATIONS)
