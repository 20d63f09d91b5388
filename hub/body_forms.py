"""Which forms bodies of manufacturers' messages have, by `Content-Type`; hints where it is wrong.

What most programs send unasked (`curl -d`, libraries that know of no type) is read as JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import hdrs, web

from emvs.errors import BadRequestError, UnsupportedMediaError
from hub.line_uploads import LINE_TYPES, SERIAL_COLUMN

_JSON_TYPES: Final = frozenset(
    {
        "application/json",
        "text/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    }
)
_XML_TYPES: Final = frozenset({"application/xml", "text/xml"})
_HEAD_BYTES: Final = 4_096


def check_form(request: web.BaseRequest, *, takes_lines: bool) -> None:
    """Raise UnsupportedMediaError unless a body of this content type is read here."""
    if hdrs.CONTENT_TYPE not in request.headers:
        return
    kind = request.content_type
    if kind in _JSON_TYPES or kind in _XML_TYPES or kind.endswith("+json"):
        return
    if takes_lines and kind in LINE_TYPES:
        return
    lines = ", application/x-ndjson, text/csv" if takes_lines else ""
    raise UnsupportedMediaError(
        f"Content-Type {kind[:60]!a} is not read here: send application/json,"
        f" application/xml{lines}"
    )


def hinted(error: BadRequestError, body: bytes) -> BadRequestError:
    """Return an error about a body that was read as JSON, with a hint if it looks like lines."""
    if type(error.__cause__) is not msgspec.DecodeError:
        return error
    head, end, _ = body[:_HEAD_BYTES].partition(b"\n")
    if SERIAL_COLUMN.encode() in head and not head.lstrip().startswith((b"{", b"[")):
        return _with_hint(error, "CSV comes with Content-Type: text/csv")
    try:
        is_whole = bool(end) and isinstance(msgspec.json.decode(head), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        is_whole = False
    if is_whole:
        return _with_hint(error, "lines come with Content-Type: application/x-ndjson")
    return error


def _with_hint(error: BadRequestError, hint: str) -> BadRequestError:
    told = BadRequestError(f"{error}; {hint}")
    told.__cause__ = error.__cause__
    return told
