"""The hub's side of the interconnect: the only outgoing HTTP.

Trouble is one error, `NationalSystemError`, with a sentence; whether to try again is the caller's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from emvs.alert_messages import AlertDecision, AlertReport
from emvs.batch_counts import BatchCounts, BatchQuestion
from emvs.errors import (
    BadRequestError,
    ConflictError,
    EmvsError,
    ForbiddenError,
    NotFoundError,
)
from emvs.interconnect import DeliveryResult, IntermarketAnswer, IntermarketRequest, PackAudit
from emvs.limits import HUB_BODY_BYTES_MAX
from emvs.outcomes import Outcome
from hub.defects import printable

_Message = TypeVar("_Message")
_Result = TypeVar("_Result", bound=DeliveryResult)

_PIECE_BYTES: Final = 256 * 1024
_ANSWER_BYTES_MAX: Final = 64 * 1024
_AUDIT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A thousand entries have about one."""
_COUNTS_BYTES_MAX: Final = 2 * 1024 * 1024
"""Two hundred batches have some half of it."""
_REFUSALS: Final = frozenset({400, 413, 415, 422})
"""HTTP statuses that say the delivery itself is wrong: sending it again would not help."""
_COUNT_MAX: Final = 2**31 - 1
"""What a column of the store holds."""
_ALERT_REFUSALS: Final = {
    error.http_status: error
    for error in (BadRequestError, ForbiddenError, NotFoundError, ConflictError)
}
_DEFECT: Final = 500
_PROBLEM_LENGTH_MAX: Final = 300


class NationalSystemError(EmvsError):
    """A national system could not be reached, or did not give an answer that can be used."""

    http_status = 503
    title = "National system not available"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.is_about_message = status == _DEFECT
        """Whether the system is there and fails at this message, so that others may go well."""


class _Pieces:
    """A body sent piece by piece, so that megabytes do not hold up the event loop.

    Iterated anew for each attempt that the HTTP client makes.
    """

    def __init__(
        self, pieces: Sequence[bytes], note_share: Callable[[float], None] | None = None
    ) -> None:
        self._pieces = pieces
        self._note_share = note_share

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = sum(map(len, self._pieces))
        sent = 0
        for piece in self._pieces:
            for start in range(0, len(piece), _PIECE_BYTES):
                part = piece[start : start + _PIECE_BYTES]
                yield part
                sent += len(part)
                if self._note_share is not None:
                    self._note_share(sent / total)


