"""Whether what clients were told is what the markets have recorded: nothing lost, nothing doubled.

The audit trail of each market is read as an authority reads it, after the run, and held against the
samples pack by pack. `compare` is pure.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, NamedTuple

import aiohttp
import numpy as np

from emvs.infra.launch.errors import LaunchError
from loadtests.scenarios.mix import DECOMMISSIONING, Fault, Operation
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.samples import Flag, Rows, Verdict

_READ_S_MAX: Final = 1_800.0
_SHOWN_MAX: Final = 20
_DONE, _UNDONE = "DECOMMISSIONED", "REACTIVATED"


class Entry(NamedTuple):
    """A change in an audit trail."""

    serial: str
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
    url = f"{plan.managements[market]}/audit?role=nca&format=csv&product_code={packs.product_code}"
    try:
        prefix = f"L{packs.run_id}-"
        entries = [entry async for entry in read_entries(http, url, batch_prefix=prefix)]
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LaunchError(
            f"the audit trail of {market} could not be read: {error}. Its system must run; with"
            " --no-audit the rest is written"
        ) from error
    sites = [site.number for site in plan.sites if site.market == market]
    here = rows[np.isin(rows["site"], sites)]
    numbers = _numbers_used(here)
    serials = _serials(packs, numbers)
    return compare(market, here, entries, serials)


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
                if outcome in {_DONE, _UNDONE} and cells[columns["StoredBatchId"]].startswith(
                    batch_prefix
                ):
                    yield Entry(cells[columns["SerialNumber"]].removeprefix("'"), outcome)


def _is_change(rows: Rows) -> Any:
    changing = np.isin(rows["operation"], [*map(int, DECOMMISSIONING), int(Operation.UNDO)])
    return changing & (rows["fault"] == Fault.NONE) & ((rows["flags"] & Flag.REPEAT) == 0)


def _numbers_used(rows: Rows) -> set[int]:
    numbers: set[int] = set()
    for first, count in zip(
        *(rows[_is_change(rows)][name].tolist() for name in ("pack", "packs")), strict=True
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


def _told(rows: Rows) -> _Told:
    """Return how often clients were told of each pack's changes, by pack number."""
    told = _Told(defaultdict(int), defaultdict(int), defaultdict(int))
    part = rows[_is_change(rows)]
    names = ("operation", "pack", "packs", "verdict", "code")
    bulk = int(Operation.BULK_SUPPLY)
    # The ticket of a bulk is a promise; its results are the word.
    is_result = rows["operation"] == Operation.BULK_RESULT
    kept = set(rows[is_result & (rows["verdict"] == Verdict.EXPECTED)]["pack"].tolist())
    for operation, pack, count, verdict, code in zip(
        *(part[name].tolist() for name in names), strict=True
    ):
        if verdict != Verdict.EXPECTED or (operation == bulk and pack not in kept):
            target = told.unanswered
        elif operation != bulk and code != b"SUCCESS" and code[:1] != b"1":
            continue  # Refused as expected: the batch was recalled.
        else:
            target = told.undone if operation == Operation.UNDO else told.done
        for number in range(pack, pack + count):
            target[number] += 1
    return told


def compare(
    market: str, rows: Rows, entries: Iterable[Entry], serials: dict[str, int]
) -> AuditResult:
    """Return what differs between the samples of a market and its audit trail."""
    told = _told(rows)
    done: dict[int, int] = defaultdict(int)
    undone: dict[int, int] = defaultdict(int)
    is_out: dict[int, bool] = defaultdict(bool)
    doubled = unasked = count = 0
    examples: list[str] = []

    def note(what: str, number: int) -> None:
        if len(examples) < _SHOWN_MAX:
            examples.append(f"{what}: pack {number}")

    for entry in entries:
        count += 1
        found = serials.get(entry.serial)
        if found is None:
            unasked += 1
            continue
        if entry.outcome == _DONE:
            done[found] += 1
            if is_out[found]:
                doubled += 1
                note("doubled", found)
            is_out[found] = True
        else:
            undone[found] += 1
            is_out[found] = False
    lost = unanswered_done = 0
    for number, times in told.done.items():
        if done[number] < times:
            lost += times - done[number]
            note("lost", number)
        if times - told.undone[number] > 1:
            doubled += 1
            note("told twice", number)
    for number, times in told.undone.items():
        if undone[number] < times:
            lost += times - undone[number]
            note("undo lost", number)
    for number, times in done.items():
        extra = times - told.done[number]
        unanswered_done += max(0, min(extra, told.unanswered[number]))
        unasked += max(0, extra - told.unanswered[number])
    return AuditResult(
        market, sum(told.done.values()), count, lost, doubled, unasked, unanswered_done, examples
    )
