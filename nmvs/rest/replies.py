"""Replies of calls that answer with an operation code and more, and what their errors become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from emvs.errors import BadRequestError, ForbiddenError, NotFoundError, OverloadedError
from emvs.infra.database import CONNECTION_ERRORS
from emvs.operation_codes import TextKind, parse
from nmvs.rest.codes import TECHNICAL
from nmvs.rest.document_codes import NOT_PERMITTED, TEXTS, TOO_MANY_WAITING
from nmvs.rest.routes import Call, Reply

Handler = Callable[[Any, Call], Awaitable[Reply]]
_TEXT_MEMBERS: Final = {TextKind.INFORMATION: "information", TextKind.WARNING: "warning"}


class RefusingCodes(NamedTuple):
    """Codes of one subject for what can be wrong with a call."""

    invalid: str
    unknown: str


def code_reply(
    code: str,
    members: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    text: str | None = None,
    status: int | None = None,
) -> Reply:
    """Return a reply with a code, its text if it has one, and further members.

    `text` goes behind the code's own; `status` replaces the one that the code tells.
    """
    parts = parse(code)
    assert parts is not None, f"{code} does not follow the grammar"
    body: dict[str, Any] = {"operationCode": code}
    member = _TEXT_MEMBERS.get(parts.kind)
    if member is not None:
        body[member] = with_reason(TEXTS[code], text) if text else TEXTS[code]
    told = status or parts.status
    assert told is not None, f"nobody knows the status of {code}"
    return Reply(told, orjson.dumps(body | dict(members or {})), headers or {})


def with_reason(sentence: str, reason: str) -> str:
    """Return a sentence with what is behind it. The reason may begin with the name of a member, so
    its first letter stays as it is."""
    return f"{sentence.rstrip('.')}: {reason.rstrip('.')}."


def refusing(codes: RefusingCodes) -> Callable[[Handler], Handler]:
    """Make a handler's errors replies with these codes."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(subject: Any, call: Call) -> Reply:
            try:
                return await handler(subject, call)
            except BadRequestError as error:
                return code_reply(codes.invalid, text=str(error))
            except asyncpg.DataError:
                return code_reply(codes.invalid, text="a character in it cannot be stored")
            except NotFoundError:
                return code_reply(codes.unknown)
            except ForbiddenError as error:
                return code_reply(NOT_PERMITTED, text=str(error))
            except OverloadedError as error:
                headers = {"Retry-After": str(error.retry_after_s)}
                return code_reply(TOO_MANY_WAITING, headers=headers)
            except CONNECTION_ERRORS:
                return code_reply(TECHNICAL, headers={"Retry-After": "1"})

        return guarded

    return wrap


def wire_time(at: datetime) -> str:
    """Return an instant in UTC with three digits and a Z, which all clients read."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count_field(call: Call, name: str, default: int, most: int) -> int:
    """Return a number from 1 to `most` of the query. Raises BadRequestError."""
    text = call.query.get(name.lower(), str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadRequestError(f"{name} is a number from 1 to {most}")
    return int(text)
