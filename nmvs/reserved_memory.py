"""Memory reserved once at its largest size and paid for page by page, as it is first written.

What grows in it never has to be copied, which is what keeps the pack index free of pauses. It
knows addresses and pages only; what lies in them must not enter here.

Huge pages are not asked for: with 10^7 packs they made a look-up some 15 % faster, but getting one
ready at its first use made the longest pause of an insertion several times longer.
"""

from __future__ import annotations

import mmap
import sys
from typing import Final

PAGE_BYTES: Final = mmap.PAGESIZE
_IS_LINUX: Final = sys.platform == "linux"
# Python names this flag from 3.13 on; the value is the same on x86-64 and AArch64. Where Linux
# guesses what it can promise (vm.overcommit_memory=0, the default), it keeps the reservation out of
# that. Where it promises no more than it has (=2), it ignores the flag and charges all at once:
# there `packs_max` has to be chosen for what a market really holds.
_MAP_NORESERVE: Final = 0x4000


class ReservedMemory:
    """Zeroed memory of `bytes_max` bytes (rounded up to pages), of which only written pages cost.

    `buffer` lives as long as a view of it does; there is nothing to close.
    """

    __slots__ = ("buffer", "gives_back")

    def __init__(self, bytes_max: int) -> None:
        size_bytes = -(-bytes_max // PAGE_BYTES) * PAGE_BYTES
        self.gives_back: bool = _IS_LINUX
        """Whether `clear` returns pages to the system. Only Linux promises them zeroed."""
        if sys.platform == "win32":
            self.buffer = mmap.mmap(-1, size_bytes)
            return
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.buffer = mmap.mmap(-1, size_bytes, flags=flags | (_MAP_NORESERVE * _IS_LINUX))

    def clear(self, start: int, stop: int) -> None:
        """Zero the bytes from `start` to `stop`; whole pages go back to the system if it can."""
        inner_start = -(-start // PAGE_BYTES) * PAGE_BYTES
        inner_stop = stop // PAGE_BYTES * PAGE_BYTES
        if sys.platform == "linux" and inner_start < inner_stop:
            self._zero(start, inner_start)
            self.buffer.madvise(mmap.MADV_DONTNEED, inner_start, inner_stop - inner_start)
            self._zero(inner_stop, stop)
        else:
            self._zero(start, stop)

    def _zero(self, start: int, stop: int) -> None:
        if start < stop:
            self.buffer[start:stop] = bytes(stop - start)
