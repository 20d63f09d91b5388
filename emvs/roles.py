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


# Y yes, - no; e: where pharmacies may export; w: where wholesalers may supply (Art. 23).
_GRID: Final = """
operation     PHARMACY HOSPITAL WHOLESALER OBP PARALLEL_DISTRIBUTOR NMVO NCA
VERIFY           Y        Y         Y       Y           Y            Y    Y
SUPPLY           Y        Y         w       Y           Y            -    -
DESTROY          Y        Y         Y       Y           Y            -    -
LOCK             Y        Y         Y       Y           Y            -    -
EXPORT           e        -         Y       Y           Y            -    -
SAMPLE           Y        Y         Y       Y           Y            -    -
STOLEN           Y        Y         Y       Y           Y            -    -
FREE_SAMPLE      Y        Y         Y       Y           Y            -    -
CHECK_OUT        -        -         -       -           Y            -    -
"""


def _read_grid(text: str) -> dict[tuple[Role, Operation], str]:
    header, *lines = text.strip().splitlines()
    roles = [Role[name] for name in header.split()[1:]]
    cells: dict[tuple[Role, Operation], str] = {}
    for line in lines:
        name, *row = line.split()
        for role, cell in zip(roles, row, strict=True):
            cells[role, Operation[name]] = cell
            if name != "VERIFY":  # Who may do a thing may undo it.
                cells[role, Operation(Operation[name] + 10)] = cell
    for role in roles:
        cells[role, Operation.REACTIVATE] = cells[role, Operation.SAMPLE]
    return cells


PERMISSIONS: Final = _read_grid(_GRID)
assert len(PERMISSIONS) == len(Role) * len(Operation), "the grid must be total"


def permitted_operations(role: Role, rules: MarketRules) -> frozenset[Operation]:
    """Operations that `role` may ask for in a market with these rules."""
    switches = {
        "Y": True,
        "-": False,
        "e": rules.pharmacy_may_export,
        "w": rules.wholesaler_may_supply,
    }
    return frozenset(operation for operation in Operation if switches[PERMISSIONS[role, operation]])
