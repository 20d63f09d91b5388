"""JSON over HTTP to our own systems, with sentences for whatever goes wrong."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import orjson

from emvs.infra.launch.errors import LaunchError

_ANSWER_BYTES_MAX: Final = 16 * 2**20
_BODY_SHOWN_MAX: Final = 500


class CallError(LaunchError):
    """A system gave no usable answer."""

    def __init__(self, message: str, *, status: int | None = None, content: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        """None: nobody answered."""
        self.content = content
        """Body of the answer."""


class HttpCalls:
    """A session for calls to our systems. To be used as `async with`."""

    def __init__(self, *, timeout_s: float = 30.0, connections_max: int = 16) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections_max = connections_max
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpCalls:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=self._connections_max),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, *, token: str | None = None) -> Any:
        """Return the JSON answer. Raises CallError unless the status is 200."""
        return await self._call("GET", url, None, token)

    async def post(self, url: str, message: Any, *, token: str | None = None) -> Any:
        """Return the JSON answer to a message. Raises CallError unless the status is 2xx."""
        return await self._call("POST", url, orjson.dumps(message), token)

    async def call(self, method: str, url: str, message: Any = None) -> Any:
        """Return the JSON answer to a request of any method. Raises CallError unless 2xx."""
        body = None if message is None else orjson.dumps(message)
        return await self._call(method, url, body, None)

    async def _call(self, method: str, url: str, body: bytes | None, token: str | None) -> Any:
        assert self._session is not None, "to be used as a context manager"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.request(method, url, data=body, headers=headers) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > _ANSWER_BYTES_MAX:
                        raise CallError(f"{method} {url}: the answer is too long")
                status = response.status
        except TimeoutError as error:
            raise CallError(f"{method} {url} was not answered in time") from error
        except aiohttp.ClientError as error:
            raise CallError(f"{method} {url} failed: {error}") from error
        if not 200 <= status < 300:
            shown = content[:_BODY_SHOWN_MAX].decode(errors="replace")
            raise CallError(
                f"{method} {url} was answered with {status}: {shown}",
                status=status,
                content=bytes(content),
            )
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise CallError(f"{method} {url} was not answered in JSON") from error
