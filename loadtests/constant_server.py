"""aiohttp answering a constant: what the machine gives to any server of this kind.

`python -m loadtests.constant_server [GET PATCH POST]` prints its port. The arguments are files with
the bodies of its answers, so that they are as long as those of the server it is compared with.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

_BODY: Final = b'{"operationCode":"11110100","state":"Active","information":"The pack is active."}'
_JSON: Final = "application/json"
_SOAP: Final = "application/soap+xml"


def make_app(get_body: bytes, patch_body: bytes, post_body: bytes) -> web.Application:
    """Return the server: the routes of single packs and SOAP, a response object for each answer."""

    async def get(request: web.Request) -> web.Response:
        assert request.match_info["serial"]
        return web.Response(body=get_body, content_type=_JSON)

    async def patch(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=patch_body, content_type=_JSON)

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=post_body, content_type=_SOAP)

    app = web.Application()
    path = "/verification/product/{scheme}/{code}/pack/{serial}"
    app.router.add_get(path, get)
    app.router.add_patch(path, patch)
    app.router.add_post("/{tail:.*}", post)
    return app


async def main(files: list[str]) -> None:
    """Serve until standard input is closed."""
    bodies = [Path(name).read_bytes() for name in files] or [_BODY] * 3  # noqa: ASYNC240 - at start.
    runner = web.AppRunner(make_app(*bodies), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
