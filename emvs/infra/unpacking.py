"""Bodies that come packed (`Content-Encoding`): undone piece by piece, and whole or not at all.

Not left to the HTTP library, which takes a gzip body that was cut off for all of it, unpacks what
nobody will read, and answers other codings in its own words.
"""

from __future__ import annotations

import zlib
from typing import Final

from emvs.errors import BadRequestError, UnsupportedMediaError

PIECE_BYTES_MAX: Final = 256 * 1024
"""A piece takes about half a millisecond to unpack."""
_BROKEN: Final = "the body ends early or its compression is broken"
_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOW_BITS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_DEFLATE_METHOD: Final = 8


class Unpacker:
    """One packed body. `put` what has arrived, `take` until nothing comes, at the end `finish`."""

    def __init__(self, coding: str) -> None:
        """Raises UnsupportedMediaError if the coding is none of ours (RFC 9110, 8.4.1)."""
        window_bits = _WINDOW_BITS.get(coding)
        if window_bits is None:
            raise UnsupportedMediaError(
                f"Content-Encoding {coding[:40]!a} is not read here: send gzip, deflate or none"
            )
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(window_bits)
        self._packed = b""
        self._is_begun = False
        self._holds_more = False

    def put(self, packed: bytes) -> None:
        """Add what has arrived."""
        if packed and not self._is_begun:
            self._is_begun = True
            if self._window_bits != _GZIP and packed[0] & 0xF != _DEFLATE_METHOD:
                # Deployed clients send "deflate" without the header that belongs before it.
                self._window_bits = -zlib.MAX_WBITS
                self._stream = zlib.decompressobj(self._window_bits)
        self._packed += packed

    def take(self) -> bytes:
        """Return the next piece, at most PIECE_BYTES_MAX bytes; nothing if more must arrive first.

        Raises BadRequestError if the compression is broken.
        """
        while self._packed or self._holds_more:
            if self._stream.eof:
                if self._window_bits != _GZIP:
                    raise BadRequestError(_BROKEN)
                self._stream = zlib.decompressobj(_GZIP)  # The next member (RFC 1952, 2.2).
            try:
                piece = self._stream.decompress(self._packed, PIECE_BYTES_MAX)
            except zlib.error as error:
                raise BadRequestError(_BROKEN) from error
            self._packed = self._stream.unconsumed_tail or self._stream.unused_data
            # The stream may have read everything and not have given everything yet.
            self._holds_more = len(piece) == PIECE_BYTES_MAX and not self._stream.eof
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        """Raise BadRequestError if what arrived is not all of it."""
        if self._is_begun and not self._stream.eof:
            raise BadRequestError(_BROKEN)
