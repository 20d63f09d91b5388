"""A wire to PostgreSQL that can be cut at the worst moment: after a commit, before its answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

_COMMIT = b"COMMIT;"


class LossyPostgres:
    """Passes everything on, both ways. `async with` starts and stops it."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._parts = parts
        self.dsn = ""
        self.lost = asyncio.Event()
        """Set once that has happened."""
        self._armed = False
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> LossyPostgres:
        assert not parse_qs(self._parts.query).get("host"), "a TCP address is wanted"
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        login = self._parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        self.dsn = urlunsplit(self._parts._replace(netloc=netloc))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def lose_next_commit_answer(self) -> None:
        """Cut the connection that commits next, once PostgreSQL has answered."""
        self._armed = True

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(_pump(server_reader, writer))
        try:
            while data := await reader.read(65_536):
                if self._armed and _COMMIT in data:
                    self._armed = False
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    server_writer.write(data)
                    await server_reader.read(65_536)  # It is committed; nobody hears of it.
                    self.lost.set()
                    return
                server_writer.write(data)
        except ConnectionError:
            return
        finally:
            back.cancel()
            for end in (writer, server_writer):
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()
