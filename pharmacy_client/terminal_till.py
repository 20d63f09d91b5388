"""The interactive till: scans come in as from a keyboard wedge, answers are shown large.

Works on a terminal, with or without colour, and on a pipe. What it shows is made here, where it
shows it is the caller's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from emvs.scan import Scan, ScanError, scan_from_fields
from pharmacy_client.cli_output import printable, result_lines, wants_colour
from pharmacy_client.client import read_scan
from pharmacy_client.errors import PharmacyClientError, ScanRefusedError
from pharmacy_client.queue_waits import Reason
from pharmacy_client.results import Colour, Result
from pharmacy_client.scan_text import read_spelled
from pharmacy_client.scanner import ScanSplitter
from pharmacy_client.till import Till

_BACKGROUNDS: Final = {Colour.GREEN: "30;42", Colour.AMBER: "30;43", Colour.RED: "97;41"}
_WORDS: Final = {Colour.GREEN: "OK", Colour.AMBER: "CHECK", Colour.RED: "STOP"}
_WIDTH_MAX: Final = 72
_COMMAND_LENGTH_MAX: Final = 12
_END_OF_INPUT: Final = b"\x04"
HELP: Final = """\
Scan a pack; it is asked about in the mode shown. Or type a letter and Enter:
  v  verify            s  supply            u  undo a supply
  m CODE SERIAL [BATCH EXPIRY]  a pack typed in by hand
  w  what waits        ?  this help         q  quit"""


class Mode(Enum):
    """What a scan asks."""

    VERIFY = "verify"
    SUPPLY = "supply"
    UNDO = "undo"


class TerminalTill:
    """A till whose answers are lines of text; `show` gets them one by one."""

    def __init__(self, till: Till, mode: Mode, show: Callable[[str], None]) -> None:
        self._till = till
        self._show = show
        self._told: tuple[bool, int, Reason | None] = (False, 0, None)
        self.mode = mode
        self.last: Result | PharmacyClientError | None = None
        """What came of the last scan."""

    @property
    def prompt(self) -> str:
        """What stands before the next scan."""
        waiting = self._till.waiting_count
        offline = "OFFLINE " if self._till.is_offline else ""
        kept = f"{waiting} WAIT " if waiting else ""
        return f"{offline}{kept}{self.mode.value}> "

    async def take(self, line: str) -> bool:
        """Do what a scan or a typed command asks; False to quit."""
        self.last = None
        word = line.strip()
        command, _, rest = word.partition(" ")
        modes = {mode.value: mode for mode in Mode} | {mode.value[0]: mode for mode in Mode}
        if word.lower() in ("q", "quit", "exit"):
            return False
        if word.lower() in modes:
            self.mode = modes[word.lower()]
            self._show(f"From now on a scan means: {self.mode.value}.")
        elif word.lower() in ("?", "h", "help"):
            self._lines(HELP.splitlines())
        elif word.lower() == "w":
            self.tell_waiting(always=True)
        elif command.lower() == "m" and rest:
            await self._ask(lambda: _typed(rest.split()), manual=True)
        elif word.isalpha() and word.isascii() and len(word) <= _COMMAND_LENGTH_MAX:
            self._show(f"There is no command {word}. ? lists them all.")
        elif word:
            await self._ask(lambda: read_scan(read_spelled(line)), manual=False)
        self.tell_waiting()
        return True

    def tell_waiting(self, *, always: bool = False) -> None:
        """Show whether the till is offline, how many wait and for what, if that has changed."""
        wait = self._till.wait
        told = (self._till.is_offline, self._till.waiting_count, wait and wait.reason)
        if told == self._told and not always:
            return
        self._told = told
        offline, waiting, _ = told
        why = f": {wait.sentence}" if wait else ""
        if offline:
            self._show(f"OFFLINE, {waiting} wait{why}.")
        else:
            self._show(f"{waiting} to be sent{why}." if waiting else "Online; nothing waits.")

    async def _ask(self, read: Callable[[], Scan], *, manual: bool) -> None:
        try:
            scan = read()
            if self.mode is Mode.VERIFY:
                result = await self._till.verify(scan, manual=manual)
            elif self.mode is Mode.SUPPLY:
                result = await self._till.supply(scan, manual=manual)
            else:
                result = await self._till.undo(scan, manual=manual)
        except PharmacyClientError as error:
            self.last = error
            title = error.title.upper()
            self._lines(banner(Colour.AMBER, title))
            self._lines(_wrapped(str(error)))
            if error.may_have_acted:
                self._lines(_wrapped("It is not known whether the pack was changed: verify it."))
            return
        self.last = result
        state = result.state.name.replace("_", " ") if result.state else result.category.upper()
        self._lines(banner(result.advice.colour, "ALERT" if result.alert_id else state))
        for label, text in result_lines(result, profile_source=self._till.profile.url)[1:]:
            self._show(f"  {label:<11}{printable(text)}")

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self._show(line)


def banner(colour: Colour, word: str) -> list[str]:
    """Return three lines that can be read from afar, in colour if the terminal takes it."""
    width = min(_WIDTH_MAX, shutil.get_terminal_size().columns)
    spaced = f"{_WORDS[colour]}   {' '.join(printable(word))}"
    if wants_colour():
        bar = f"\x1b[1;{_BACKGROUNDS[colour]}m"
        return [f"{bar}{text:^{width}}\x1b[0m" for text in ("", spaced, "")]
    edge = {Colour.GREEN: "=", Colour.AMBER: "?", Colour.RED: "!"}[colour] * width
    return [edge, f"{spaced:^{width}}".rstrip(), edge]


def _typed(words: list[str]) -> Scan:
    """Return the pack of typed fields. Raises ScanRefusedError."""
    if not 2 <= len(words) <= 4:
        raise ScanRefusedError(
            "A typed pack is: m CODE SERIAL, or m CODE SERIAL BATCH EXPIRY.", "Type it so."
        )
    batch, expiry = (*words[2:], None, None)[:2]
    try:
        return scan_from_fields(
            product_code=words[0], serial_number=words[1], batch_id=batch, expiry=expiry
        )
    except ScanError as error:
        raise ScanRefusedError(error.problem, error.advice) from error


def _wrapped(text: str) -> list[str]:
    import textwrap  # noqa: PLC0415 - for errors only.

    return [f"  {line}" for line in textwrap.wrap(printable(text), _WIDTH_MAX)]


async def read_input(descriptor: int, echo: Callable[[str], None]) -> AsyncIterator[str]:
    """Yield scans and typed lines from a terminal, pipe or file until its end.

    `echo` gets what is typed, on a terminal that does not echo by itself.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # A thread of its own: a regular file cannot be waited for otherwise, and a read that
        # nobody ends must not keep the program.
        while True:
            try:
                chunk = os.read(descriptor, 4096)
            except OSError:
                chunk = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:  # The program has ended.
                return
            if not chunk:
                return

    threading.Thread(target=read, daemon=True, name="input").start()
    splitter = ScanSplitter()
    while chunk := await chunks.get():
        if chunk == _END_OF_INPUT and not splitter.is_waiting:
            return
        echo(chunk.decode("utf-8", "replace"))
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.flush():
        yield line


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[bool]:
    """Let every character of a scan come through; tell whether this is a terminal.

    A terminal would take the end of an IFA code (EOT) for the end of input.
    """
    if not os.isatty(descriptor):
        yield False
        return
    import termios  # noqa: PLC0415 - not on every system.
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def show_on_stdout(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