class NationalClient:
    """One national system."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self._session = session
        self._base_url = f"{base_url.rstrip('/')}/hub/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def deliver(
        self,
        kind: str,
        delivery_id: str,
        body: Sequence[bytes],
        *,
        timeout_s: float,
        answer_type: type[_Result],
        note_share: Callable[[float], None] | None = None,
    ) -> _Result:
        """Deliver the pieces of a body and return what became of it; `note_share` is told which
        share of it was sent.

        Raises NationalSystemError.
        """
        status, answer = await self._call(
            "PUT",
            f"{kind}/{delivery_id}",
            body,
            timeout_s=timeout_s,
            bytes_max=HUB_BODY_BYTES_MAX,
            note_share=note_share,
        )
        if status in _REFUSALS:
            return answer_type(
                delivery_id, accepted=False, code=f"HTTP {status}", text=_problem(answer)
            )
        result = _decoded(status, answer, answer_type)
        if result.deliveryId != delivery_id:
            other = printable(result.deliveryId)
            raise NationalSystemError(f"the answer is about another delivery, {other}")
        if not 0 <= result.loadedCount <= _COUNT_MAX:
            raise NationalSystemError("the answer counts packs that cannot be")
        return result

    async def ask(self, request: IntermarketRequest, *, timeout_s: float) -> IntermarketAnswer:
        """Return the answer to an intermarket request. Raises NationalSystemError."""
        body = msgspec.json.encode(request)
        status, answer = await self._call(
            "POST", "intermarket", [body], timeout_s=timeout_s, bytes_max=_ANSWER_BYTES_MAX
        )
        result = _decoded(status, answer, IntermarketAnswer)
        if result.requestId != request.requestId or result.outcome not in Outcome.__members__:
            raise NationalSystemError(f"the answer {result.outcome} is not one to the request")
        return result

    async def open_alert(self, alert_id: str, *, timeout_s: float) -> AlertReport:
        """Tell that the manufacturer has opened an alert; return its report."""
        return await self._alert(alert_id, "opened", b"", timeout_s=timeout_s)

    async def change_alert(
        self, alert_id: str, wanted: AlertDecision, *, timeout_s: float
    ) -> AlertReport:
        """Have an alert changed; return its report afterwards.

        Raises what it was refused with, or NationalSystemError.
        """
        body = msgspec.json.encode(wanted)
        return await self._alert(alert_id, "state", body, timeout_s=timeout_s)

    async def _alert(
        self, alert_id: str, verb: str, body: bytes, *, timeout_s: float
    ) -> AlertReport:
        status, answer = await self._call(
            "POST",
            f"alerts/{alert_id}/{verb}",
            [body],
            timeout_s=timeout_s,
            bytes_max=HUB_BODY_BYTES_MAX,
        )
        refused = _ALERT_REFUSALS.get(status)
        if refused is not None:
            raise refused(_detail(answer))
        report = _decoded(status, answer, AlertReport)
        if report.alertId != alert_id:
            raise NationalSystemError(f"the answer is about another alert, {report.alertId!a}")
        return report

    async def pack_audit(
        self, product_code: str, serial_number: str, *, timeout_s: float
    ) -> PackAudit:
        """Return what the market recorded about a pack. Raises NationalSystemError."""
        status, answer = await self._call(
            "GET",
            f"audit/{quote(product_code, safe='')}?serial={quote(serial_number, safe='')}",
            [],
            timeout_s=timeout_s,
            bytes_max=_AUDIT_BYTES_MAX,
        )
        result = _decoded(status, answer, PackAudit)
        if (result.productCode, result.serialNumber) != (product_code, serial_number):
            raise NationalSystemError("the answer is about another pack")
        return result

    async def batch_counts(self, question: BatchQuestion, *, timeout_s: float) -> BatchCounts:
        """Return what the market holds of batches. Raises NationalSystemError."""
        status, answer = await self._call(
            "POST",
            "batch-counts",
            [msgspec.json.encode(question)],
            timeout_s=timeout_s,
            bytes_max=_COUNTS_BYTES_MAX,
        )
        counts = _decoded(status, answer, BatchCounts)
        asked = [(batch.productCode, batch.batchId) for batch in question.batches]
        if [(count.productCode, count.batchId) for count in counts.batches] != asked:
            raise NationalSystemError("the answer is about other batches")
        return counts

    async def _call(
        self,
        method: str,
        path: str,
        body: Sequence[bytes],
        *,
        timeout_s: float,
        bytes_max: int,
        note_share: Callable[[float], None] | None = None,
    ) -> tuple[int, bytes]:
        url = f"{self._base_url}/{path}"
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        headers = self._headers | {"Content-Length": str(sum(map(len, body)))}
        try:
            async with self._session.request(
                method, url, data=_Pieces(body, note_share), headers=headers, timeout=timeout
            ) as response:
                return response.status, await _read(response, bytes_max)
        except TimeoutError as error:
            raise NationalSystemError(f"no answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            text = printable(str(error) or type(error).__name__)
            raise NationalSystemError(f"no answer: {text}") from error


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > bytes_max:
            raise NationalSystemError(f"the answer has more than {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)


def _decoded(status: int, answer: bytes, kind: type[_Message]) -> _Message:
    if status != 200:
        raise NationalSystemError(f"HTTP {status}: {_problem(answer)}", status=status)
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NationalSystemError(f"the answer cannot be read: {error}") from error


def _detail(answer: bytes) -> str:
    """Return the sentence of a problem document."""
    try:
        return printable(str(msgspec.json.decode(answer)["detail"]))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return _problem(answer)


def _problem(answer: bytes) -> str:
    return printable(answer[:_PROBLEM_LENGTH_MAX].decode("utf-8", "replace"))
