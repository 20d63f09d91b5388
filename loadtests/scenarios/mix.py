"""Who asks what, how often: the load model's shares as tables. No time and no randomness here.

Source: shares per participant from the load model calibrated on the published volumes of 2019 to
2023; causes of alerts as the Latvian organisation published them for the third quarter of 2023.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from itertools import accumulate
from typing import Final


class Role(StrEnum):
    """A kind of participant that scans packs."""

    PHARMACY = "pharmacy"
    HOSPITAL = "hospital"
    WHOLESALER = "wholesaler"


class Operation(IntEnum):
    """What is asked. The numbers stand in samples."""

    VERIFY = 0
    SUPPLY = 1
    UNDO = 2
    """Of a supply."""
    DESTROY = 3
    SAMPLE = 4
    LOCK = 5
    STOLEN = 6
    FREE_SAMPLE = 7
    EXPORT = 8
    BULK_VERIFY = 20
    """Many packs at once: until the ticket is given."""
    BULK_SUPPLY = 21
    BULK_RESULT = 22
    """From the submission of many packs until their results are there."""
    UPLOAD = 30
    """A manufacturer's batch: until the hub has acknowledged it."""
    DISTRIBUTION = 31
    """From the upload until every market has the packs."""
    RECALL = 32

    @property
    def label(self) -> str:
        """The name shown to people."""
        return self.name.lower().replace("_", " ")


DECOMMISSIONING: Final = frozenset(
    {
        Operation.SUPPLY,
        Operation.DESTROY,
        Operation.SAMPLE,
        Operation.LOCK,
        Operation.STOLEN,
        Operation.FREE_SAMPLE,
        Operation.EXPORT,
        Operation.BULK_SUPPLY,
    }
)
SINGLE_PACK: Final = tuple(operation for operation in Operation if operation < 20)

# Per thousand. How "destroy, sample, lock, others" divides is our choice.
_MIX: Final = """
operation    pharmacy hospital wholesaler
VERIFY          600      350       920
SUPPLY          360      600        20
UNDO             30       30        10
DESTROY           4        9        12
SAMPLE            2        4         8
LOCK              2        4         5
STOLEN            1        2         3
FREE_SAMPLE       1        1         2
EXPORT            0        0        20
"""


def _read_mix(text: str) -> dict[Role, dict[Operation, int]]:
    header, *lines = text.strip().splitlines()
    mix: dict[Role, dict[Operation, int]] = {Role(name): {} for name in header.split()[1:]}
    for line in lines:
        name, *cells = line.split()
        for role, cell in zip(mix, cells, strict=True):
            mix[role][Operation[name]] = int(cell)
    return mix


MIX: Final = _read_mix(_MIX)
"""Transactions per thousand, by role and operation."""
assert all(sum(shares.values()) == 1000 for shares in MIX.values()), "shares are per thousand"

OPERATIONS: Final = SINGLE_PACK
CUMULATED: Final = {
    role: list(accumulate(shares[operation] for operation in OPERATIONS))
    for role, shares in MIX.items()
}
"""For a quick draw: weights of OPERATIONS, added up."""

CLUSTER_SHARES: Final = (40, 27, 15, 9, 5, 4)
"""Per cent of prescriptions with 1, 2 ... 6 packs. Their range is public, the shares are ours."""
CLUSTER_MEAN: Final = sum(n * share for n, share in enumerate(CLUSTER_SHARES, 1)) / 100
PAUSE_S: Final = (2.0, 5.0)
"""Between two scans of one prescription."""
SCAN_DELAY_S: Final = (
    sum(n * (n - 1) / 2 * share for n, share in enumerate(CLUSTER_SHARES, 1))
    / 100
    / CLUSTER_MEAN
    * sum(PAUSE_S)
    / 2
)
"""From the first scan of a prescription to any of its scans, on the average: 3.7 s."""
GOODS_IN_PACKS: Final = (10, 40)
GOODS_IN_PAUSE_S: Final = (0.5, 2.0)
"""A delivery is scanned box after box (our choice)."""


class Fault(IntEnum):
    """Why a transaction ends in an alert. The numbers stand in samples."""

    NONE = 0
    ALREADY_INACTIVE = 1
    """Another place has supplied the pack."""
    SERIAL_UNKNOWN = 2
    BATCH_MISMATCH = 3
    BATCH_UNKNOWN = 4
    EXPIRY_MISMATCH = 5


FAULT_SHARES: Final = {
    Fault.ALREADY_INACTIVE: 34,
    Fault.SERIAL_UNKNOWN: 27,
    Fault.BATCH_MISMATCH: 26,
    Fault.BATCH_UNKNOWN: 11,
    Fault.EXPIRY_MISMATCH: 2,
}
"""Per cent of alerts; the published rest of two per cent stands for the expiry date."""
FAULTS: Final = tuple(FAULT_SHARES)
FAULTS_CUMULATED: Final = list(accumulate(FAULT_SHARES.values()))


def decommission_share(roles: dict[Role, float]) -> float:
    """Return which share of all transactions decommissions packs, by weights of the roles."""
    total = sum(roles.values())
    return sum(
        weight
        * sum(MIX[role][operation] for operation in OPERATIONS if operation in DECOMMISSIONING)
        for role, weight in roles.items()
    ) / (1000 * total)
