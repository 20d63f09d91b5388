"""Whether what clients were told is what the markets have recorded: nothing lost, nothing doubled.

The audit trail of each market is read as an authority reads it, after the run, and held against the
samples pack by pack. `Comparison` is pure.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, NamedTuple

import aiohttp
import numpy as np

from emvs.infra.launch.errors import LaunchError
from loadtests.scenarios.mix import DECOMMISSIONING, SINGLE_PACK, Fault, Operation
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.samples import Flag, Rows, Verdict

_READ_S_MAX: Final = 1_800.0
_SHOWN_MAX: Final = 20
_OPEN: Final = (Verdict.ERROR, Verdict.UNKNOWN)
"""Whether it was done the answer does not say."""
_DONE, _UNDONE = "DECOMMISSIONED", "REACTIVATED"


class Entry(NamedTuple):
    """A change in an audit trail."""

    serial: str
    operation: str
    outcome: str


class AuditResult(NamedTuple):
    """What was found in one market."""

    market: str
    checked: int
    """Decommissionings that clients were told of."""
    entries: int
    """Changes in the audit trail."""
    lost: int
    """Told as done, and not in the trail."""
    doubled: int
    """Done again without an undo between, or told as done twice."""
    unasked: int
    """In the trail, and nobody asked for it."""
    unanswered_done: int
    """Done, but the answer never came: no fault, to be looked up by the client."""
    examples: list[str]


async def check_market(
    http: aiohttp.ClientSession, plan: Plan, rows: Rows, market: str
) -> AuditResult:
    """Read a market's trail and compare. Raises LaunchError if it cannot be read."""
    packs = next(one for one in plan.packs if one.market == market)
    # One product after the run: the trail of a market that has lived longer is not read whole.
    url = (
        f"{plan.managements[market]}/audit?role=nca&format=csv&outcome={_DONE},{_UNDONE}"
        f"&product_code={packs.product_code}"
    )
    sites = [site.number for site in plan.sites if site.market == market]
    here = rows[np.isin(rows["site"], sites)]
    comparison = Comparison(market, here, _serials(packs, _numbers_used(here)))
    try:
        async for entry in read_entries(http, url, batch_prefix=f"L{packs.run_id}-"):
            comparison.add(entry)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LaunchError(
            f"the audit trail of {market} could not be read: {error}. Its system must run; with"
            " --no-audit the rest is written"
        ) from error
    return comparison.result()


async def read_entries(
    http: aiohttp.ClientSession, url: str, *, batch_prefix: str
) -> AsyncIterator[Entry]:
    """Yield the changes of packs of this run, oldest first."""
    timeout = aiohttp.ClientTimeout(total=_READ_S_MAX)
    async with http.get(url, timeout=timeout) as response:
        response.raise_for_status()
        rest, columns = b"", None
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for cells in csv.reader(line.decode() for line in lines if line.strip()):
                if columns is None:
                    columns = {name: place for place, name in enumerate(cells)}
                    continue
                outcome = cells[columns["Event Code"]]
                if cells[columns["StoredBatchId"]].startswith(batch_prefix):
                    serial = cells[columns["SerialNumber"]].removeprefix("'")
                    yield Entry(serial, cells[columns["Event Name"]], outcome)


def _may_change(rows: Rows) -> Any:
    changing = np.isin(rows["operation"], [*map(int, DECOMMISSIONING), int(Operation.UNDO)])
    return changing & np.isin(rows["fault"], (Fault.NONE, Fault.ALREADY_INACTIVE))


def _numbers_used(rows: Rows) -> set[int]:
    numbers: set[int] = set()
    for first, count in zip(
        *(rows[_may_change(rows)][name].tolist() for name in ("pack", "packs")), strict=True
    ):
        numbers.update(range(first, first + count))
    return numbers


