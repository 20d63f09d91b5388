"""Which software each equipment uses: interface version, product, address, time of the last call.

The real systems show it to the national organisation in a table of its own. Looked at once a
second for each equipment, kept in memory, written to the database every minute and at the end: a
crash loses a minute of it, as nothing depends on it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final, NamedTuple

import asyncpg

from emvs.infra.database import CONNECTION_ERRORS, Database
from emvs.infra.logs import get_logger

SIGHTINGS_MAX: Final = 200_000
"""Of all equipments together (our choice: some 80 MB); beyond, the oldest is forgotten."""
PER_CLIENT_MAX: Final = 8
"""Of one equipment, so that an odd client cannot displace the others (our choice)."""
_USER_AGENT_LENGTH_MAX: Final = 200
_VERSION_LENGTH_MAX: Final = 20
_FLUSH_S: Final = 60.0
_ROWS_PER_WRITE: Final = 2_000

_COLUMNS: Final = "client_id, requested_api_version, user_agent, api_version, ip, last_request_at"
_PUT_SQL: Final = f"""
insert into client_sighting ({_COLUMNS})
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
on conflict (client_id, requested_api_version, user_agent) do update
set api_version = excluded.api_version, ip = excluded.ip,
    last_request_at = excluded.last_request_at
"""  # noqa: S608 - a constant.
_DROP_SQL: Final = """
delete from client_sighting s using unnest($1::text[], $2::text[], $3::text[]) as d (c, v, u)
where s.client_id = d.c and s.requested_api_version = d.v and s.user_agent = d.u
"""

_log = get_logger(__name__)

_Key = tuple[str, str, str]


class ClientSighting(NamedTuple):
    """One software of one equipment."""

    client_id: str
    requested_api_version: str
    """As the client asked for it; empty if it did not."""
    user_agent: str
    api_version: str
    """The version that it was answered in."""
    ip: str
    last_request_at: datetime
    """To the second, by the system's clock."""


class Sightings:
    """What was seen of the equipments of one national system."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[_Key, ClientSighting] = {}
        self._of_client: dict[str, list[_Key]] = {}
        self._changed: set[_Key] = set()
        self._dropped: set[_Key] = set()
        self._flushing = asyncio.Lock()

    async def load(self) -> None:
        """Read what was stored."""
        rows = await self._database.pool.fetch(
            f"select {_COLUMNS} from client_sighting order by last_request_at desc limit $1",  # noqa: S608 - a constant.
            SIGHTINGS_MAX,
        )
        for row in reversed(rows):
            self._put(ClientSighting(*row))
        self._changed.clear()

    def note(
        self,
        client_id: str,
        *,
        requested_api_version: str,
        api_version: str,
        user_agent: str,
        ip: str,
        at_s: int,
    ) -> None:
        """Take note of a request."""
        self._put(
            ClientSighting(
                client_id,
                _storable(requested_api_version, _VERSION_LENGTH_MAX),
                _storable(user_agent, _USER_AGENT_LENGTH_MAX),
                api_version,
                ip,
                datetime.fromtimestamp(at_s, UTC),
            )
        )

    def client_sightings(self, client_id: str | None = None) -> list[ClientSighting]:
        """Return what was seen of all equipments, or of one."""
        if client_id is None:
            return list(self._seen.values())
        return [self._seen[key] for key in self._of_client.get(client_id, ())]

    async def run(self) -> None:
        """Write what has changed, every minute until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what has changed. Without a database it waits for the next time."""
        async with self._flushing:
            try:
                await self._write()
            except (*CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                _log.warning("sightings unwritten", action="flush_failed", error=repr(error))

    async def _write(self) -> None:
        pool = self._database.pool
        while self._changed or self._dropped:
            keys = [self._changed.pop() for _ in range(min(_ROWS_PER_WRITE, len(self._changed)))]
            dropped = [self._dropped.pop() for _ in range(min(_ROWS_PER_WRITE, len(self._dropped)))]
            rows = [self._seen[key] for key in keys if key in self._seen]
            try:
                if rows:
                    await pool.execute(_PUT_SQL, *map(list, zip(*rows, strict=True)))
                if dropped:
                    await pool.execute(_DROP_SQL, *map(list, zip(*dropped, strict=True)))
            except BaseException:
                self._changed.update(key for key in keys if key in self._seen)
                self._dropped.update(key for key in dropped if key not in self._seen)
                raise

    def _put(self, sighting: ClientSighting) -> None:
        key = sighting[:3]
        self._changed.add(key)
        if key in self._seen:
            del self._seen[key]  # To the end: the order is that of the last request.
        else:
            self._dropped.discard(key)
            keys = self._of_client.setdefault(sighting.client_id, [])
            if len(keys) >= PER_CLIENT_MAX:
                self._drop(min(keys, key=lambda known: self._seen[known].last_request_at))
            elif len(self._seen) >= SIGHTINGS_MAX:
                self._drop(next(iter(self._seen)))
            self._of_client.setdefault(sighting.client_id, keys).append(key)
        self._seen[key] = sighting

    def _drop(self, key: _Key) -> None:
        del self._seen[key]
        self._changed.discard(key)
        if len(self._dropped) < SIGHTINGS_MAX:  # The database may be away for long.
            self._dropped.add(key)
        keys = self._of_client[key[0]]
        keys.remove(key)
        if not keys:
            del self._of_client[key[0]]


def _storable(text: str, length_max: int) -> str:
    """Return a header's text without bytes that are no UTF-8, cut to a length."""
    return text[:length_max].encode("utf-8", "replace").decode().replace("\x00", "?")
