"""Which kind of participant may ask which operation.

The grid is the public permission table of the system; cells that differ by market name the
setting of `MarketRules` that decides. No participant is known here, only roles.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from emvs.rules import MarketRules
from emvs.states import Operation


class Role(StrEnum):
    """What a participant is to the system."""

    PHARMACY = "pharmacy"
    HOSPITAL = "hospital"
    WHOLESALER = "wholesaler"
    OBP = "obp"
    PARALLEL_DISTRIBUTOR = "parallel_distributor"
    NMVO = "nmvo"
    NCA = "nca"


# Y yes, - no; any other letter: where the market's setting in `SWITCHES` says so.
_GRID: Final = """
operation     PHARMACY HOSPITAL WHOLESALER OBP PARALLEL_DISTRIBUTOR NMVO NCA
VERIFY           Y        Y         Y       Y           Y            Y    v
SUPPLY           Y        Y         w       Y           Y            -    -
DESTROY          Y        Y         Y       Y           Y            -    -
LOCK             l        l         Y       Y           Y            n    -
EXPORT           e        -         Y       Y           Y            -    -
SAMPLE           Y        Y         Y       Y           Y            -    -
STOLEN           s        s         Y       Y           Y            -    -
FREE_SAMPLE      f        f         d       Y           Y            -    -
CHECK_OUT        -        -         -       -           Y            -    -
"""

SWITCHES: Final = {
    "e": "pharmacy_may_export",
    "w": "wholesaler_may_supply",
    "l": "supplier_may_lock",
    "s": "supplier_may_report_stolen",
    "f": "supplier_may_free_sample",
    "d": "wholesaler_may_free_sample",
    "n": "nmvo_may_lock",
    "v": "nca_may_verify",
}
"""The setting of `MarketRules` that each letter of the grid stands for."""

_UNDO_NOTHING: Final = (Role.NMVO, Role.NCA)


def _read_grid(text: str) -> dict[tuple[Role, Operation], str]:
    header, *lines = text.strip().splitlines()
    roles = [Role[name] for name in header.split()[1:]]
    cells: dict[tuple[Role, Operation], str] = {}
    for line in lines:
        name, *row = line.split()
        for role, cell in zip(roles, row, strict=True):
            cells[role, Operation[name]] = cell
            if name != "VERIFY":  # Who may do a thing may undo it, but for authorities.
                undo = "-" if role in _UNDO_NOTHING else cell
                cells[role, Operation(Operation[name] + 10)] = undo
    for role in roles:
        cells[role, Operation.REACTIVATE] = cells[role, Operation.SAMPLE]
    return cells


PERMISSIONS: Final = _read_grid(_GRID)
assert len(PERMISSIONS) == len(Role) * len(Operation), "the grid must be total"


def permitted_operations(role: Role, rules: MarketRules) -> frozenset[Operation]:
    """Operations that `role` may ask for in a market with these rules."""
    switches = {"Y": True, "-": False}
    switches |= {letter: getattr(rules, name) for letter, name in SWITCHES.items()}
    return frozenset(operation for operation in Operation if switches[PERMISSIONS[role, operation]])
