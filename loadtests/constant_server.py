"""aiohttp answering a constant: what the machine gives to any server of this kind.

`python -m loadtests.constant_server [--low-level] [GET PATCH POST]` prints its port. The arguments
are files with the bodies of its answers, so that they are as long as those of the server it is
compared with. `--low-level`: aiohttp's server without application and router, and with the answers
in one piece that our own servers give: what a server could be that does nothing at all.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.web import serve_handler

_LOW_LEVEL: Final = "--low-level"
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


async def _serve_low_level(get_body: bytes, patch_body: bytes, post_body: bytes) -> None:
    json_head, soap_head = (Head(200, {"Content-Type": kind}) for kind in (_JSON, _SOAP))
    answers = {
        "GET": (json_head, get_body),
        "PATCH": (json_head, patch_body),
        "POST": (soap_head, post_body),
    }

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET":
            await request.read()
        return PlainResponse(*answers[request.method])

    site = await serve_handler(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{site.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await site.close()


async def main(arguments: list[str]) -> None:
    """Serve until standard input is closed."""
    files = [name for name in arguments if name != _LOW_LEVEL]
    bodies = [Path(name).read_bytes() for name in files] or [_BODY] * 3  # noqa: ASYNC240 - at start.
    if _LOW_LEVEL in arguments:
        await _serve_low_level(*bodies)
        return
    runner = web.AppRunner(make_app(*bodies), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
