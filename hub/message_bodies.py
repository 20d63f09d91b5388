"""Reading messages of manufacturers: JSON or its XML twin, as the content type tells."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, TypeVar

from aiohttp import web

from emvs.infra.web import decode_body, read_body
from hub.body_forms import check_form
from hub.uploads import refuse_unknown_members
from hub.xml_twin.answering import is_xml
from hub.xml_twin.reading import json_of

_Message = TypeVar("_Message")
BODY_S_MAX: Final = 10.0


async def read_message(request: web.Request, kind: type[_Message], *, bytes_max: int) -> _Message:
    """Return the message in a request's body. Raises BadRequestError naming the wrong member."""
    check_form(request, takes_lines=False)
    body = await read_body(request, bytes_max=bytes_max, timeout_s=BODY_S_MAX)
    body = await as_json(request, body, kind)
    if dataclasses.is_dataclass(kind):  # Structs look themselves.
        refuse_unknown_members(body, kind, "$")
    return decode_body(body, kind)


async def as_json(request: web.Request, body: bytes, kind: Any) -> bytes:
    """Return the JSON of a message of this kind. Its XML element is called like the last part of
    the path. Raises BadRequestError."""
    if not is_xml(request):
        return body
    return await json_of(body, kind, request.path.rpartition("/")[2])
