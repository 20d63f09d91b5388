"""Reads messages without letting strangers fill the process's memory.

libxml2 keeps every distinct name it has ever met, per thread and for as long as the thread lives
(measured: 180 bytes for each, 40 MB after 220,000 invented tags; a new parser does not help, a
new thread with its own parser does). So the size of what came from nobody known is counted, and
beyond a budget messages are read in a thread that is replaced each time the budget is spent again,
until strangers have kept quiet for a while.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from emvs.infra.logs import get_logger
from nmvs.soap.bulk_messages import AnyCall
from nmvs.soap.envelope import create_parser, read_message
from nmvs.soap.interface import INFERRED, Interface
from nmvs.soap.known_forms import KnownForms
from nmvs.soap.messages import PackCall, PingCall, Refusal
from nmvs.soap.schema import compile_schemas

STRANGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""One-letter names cost at most twenty times their size in a message: some 80 MB (our choice)."""
LOGIN_BYTES_FREE: Final = 4_096
"""A message of usual size that fits the schema brings no new names, whoever sent it: a till with a
wrong password is no stranger (our choice)."""
QUIET_S: Final = 60.0
"""After so long without strangers messages are read as usual again (our choice)."""
PING_BYTES_FREE: Final = 1_024
"""A ping bears no login; one of the usual size is not held against its sender (our choice)."""

_log = get_logger(__name__)


class Reader:
    """Turns messages into calls."""

    def __init__(
        self, strange_bytes_max: int = STRANGE_BYTES_MAX, interface: Interface = INFERRED
    ) -> None:
        self._interface = interface
        self._parser = create_parser()
        self.schemas = compile_schemas(interface)
        self._strange_bytes_max = strange_bytes_max
        self._strange_bytes = 0
        self._apart: ThreadPoolExecutor | None = None
        self._of_thread = threading.local()
        self._strange_at_s = 0.0
        forms = KnownForms()
        self.read_known: Callable[[bytes], PackCall | None] = forms.read
        """What a message asks for, if it is of a known form; to be tried first."""
        self.learn: Callable[[bytes, PackCall], None] = forms.learn
        """To be told of messages that were read as usual, once their login is found good."""

    @property
    def reads_apart(self) -> bool:
        """Whether messages must go through `read_apart`: slower, but nothing stays."""
        if self._apart is None:
            return False
        if time.monotonic() - self._strange_at_s > QUIET_S:
            self._apart.shutdown(wait=False)
            self._apart = None
            # Names met so far stay: what strangers may add grows less each time.
            self._strange_bytes_max //= 2
            return False
        return True

    def read(self, message: bytes) -> AnyCall | Refusal:
        """Return what a message asks for, or why it asks for nothing that is offered."""
        call = read_message(message, self._parser, self.schemas, self._interface)
        if call.__class__ is not PackCall:
            self._note(call, len(message))
        return call

    async def read_apart(self, message: bytes) -> AnyCall | Refusal:
        """Do the same in a thread of limited life."""
        assert self._apart is not None, "the caller has asked whether it is needed"
        loop = asyncio.get_running_loop()
        call = await loop.run_in_executor(self._apart, self._read_in_thread, message)
        if call.__class__ is not PackCall:
            self._note(call, len(message))
        return call

    def _read_in_thread(self, message: bytes) -> AnyCall | Refusal:
        """Read with a parser and schemas that are the thread's own and end with it."""
        tools = getattr(self._of_thread, "tools", None)
        if tools is None:
            tools = self._of_thread.tools = create_parser(), compile_schemas(self._interface)
        parser, schemas = tools
        return read_message(message, parser, schemas, self._interface)

    def _note(self, call: AnyCall | Refusal, byte_count: int) -> None:
        is_ping = isinstance(call, PingCall)
        if isinstance(call, Refusal) or (is_ping and byte_count > PING_BYTES_FREE):
            self.distrust(byte_count)

    def distrust(self, byte_count: int) -> None:
        """Count a message of this size as a stranger's: refused, or without a valid login."""
        self._strange_bytes += byte_count
        self._strange_at_s = time.monotonic()
        if self._strange_bytes <= self._strange_bytes_max:
            return
        self._strange_bytes = 0
        if self._apart is None:
            _log.warning(
                "many messages of strangers, reading them apart from now on",
                action="soap_reads_apart",
                strange_bytes_max=self._strange_bytes_max,
            )
        else:
            self._apart.shutdown(wait=False)
        self._apart = ThreadPoolExecutor(1, "soap-reader")
