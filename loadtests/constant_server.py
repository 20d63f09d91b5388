"""aiohttp answering a constant: what the machine gives to any server of this kind.

`python -m loadtests.constant_server` prints its port.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

_BODY = b'{"operationCode":"11110100","state":"Active","information":"The pack is active."}'


async def _get(request: web.Request) -> web.Response:
    assert request.match_info["serial"]
    return web.Response(body=_BODY, content_type="application/json")


async def _post(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=_BODY, content_type="application/json")


async def main() -> None:
    """Serve until standard input is closed."""
    app = web.Application()
    path = "/verification/product/{scheme}/{code}/pack/{serial}"
    app.router.add_get(path, _get)
    app.router.add_patch(path, _post)
    app.router.add_post("/{tail:.*}", _post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())
