"""The peer on FastAPI and Redis: append-only file, fsync always, one Lua script for each request.

The script looks at the pack, changes it and appends to the audit stream, all or nothing; Redis
answers after the write is on disk and shares one fsync among the clients of a turn of its loop.
"""

from __future__ import annotations

import os
from typing import Any, Final

import redis.asyncio as redis
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from loadtests.bench.peers.answers import SUPPLIED, SUPPLY, VERIFY, answer

TRAIL: Final = "trail"
_SCRIPT: Final = """
local pack = redis.call('HMGET', KEYS[1], 'batch', 'expiry', 'state')
local fits = pack[1] == ARGV[2] and pack[2] == ARGV[3]
if ARGV[1] == 'supply' and fits and pack[3] == 'Active' then
  redis.call('HSET', KEYS[1], 'state', 'Supplied')
end
redis.call('XADD', KEYS[2], '*', 'pack', KEYS[1], 'operation', ARGV[1], 'before', pack[3] or '')
return {pack[3] or '', fits and 1 or 0}
"""


class PackChange(BaseModel):
    """Body of a PATCH."""

    state: str


pool = redis.ConnectionPool.from_url(os.environ["PEER_REDIS"], max_connections=64)
client = redis.Redis(connection_pool=pool)
script = client.register_script(_SCRIPT)
app = FastAPI(openapi_url=None)
PATH = "/verification/product/{scheme}/{code}/pack/{serial}"


async def _perform(  # noqa: PLR0917 - the parts of a request
    operation: str, code: str, serial: str, batch: str, expiry: str, authorization: str
) -> JSONResponse:
    if not authorization.startswith("Bearer "):
        raise HTTPException(401)
    told: Any = await script(keys=[f"pack:{code}:{serial}", TRAIL], args=[operation, batch, expiry])
    state = told[0].decode() or None
    status, _, body = answer(operation, state, fits=bool(told[1]))
    return JSONResponse(body, status)


@app.get(PATH)
async def verify(  # noqa: PLR0917 - FastAPI passes them by name
    scheme: str, code: str, serial: str, batch: str, expiry: str, authorization: str = Header("")
) -> JSONResponse:
    """Verify a pack."""
    return await _perform(VERIFY, code, serial, batch, expiry, authorization)


@app.patch(PATH)
async def supply(  # noqa: PLR0917 - FastAPI passes them by name
    scheme: str,
    code: str,
    serial: str,
    batch: str,
    expiry: str,
    change: PackChange,
    authorization: str = Header(""),
) -> JSONResponse:
    """Supply a pack."""
    if change.state != SUPPLIED:
        raise HTTPException(422)
    return await _perform(SUPPLY, code, serial, batch, expiry, authorization)
