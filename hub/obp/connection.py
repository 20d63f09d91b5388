"""Requests to the hub with their repeats, and answers as typed values or errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from hub.obp.errors import (
    HubBusyError,
    HubRefusedError,
    LoginRefusedError,
    ObpClientError,
    ProtocolError,
    UnreachableError,
)
from hub.obp.profile import Profile
from hub.obp.retrying import wait_before_repeat_s

if TYPE_CHECKING:  # The HTTP library loads slowly, and not every command needs it.
    from hub.obp.transport import Reply, Sent, Transport

_BUSY: Final = frozenset({408, 429, 502, 503, 504})
_UNCERTAIN: Final = frozenset({408, 502, 504})
"""A gateway may have passed the request on; 429 and 503 refuse it before anything is done."""
_SENTENCE_LENGTH_MAX: Final = 600
_Answer = TypeVar("_Answer")


class Call(NamedTuple):
    """A request. `repeatable`: to send it twice does nothing twice."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Any = None
    packed_file: Path | None = None
    repeatable: bool = True
    base: str = "/obp/v1/"
    headers: Mapping[str, str] | None = None


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""


class Connection:
    """Speaks to one hub."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._transport = transport
        self._random = SystemRandom()
        self.repeat_count = 0
        """Requests that had to be sent again."""

    async def ask(self, call: Call, answer: type[_Answer], *, sent: Sent | None = None) -> _Answer:
        """Return the hub's answer, read as `answer`. Raises as `fetch`."""
        return decoded(await self.fetch(call, sent=sent), answer)

    async def fetch(self, call: Call, *, sent: Sent | None = None) -> Reply:
        """Return the hub's reply, if it is no refusal.

        What the hub cannot take now is repeated with growing waits until the profile's
        `give_up_s`; what may have been done already, only if that does nothing twice. Raises
        LoginRefusedError, HubRefusedError, UnreachableError, HubBusyError or ProtocolError.
        """
        deadline_s = time.monotonic() + self._profile.give_up_s
        failed_count = 0
        while True:
            try:
                return await self._once(call, sent)
            except UnreachableError as error:
                failed_count += 1
                wait_s = wait_before_repeat_s(failed_count, error.retry_after_s, self._random)
                again = call.repeatable or not error.may_have_acted
                if not again or time.monotonic() + wait_s > deadline_s:
                    raise type(error)(
                        f"{error}; tried {failed_count} times", may_have_acted=error.may_have_acted
                    ) from error
                self.repeat_count += 1
                await asyncio.sleep(wait_s)

    async def _once(self, call: Call, sent: Sent | None) -> Reply:
        reply = await self._transport.send(
            call.method,
            call.base + call.path,
            query=call.query,
            body=None if call.body is None else msgspec.json.encode(call.body),
            packed_file=call.packed_file,
            headers=call.headers,
            sent=sent,
        )
        if not 200 <= reply.status < 300:
            raise _refusal(reply)
        return reply


def decoded(reply: Reply, answer: type[_Answer]) -> _Answer:
    """Return a reply's body as a typed value. Raises ProtocolError."""
    try:
        return msgspec.json.decode(reply.body, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"HTTP {reply.status}, and the body is no answer of this interface: {error}"
        ) from error


def _refusal(reply: Reply) -> ObpClientError:
    """Return the error that a reply means."""
    try:
        problem = msgspec.json.decode(reply.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem()
    told = problem.detail or problem.title
    sentence = f"HTTP {reply.status}" + (f": {told[:_SENTENCE_LENGTH_MAX]}" if told else "")
    if reply.status in _BUSY:
        return HubBusyError(
            f"the hub cannot take it now, {sentence}",
            may_have_acted=reply.status in _UNCERTAIN,
            retry_after_s=_retry_after_s(reply.headers.get("retry-after")),
        )
    if reply.status == 401:
        return LoginRefusedError(
            f"{sentence}. Is the profile's token the client's own, and still valid?"
        )
    if reply.status == 403:
        return LoginRefusedError(sentence)
    if 400 <= reply.status < 500:
        return HubRefusedError(sentence, status=reply.status)
    return ProtocolError(f"the hub answers {sentence}")


def _retry_after_s(text: str | None) -> float | None:
    """Return the seconds that a header asks for; it may name a time (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
