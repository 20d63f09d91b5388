"""Scanners as streams of bytes: a serial port, a keyboard wedge, anything that ends its scans.

Bytes go in, texts for `emvs.scan.parse_scan` come out. What a text means is not decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from pharmacy_client.errors import ProfileError

SCAN_BYTES_MAX: Final = 4096
"""A Data Matrix holds 3,116 digits; what is longer is cut and will be refused (our choice)."""
PAUSE_S: Final = 0.15
"""A scanner without a suffix is done when it is silent for so long (our choice)."""
BAUD_DEFAULT: Final = 9600

_ENDS: Final = b"\r\n\t\x03"
_START_OF_TEXT: Final = b"\x02"
_READ_BYTES: Final = 4096


class ScanSplitter:
    """Cuts a stream into scans: at the end of line, a tab or ETX, whichever the scanner adds."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Return the scans that are complete now. Empty ones are none."""
        done: list[str] = []
        for byte in data:
            if byte in _ENDS:
                done += self.flush()
            elif len(self._waiting) < SCAN_BYTES_MAX:
                self._waiting.append(byte)
        return done

    def flush(self) -> list[str]:
        """Return what waits for its end, as a scan of its own: the scanner has fallen silent."""
        data = bytes(self._waiting).strip(_START_OF_TEXT)
        self._waiting.clear()
        return [decode_scan(data)] if data.strip() else []

    @property
    def is_waiting(self) -> bool:
        """Whether a scan has begun and not ended."""
        return bool(self._waiting)


def decode_scan(data: bytes) -> str:
    """Return the text that a scanner means: UTF-8, or else Latin 1, as their manuals say."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


async def read_port(path: Path, baud: int = BAUD_DEFAULT) -> AsyncIterator[str]:
    """Yield the scans of a serial port, or of a USB scanner that looks like one, until it is gone.

    8 data bits, no parity, one stop bit: what scanners are delivered with. Raises ProfileError.
    """
    descriptor = _open_port(path, baud)
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def take() -> None:
        try:
            chunk = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            loop.remove_reader(descriptor)
        chunks.put_nowait(chunk)

    splitter = ScanSplitter()
    loop.add_reader(descriptor, take)
    try:
        while True:
            try:
                async with asyncio.timeout(PAUSE_S if splitter.is_waiting else None):
                    chunk = await chunks.get()
            except TimeoutError:
                for text in splitter.flush():
                    yield text
                continue
            for text in splitter.feed(chunk) if chunk else splitter.flush():
                yield text
            if not chunk:
                return
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _open_port(path: Path, baud: int) -> int:
    try:
        import termios  # noqa: PLC0415 - not on every system.
        import tty  # noqa: PLC0415
    except ImportError as error:
        raise ProfileError("This system has no serial ports of the POSIX kind.") from error
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ProfileError(f"{baud} is no speed of a serial port; scanners use 9600 or 115200.")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise ProfileError(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        tty.setraw(descriptor)
        attributes = termios.tcgetattr(descriptor)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as error:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise ProfileError(f"{path} is no serial port: {error.args[-1]}.") from error
    return descriptor
