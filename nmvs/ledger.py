"""The ledger: what was asked and what came of it, durable before anyone is answered.

Entries share commits (`emvs.infra.group_commit`). Knows entries and their SQL; nothing of rules,
dialects or the index.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from emvs.errors import ConfigurationError, UnavailableError
from emvs.infra.database import take_schema_lock
from emvs.infra.group_commit import GroupCommit
from emvs.limits import LEDGER_GROUP_COUNT_MAX, LEDGER_WAITING_COUNT_MAX, LEDGER_WRITE_S_MAX
from nmvs.ledger_rows import alert_rows, change_rows, outgoing_rows, trail_rows

_Statement: TypeAlias = "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]"

_END_SESSION_SQL: Final = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1"
)
# One plan for all groups: to plan a small group takes longer than to write it. And packs are found
# by their key however few there were when the plan was made.
_SESSION_SQL: Final = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off"
_LOCK_NUMBER: Final = 7165003
OWNERSHIP_S_MAX: Final = 15.0
"""How long a start waits for the session of a killed predecessor to end (our choice)."""
_END_ATTEMPTS_MAX: Final = 100
_END_PAUSE_S: Final = 0.05
_PARTS: Final = ("changed", "recorded", "alerted", "outgoing")


def _read_parts() -> dict[str, str]:
    text = resources.files("nmvs").joinpath("sql/record.sql").read_text("utf-8")
    starts = [text.index(f"-- {name}: ") for name in _PARTS]
    return {
        name: text[start:end]
        for name, start, end in zip(_PARTS, starts, [*starts[1:], None], strict=True)
    }


_SQL_OF_PARTS: Final = _read_parts()


class PackConflictError(Exception):
    """A pack in the database is not at the version that a decision was made from."""


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
    event_at_ms: int | None = None
    """When it happened, if that was before the request came: a replay."""
    initiating_market: str = ""
    source_process: str = ""
    repeat_group: str = ""


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
    equipment: str = ""
    """Client id of the equipment that asked; empty if the login names none."""


class Ledger:
    """Writes entries in groups. `record` returns once its entry is durable."""

    def __init__(
        self,
        connect: Callable[[str], Awaitable[asyncpg.Connection[asyncpg.Record]]],
        on_failure: Callable[[list[Entry], BaseException], Awaitable[None]],
        *,
        ownership_s_max: float = OWNERSHIP_S_MAX,
    ) -> None:
        self._connect = connect
        self._ownership_s_max = ownership_s_max
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._session_name: str | None = None
        self._statements: dict[tuple[str, ...], _Statement] = {}
        """By the parts that a group has; prepared when a session needs one first."""
        self.alert_bell = asyncio.Event()
        """Rung when alerts have become durable."""
        self.outgoing_written = asyncio.Event()
        """Set when changes for other markets may have been written."""
        self.groups = GroupCommit[Entry, None](
            self._write,
            on_failure,
            group_count_max=LEDGER_GROUP_COUNT_MAX,
            waiting_count_max=LEDGER_WAITING_COUNT_MAX,
        )

    async def open(self) -> None:
        """Connect; the ledger has a connection of its own, so it never waits for the pool.

        A session that was given up may still be committing on the server: it is ended first, so
        that whoever reads the packs afterwards reads what stays.
        """
        await self.close()
        name = f"emvs-ledger-{secrets.token_hex(8)}"
        connection = await self._connect(name)
        try:
            if self._session_name is not None:
                await _end_session(connection, self._session_name)
            await self._own_schema(connection)
            await connection.execute(_SESSION_SQL)
            self._statements = {
                parts: await connection.prepare(record_sql(parts))
                for parts in (("recorded",), ("changed", "recorded"))
            }
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._on_session_ended)
        self._connection, self._session_name = connection, name

    def _on_session_ended(self, _: object) -> None:
        """The server has gone: recover now, not at somebody's next request."""
        if self._connection is not None:
            self.groups.fail(ConnectionResetError("the database has closed the connection"))

    async def _own_schema(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Take the lock that makes this process the only one on its schema.

        Memory is only as good as the promise that nobody else writes. The session of a process
        that was killed holds the lock until its last statement has ended.
        """
        if not await take_schema_lock(connection, _LOCK_NUMBER, wait_s_max=self._ownership_s_max):
            raise ConfigurationError(
                "another process serves this schema: stop it, or use a schema of your own"
            )

    async def close(self) -> None:
        """Drop the connection, without ceremony: it may be broken."""
        connection, self._connection = self._connection, None
        self._statements = {}
        if connection is not None:
            connection.remove_termination_listener(self._on_session_ended)
            connection.terminate()

    async def run(self) -> None:
        """Write groups until cancelled."""
        await self.groups.run()

    async def settle(self) -> None:
        """Return when everything submitted so far is written or has failed."""
        await self.groups.settle()

    def record(self, entry: Entry, *, reserved: bool = False) -> Awaitable[None]:
        """Make `entry` durable: it is when what is returned has been awaited.

        `reserved` entries are of something that cannot be taken back; they are queued even when
        the queue is full. Raises OverloadedError if too many wait, PackConflictError if somebody
        else has written a pack of the group, or what the write raised: only after a conflict is
        it certain that nothing was recorded.
        """
        return self.groups.submit(entry, reserved=reserved)

    async def _write(self, group: list[Entry]) -> Sequence[None]:
        changes = _net_changes(group)
        alerts = alert_rows(group)
        outgoing = outgoing_rows(group)
        rows = {
            "changed": change_rows(changes) if changes else None,
            "recorded": trail_rows(group),
            "alerted": alerts,
            "outgoing": outgoing,
        }
        parts = tuple([part for part in _PARTS if rows[part] is not None])
        parameters: list[object] = [rows[part] for part in parts]
        if changes:
            parameters.append(len(changes))
        try:
            statement = self._statements.get(parts) or await self._prepare(parts)
            await statement.fetchval(*parameters, timeout=LEDGER_WRITE_S_MAX)
        except asyncpg.DivisionByZeroError as error:
            raise PackConflictError("a pack is not as it was when it was decided on") from error
        finally:  # A write that failed may have been durable.
            if outgoing is not None:
                self.outgoing_written.set()
        if alerts is not None:
            self.alert_bell.set()
        return [None] * len(group)

    async def _prepare(self, parts: tuple[str, ...]) -> _Statement:
        assert self._connection is not None, "the ledger is not open"
        statement = await self._connection.prepare(record_sql(parts), timeout=LEDGER_WRITE_S_MAX)
        self._statements[parts] = statement
        return statement


def record_sql(parts: Sequence[str]) -> str:
    """Return the statement that writes a group with these parts, all or none of it.

    Its parameters are the parts' rows and, if packs change, their number: if one is no longer at
    the version that its change was decided from, the statement fails with a division by zero.
    """
    texts = ",".join(
        f"{part} as (\n{_SQL_OF_PARTS[part].format(**{part: f'${number}'})})"
        for number, part in enumerate(parts, 1)
    )
    if "changed" not in parts:
        return f"with {texts} select 1"
    all_changed = f"(count(*) = ${len(parts) + 1})::integer"
    return f"with {texts} select 1 / {all_changed} from changed"  # noqa: S608 - texts of ours.


async def _end_session(connection: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    """End another session of ours; return when it is gone."""
    for _ in range(_END_ATTEMPTS_MAX):
        if not await connection.fetchval(_END_SESSION_SQL, name):
            return
        await asyncio.sleep(_END_PAUSE_S)
    raise UnavailableError("an earlier session of the ledger does not end")


def _net_changes(group: list[Entry]) -> dict[bytes, PackChange]:
    """Return one change for each pack: an update touches a row only once."""
    changes: dict[bytes, PackChange] = {}
    for entry in group:
        change = entry.change
        if change is None:
            continue
        earlier = changes.get(entry.pack_key)
        if earlier is not None:
            if change.version_from != earlier.version_to:
                raise PackConflictError("two decisions were made from one state of a pack")
            change = change._replace(version_from=earlier.version_from)
        changes[entry.pack_key] = change
    return changes
