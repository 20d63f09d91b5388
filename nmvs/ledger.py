"""The ledger: what was asked and what came of it, durable before anyone is answered.

Entries share commits (`emvs.infra.group_commit`). Knows entries and their SQL; nothing of rules,
dialects or the index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Final, NamedTuple

import asyncpg
import orjson

from emvs.infra.group_commit import GroupCommit
from emvs.limits import LEDGER_GROUP_COUNT_MAX, LEDGER_WAITING_COUNT_MAX, LEDGER_WRITE_S_MAX

_RECORD_SQL: Final = resources.files("nmvs").joinpath("sql/record.sql").read_text("utf-8")


class PackChange(NamedTuple):
    """New values of a pack, and the version they were decided from."""

    version_from: int
    version_to: int
    state: int
    set_by: int
    set_at_s: int
    repeat_count: int


class AlertEntry(NamedTuple):
    """An alert to be stored with its entry."""

    alert_id: str
    hub_code: str
    product_code: str
    submitted: dict[str, object]
    stored: dict[str, object] | None


class Entry(NamedTuple):
    """One line of the audit trail."""

    pack_key: bytes
    at_ms: int
    transaction_id: str
    location_number: int
    operation: int
    outcome: int
    state_before: int
    """0 if no pack was found."""
    state_after: int
    manual: bool
    dialect: str
    client_transaction_id: str | None
    submitted: dict[str, object] | None
    """What was sent, where it differs from what is stored."""
    change: PackChange | None
    alert: AlertEntry | None
    outgoing: str | None = None
    """What other markets are told of the change, as JSON; None if nothing."""


class Ledger:
    """Writes entries in groups. `record` returns once its entry is durable."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]],
        on_failure: Callable[[list[Entry], BaseException], Awaitable[None]],
        *,
        group_count_max: int = LEDGER_GROUP_COUNT_MAX,
        waiting_count_max: int = LEDGER_WAITING_COUNT_MAX,
    ) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._statement: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record] | None = None
        self.outgoing_written = asyncio.Event()
        """Set when changes for other markets may have been written."""
        self.groups = GroupCommit[Entry, bool](
            self._write,
            on_failure,
            group_count_max=group_count_max,
            waiting_count_max=waiting_count_max,
        )

    async def open(self) -> None:
        """Connect; the ledger has a connection of its own, so it never waits for the pool."""
        await self.close()
        self._connection = await self._connect()
        self._statement = await self._connection.prepare(_RECORD_SQL)

    async def close(self) -> None:
        """Drop the connection, without ceremony: it may be broken."""
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()

    async def run(self) -> None:
        """Write groups until cancelled."""
        await self.groups.run()

    async def settle(self) -> None:
        """Return when everything submitted so far is written or has failed."""
        await self.groups.settle()

    async def record(self, entry: Entry) -> bool:
        """Make `entry` durable; return False if its pack has changed since it was decided.

        Raises OverloadedError if too many wait, or what the write raised: nothing is known to be
        recorded then.
        """
        return await self.groups.submit(entry)

    async def _write(self, group: list[Entry]) -> Sequence[bool]:
        assert self._statement is not None, "the ledger is not open"
        changes = _net_changes(group)
        columns = [*_change_columns(changes), *_entry_columns(group, changes)]
        columns += _alert_columns(group)
        outgoing = _outgoing_columns(group)
        try:
            rows = await self._statement.fetch(*columns, *outgoing, timeout=LEDGER_WRITE_S_MAX)
        finally:  # A write that failed may have been durable.
            if outgoing[0]:
                self.outgoing_written.set()
        if len(rows) == len(changes):
            return [True] * len(group)
        updated = {row[0] for row in rows}
        return [entry.pack_key not in changes or entry.pack_key in updated for entry in group]


def _net_changes(group: list[Entry]) -> dict[bytes, PackChange]:
    """Return one change for each pack: an update touches a row only once."""
    changes: dict[bytes, PackChange] = {}
    for entry in group:
        change = entry.change
        if change is None:
            continue
        earlier = changes.get(entry.pack_key)
        if earlier is not None:
            change = change._replace(version_from=earlier.version_from)
        changes[entry.pack_key] = change
    return changes


def _change_columns(changes: dict[bytes, PackChange]) -> list[Sequence[object]]:
    if not changes:
        return [()] * 7
    return [list(changes), *zip(*changes.values(), strict=True)]


def _entry_columns(group: list[Entry], changes: dict[bytes, PackChange]) -> list[Sequence[object]]:
    (
        keys,
        at,
        ids,
        locations,
        operations,
        outcomes,
        before,
        after,
        manual,
        dialects,
        client_ids,
        (submitted),
        _,
        alerts,
        _,
    ) = zip(*group, strict=True)
    return [
        keys,
        at,
        [bytes.fromhex(transaction_id) for transaction_id in ids],
        locations,
        operations,
        outcomes,
        before,
        after,
        manual,
        dialects,
        client_ids,
        [alert and alert.alert_id for alert in alerts],
        [members and orjson.dumps(members).decode() for members in submitted],
        [key in changes for key in keys] if changes else [False] * len(group),
    ]


def _alert_columns(group: list[Entry]) -> list[Sequence[object]]:
    rows = [
        (
            entry.alert.alert_id,
            entry.at_ms,
            entry.pack_key,
            bytes.fromhex(entry.transaction_id),
            entry.alert.hub_code,
            entry.outcome,
            entry.operation,
            entry.location_number,
            entry.alert.product_code,
            orjson.dumps(entry.alert.submitted).decode(),
            entry.alert.stored and orjson.dumps(entry.alert.stored).decode(),
        )
        for entry in group
        if entry.alert is not None
    ]
    return list(zip(*rows, strict=True)) if rows else [()] * 11


def _outgoing_columns(group: list[Entry]) -> list[Sequence[object]]:
    rows = [
        (entry.pack_key, bytes.fromhex(entry.transaction_id), entry.at_ms, entry.outgoing)
        for entry in group
        if entry.outgoing is not None
    ]
    return list(zip(*rows, strict=True)) if rows else [()] * 4
