"""A body taken apart into lines while it arrives: never more than one part of it is in memory."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from emvs.errors import BadRequestError
from emvs.infra.body_parts import BodyParts

LINE_BYTES_MAX: Final = 64 * 1024
"""A head with all its members has some hundred (our choice)."""
_PIECE_BYTES: Final = 64 * 1024
"""Lines handed on at a time: some thousand, a millisecond or two of work."""


class Lines(NamedTuple):
    """Whole lines that stand one after another, without the last line's end."""

    first: int
    """Number of the first, from 1."""
    text: bytes


async def first_line(parts: BodyParts) -> tuple[bytes, bytes]:
    """Return the first line, and what has come of the rest. Raises BadRequestError."""
    text = b""
    while b"\n" not in text:
        part = await parts.read()
        if not part:
            break
        text += part
        if len(text) > LINE_BYTES_MAX and b"\n" not in text[:LINE_BYTES_MAX]:
            raise BadRequestError(f"line 1 has more than {LINE_BYTES_MAX} bytes - at line 1")
    line, _, rest = text.removeprefix(codecs.BOM_UTF8).partition(b"\n")
    return line.rstrip(b"\r"), rest


async def lines_after(parts: BodyParts, rest: bytes, *, first: int = 2) -> AsyncIterator[Lines]:
    """Yield the lines of a body from line `first` on, some thousand at a time, `rest` being what
    has come of them. Raises BadRequestError at a line that does not end."""
    left = b""
    part = rest
    while True:
        # A part that was unpacked may have megabytes: what is left is small all the same.
        for start in range(0, len(part), _PIECE_BYTES):
            left += part[start : start + _PIECE_BYTES]
            while (end := left.rfind(b"\n", 0, _PIECE_BYTES)) >= 0:
                yield Lines(first, _plain(left[:end]))
                first += left.count(b"\n", 0, end + 1)
                left = left[end + 1 :]
            if len(left) > LINE_BYTES_MAX and b"\n" not in left[:LINE_BYTES_MAX]:
                raise BadRequestError(
                    f"a line has more than {LINE_BYTES_MAX} bytes - at line {first}"
                )
        part = await parts.read()
        if not part:
            break
    if left.strip():
        yield Lines(first, _plain(left.removesuffix(b"\n")))


def _plain(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").removesuffix(b"\r")
