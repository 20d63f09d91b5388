"""Large messages: read in small steps while they arrive, beside the single requests.

Each is parsed in a thread of its own, so that the names in it are forgotten with the thread; step
by step, so that the thread keeps nobody waiting. Who sends it is asked as soon as its header is
there: a stranger gets no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, ParamSpec, TypeVar

from aiohttp import web

from emvs.errors import (
    AllowanceSpentError,
    BadRequestError,
    OverloadedError,
    TooLargeError,
    UnsupportedMediaError,
)
from emvs.infra.body_parts import BODY_TROUBLE, BodyParts, SlowSenderError
from nmvs.bulk.engine import Bulk
from nmvs.participants import Participant
from nmvs.soap.bulk_messages import BulkCall
from nmvs.soap.bulk_stream import BulkStream, Checks, UnfitError
from nmvs.soap.catalogue import Shape
from nmvs.soap.codes import report_in
from nmvs.soap.envelope import from_its_start
from nmvs.soap.interface import Interface
from nmvs.soap.messages import Refusal
from nmvs.soap.salvage import refuse
from nmvs.soap.settings import SoapSettings
from nmvs.soap.turns import Turns

_STEP_BYTES: Final = 8_192
"""A millisecond or two (our choice, measured)."""
_AT_ONCE_MAX: Final = 8
_AT_ONCE_PER_ORGANISATION_MAX: Final = 2
"""Large messages that are read at the same time (our choice)."""
_OPENINGS_AT_ONCE_MAX: Final = 32
"""Large messages whose sender is not known yet: each has a thread (our choice)."""

UNREAD: Final = {
    TooLargeError: "FE_TX_07",
    SlowSenderError: "TI_TO_01",
    BadRequestError: "TE_XM_01",
    UnsupportedMediaError: "TE_XM_01",
}
"""Return codes for bodies that could not be read (our choice)."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Entered(NamedTuple):
    """Whose large message may be read."""

    participant: Participant


Enter = Callable[[BulkCall], Awaitable[Entered | web.Response]]
"""Looks at the login of a call without packs; gives the answer if it is refused."""


class Submitted(NamedTuple):
    """A large message, read, and whose it is."""

    call: BulkCall
    entered: Entered


class _Message:
    """One large message under way, and the thread that reads it."""

    def __init__(self, interface: Interface) -> None:
        self._thread = ThreadPoolExecutor(1, "soap-bulk")
        self.interface = interface
        self.opening: BulkCall | None = None

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def end(self) -> None:
        self._thread.shutdown(wait=False)


class Intake:
    """Reads large messages, whichever listener they come to."""

    def __init__(self, bulk: Bulk, settings: SoapSettings) -> None:
        self._bulk = bulk
        self._settings = settings
        self._checks = Checks(Interface(settings.open_names))
        self._turns = Turns(
            "large requests are being read",
            count_max=_AT_ONCE_MAX,
            count_of_one_max=_AT_ONCE_PER_ORGANISATION_MAX,
        )
        self._openings_count = 0

    @staticmethod
    def is_list_of_products(beginning: bytes, interface: Interface) -> bool:
        """Whether a message that begins so asks for master data."""
        guess = refuse(beginning, "FE_TX_07", "", interface=interface)
        return guess.endpoint is not None and guess.endpoint.row.shape is Shape.MASTER_DATA

    async def read(
        self, beginning: bytes, parts: BodyParts, enter: Enter, interface: Interface
    ) -> Submitted | Refusal | web.Response:
        """Return what a message submits that goes on after `beginning`, or why it does not. If it
        is not read to its end, the connection must not be used again. `interface`: what is offered
        where it came."""
        text = f"the body has more than {self._settings.body_bytes_max} bytes"
        guess = refuse(beginning, "FE_TX_07", text, interface=interface)
        if guess.endpoint is None or not guess.endpoint.row.shape.submits_many:
            return guess
        message = _Message(interface)
        try:
            return await self._read(message, beginning, parts, enter)
        except UnfitError as unfit:
            code, description = unfit.code, unfit.description
        except AllowanceSpentError as error:
            code, description = "FE_TX_07", str(error)
        except OverloadedError as error:
            code, description = "TE_TX_03", str(error)
        except BODY_TROUBLE as error:
            code, description = UNREAD[type(error)], str(error)
        finally:
            message.end()
        opening = message.opening
        if opening is None:
            return refuse(beginning, code, description, interface=interface)
        version = opening.endpoint.version
        return Refusal(
            *report_in(version, code, description), version, opening.endpoint, opening.frame
        )

    async def _read(
        self, message: _Message, beginning: bytes, parts: BodyParts, enter: Enter
    ) -> Submitted | web.Response:
        if self._openings_count >= _OPENINGS_AT_ONCE_MAX:
            raise OverloadedError("the senders of other large requests are being looked at")
        self._openings_count += 1
        try:
            stream = await message.run(BulkStream, self._checks, message.interface)
            pieces = _in_steps(from_its_start(beginning))
            for piece in pieces:
                await message.run(stream.feed, piece)
                if stream.opening is not None:
                    break
            opening = message.opening = stream.opening
            if opening is None:
                raise UnfitError(
                    "TE_XM_02",
                    "XML does not fit the schema: Element 'Header': it must come first",
                )
            entered = await enter(opening)
        finally:
            self._openings_count -= 1
        if isinstance(entered, web.Response):
            return entered
        with self._turns.take(entered.participant.organisation):
            parts.allow(
                bytes_max=self._settings.bulk_body_bytes_max,
                wait_s_max=self._settings.bulk_body_read_s_max,
            )
            await self._feed(message, stream, pieces)
            while part := await parts.read():
                await self._feed(message, stream, _in_steps(part))
            return Submitted(await message.run(stream.close), entered)

    async def _feed(self, message: _Message, stream: BulkStream, pieces: Iterator[bytes]) -> None:
        pacer = self._bulk.pacer()
        for piece in pieces:
            pacer.start()
            await message.run(stream.feed, piece)
            await pacer.rest()


def _in_steps(part: bytes) -> Iterator[bytes]:
    for start in range(0, len(part), _STEP_BYTES):
        yield part[start : start + _STEP_BYTES]
