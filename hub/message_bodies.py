"""Reading small messages of manufacturers: JSON or its XML twin, as the content type tells."""

from __future__ import annotations

from typing import Final, TypeVar

from aiohttp import web

from emvs.infra.web import decode_body, read_body
from hub.uploads import refuse_unknown_members

_Message = TypeVar("_Message")
BODY_S_MAX: Final = 10.0


async def read_message(request: web.Request, kind: type[_Message], *, bytes_max: int) -> _Message:
    """Return the message in a request's body. Raises BadRequestError naming the wrong member."""
    body = await read_body(request, bytes_max=bytes_max, timeout_s=BODY_S_MAX)
    return decoded(body, kind)


def decoded(body: bytes, kind: type[_Message]) -> _Message:
    """Return the message in a JSON body. Raises BadRequestError, also for an unknown member."""
    refuse_unknown_members(body, kind, "$")
    return decode_body(body, kind)