def _serials(packs: Any, numbers: Iterable[int]) -> dict[str, int]:
    """Return the pack numbers that were used, by serial number."""
    wanted = defaultdict(list)
    for number in numbers:
        wanted[number // packs.shard_packs].append(number)
    found: dict[str, int] = {}
    for shard, members in wanted.items():
        serials = packs.serials(shard)
        found |= {serials[number % packs.shard_packs]: number for number in members}
    return found


class _Told(NamedTuple):
    done: dict[int, int]
    undone: dict[int, int]
    unanswered: dict[int, int]
    operations: dict[int, int]
    """A bit for each operation that was asked for."""


def _says_done(code: bytes) -> bool:
    """Whether an answer says that the state was changed: 1122… says that it was so already."""
    return code == b"SUCCESS" or code[:4] in {b"1121", b"1131", b"1141"}


def _told(rows: Rows) -> _Told:
    """Return how often clients were told of each pack's changes, by pack number."""
    told = _Told(defaultdict(int), defaultdict(int), defaultdict(int), defaultdict(int))
    part = rows[_may_change(rows)]
    names = ("operation", "pack", "packs", "verdict", "code")
    bulk = int(Operation.BULK_SUPPLY)
    # The ticket of a bulk is a promise; its results are the word.
    is_result = rows["operation"] == Operation.BULK_RESULT
    kept = set(rows[is_result & (rows["verdict"] == Verdict.EXPECTED)]["pack"].tolist())
    # Scans that shall be refused are asked of packs whose own answer is known.
    hopeless = ((part["fault"] != Fault.NONE) | ((part["flags"] & Flag.REPEAT) != 0)).tolist()
    for is_hopeless, operation, pack, count, verdict, code in zip(
        hopeless, *(part[name].tolist() for name in names), strict=True
    ):
        if operation == bulk:
            target = told.done if pack in kept else told.unanswered
        elif _says_done(code):
            target = told.undone if operation == Operation.UNDO else told.done
        elif verdict in _OPEN and not is_hopeless:
            target = told.unanswered
        else:
            continue  # Refused: nothing may have changed.
        bit = 1 << (int(Operation.SUPPLY) if operation == bulk else operation)
        for number in range(pack, pack + count):
            target[number] += 1
            told.operations[number] |= bit
    return told


class Comparison:
    """Holds a market's samples against its audit trail, entry by entry, oldest first."""

    def __init__(self, market: str, rows: Rows, serials: dict[str, int]) -> None:
        self._market = market
        self._serials = serials
        self._told = _told(rows)
        self._done: dict[int, int] = defaultdict(int)
        self._undone: dict[int, int] = defaultdict(int)
        self._out: set[int] = set()
        self._doubled = self._unasked = self._count = 0
        self._examples: list[str] = []

    def _note(self, what: str, number: int) -> None:
        if len(self._examples) < _SHOWN_MAX:
            self._examples.append(f"{what}: pack {number}")

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        self._count += 1
        number = self._serials.get(entry.serial)
        if number is None:
            self._unasked += 1
        elif entry.outcome == _DONE:
            if not self._told.operations[number] >> _NUMBERS.get(entry.operation, 63) & 1:
                self._unasked += 1
                self._note(f"done as {entry.operation.lower()}", number)
                return
            self._done[number] += 1
            if number in self._out:
                self._doubled += 1
                self._note("doubled", number)
            self._out.add(number)
        else:
            self._undone[number] += 1
            if number not in self._out:
                self._doubled += 1
                self._note("undone twice", number)
            self._out.discard(number)

    def result(self) -> AuditResult:
        """Return what differs, after the last entry."""
        told, lost, unanswered_done = self._told, 0, 0
        for number, times in told.done.items():
            if self._done[number] < times:
                lost += times - self._done[number]
                self._note("lost", number)
            if times - told.undone[number] > 1:
                self._doubled += 1
                self._note("told twice", number)
        for number, times in told.undone.items():
            if self._undone[number] < times:
                lost += times - self._undone[number]
                self._note("undo lost", number)
        for number, times in self._done.items():
            extra = times - told.done[number]
            unanswered_done += max(0, min(extra, told.unanswered[number]))
            if extra > told.unanswered[number]:
                self._unasked += extra - told.unanswered[number]
                self._note("unasked", number)
        return AuditResult(
            self._market, sum(told.done.values()), self._count, lost, self._doubled,
            self._unasked, unanswered_done, self._examples,
        )  # fmt: skip


_NUMBERS: Final = {operation.name: int(operation) for operation in SINGLE_PACK}


def compare(
    market: str, rows: Rows, entries: Iterable[Entry], serials: dict[str, int]
) -> AuditResult:
    """Return what differs between the samples of a market and its audit trail."""
    comparison = Comparison(market, rows, serials)
    for entry in entries:
        comparison.add(entry)
    return comparison.result()
