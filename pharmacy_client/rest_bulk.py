"""Bulks of the REST dialect: bulk of pack for one operation on many, recovery for any.

Recovery is what these systems have for the replay of what happened while they could not be
reached; its packs may be named more than once and are handled in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from emvs.states import Operation, State
from pharmacy_client.bulk import (
    BULK_REPLY_BYTES_MAX,
    BULK_TIMEOUT_S,
    BulkItem,
    NotReady,
    is_uniform,
)
from pharmacy_client.errors import (
    BulkLostError,
    BulkRefusedError,
    LoginRefusedError,
    NotOfferedError,
    ProtocolError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import (
    Exchange,
    HttpReply,
    HttpRequest,
    retry_after_s,
)
from pharmacy_client.profile import Profile
from pharmacy_client.rest import (
    SCHEMES,
    STATE_LITERALS,
    PackAnswer,
    make_result,
    standing_headers,
)
from pharmacy_client.results import PackCall, Result
from pharmacy_client.tokens import BUSY_STATUSES, TokenSource

# First character of an operation code: the HTTP status that a single pack would have had.
_STATUS: Final = {
    "1": 200,
    "2": 202,
    "3": 403,
    "4": 404,
    "5": 409,
    "6": 422,
    "7": 429,
    "B": 503,
}
_REFUSED: Final = (400, 403, 409, 413, 422)
"""Nothing of the bulk was taken, and the same one would be refused again."""
_ETA_S_MAX: Final = 600.0
"""Results of these systems are there within 45 s."""
_BULK_PATH: Final = "/product/packs"
_RECOVERY_PATH: Final = "/recovery/packs"


class _Row(msgspec.Struct):
    result: PackAnswer


class _Whole(msgspec.Struct, rename="camel"):
    """What is said of a bulk as a whole."""

    operation_code: str = ""
    warning: str | None = None
    information: str | None = None
    eta: str | None = None
    packs: list[_Row] | None = None


_decode: Final = msgspec.json.Decoder(_Whole).decode


class _Answered(NamedTuple):
    reply: HttpReply
    whole: _Whole
    exchange: Exchange


class RestBulk:
    """Speaks bulk and recovery over a transport."""

    def __init__(self, profile: Profile, tokens: TokenSource) -> None:
        self._profile = profile
        self._tokens = tokens

    async def submit(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Hand in as a recovery. See BulkSpeaker; the interface takes no id of ours."""
        del submission_id
        packs = [_pack(item.call, with_transition=True) for item in items]
        return await self._submit(_RECOVERY_PATH, {"numberOfPacks": len(packs), "packs": packs})

    async def submit_uniform(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Hand in as a bulk of pack: calls of one operation on packs of any products.

        Raises NotOfferedError, as nothing is sent, if they are not. See BulkSpeaker.
        """
        del submission_id
        operation, manual = items[0].call.operation, items[0].call.manual
        if not is_uniform(items):
            raise NotOfferedError("A bulk of pack has one operation, and each pack once.")
        packs = [_pack(item.call, with_transition=False) for item in items]
        body: dict[str, object] = {"numberOfPacks": len(packs), "packs": packs}
        if operation is not Operation.VERIFY:
            body["state"] = _literal(operation)
        return await self._submit(_BULK_PATH, body, manual=manual)

    async def _submit(self, path: str, body: dict[str, object], *, manual: bool = False) -> str:
        url = self._profile.url.rstrip("/") + path
        answered = await self._ask("POST", url, body, manual=manual)
        location = answered.reply.headers.get("location")
        if answered.reply.status == 202 and location:
            return _own_address(location, url)
        raise self._trouble(answered)

    async def fetch(self, ticket: str, items: Sequence[BulkItem]) -> list[Result] | NotReady:
        """Fetch. See BulkSpeaker."""
        answered = await self._ask("GET", ticket, None)
        reply, whole, exchange = answered
        if reply.status == 409:
            return NotReady(_wait_s(whole.eta, reply))
        if reply.status == 404:
            raise BulkLostError("The system knows no bulk of this address.", exchange=exchange)
        rows = whole.packs
        if reply.status != 200 or rows is None:
            raise self._trouble(answered)
        if len(rows) != len(items):
            raise ProtocolError(
                f"{len(rows)} results came for {len(items)} packs.", exchange=exchange
            )
        return [
            _result(item.call, row.result, exchange) for item, row in zip(items, rows, strict=True)
        ]

    async def find(self, submission_id: str) -> str | None:
        """Not offered. See BulkSpeaker."""
        raise NotOfferedError(f"This interface lists no bulks; {submission_id} can't be looked up.")

    async def _ask(
        self, method: str, url: str, body: dict[str, object] | None, *, manual: bool = False
    ) -> _Answered:
        content = None if body is None else msgspec.json.encode(body)

        def build(token: str) -> HttpRequest:
            headers = standing_headers(self._profile, token, manual=manual)
            if content is not None:
                headers["Content-Type"] = "application/json"
            return HttpRequest(
                method,
                url,
                headers,
                content,
                changes_state=content is not None,
                secrets=(token.encode(),),
                reply_bytes_max=BULK_REPLY_BYTES_MAX,
                timeout_s=max(BULK_TIMEOUT_S, self._profile.timeout_s),
            )

        reply, exchange = await self._tokens.send(build)
        if reply.status == 401:
            raise LoginRefusedError("The system refused a fresh token.", exchange=exchange)
        return _Answered(reply, _read(reply, exchange, changes=content is not None), exchange)

    def _trouble(
        self, answered: _Answered
    ) -> LoginRefusedError | SystemUnreachableError | BulkRefusedError | ProtocolError:
        """Return the error for an answer to a bulk as a whole that is neither ticket nor result."""
        reply, whole, exchange = answered
        words = whole.warning or whole.information or ""
        said = f"HTTP {reply.status}, {whole.operation_code} {words}".rstrip()
        if reply.status == 429 or reply.status in BUSY_STATUSES:
            return SystemUnreachableError(
                f"The system takes no bulk now: {said}",
                exchange=exchange,
                may_have_acted=reply.status in (502, 504),
                retry_after_s=retry_after_s(reply.headers),
            )
        if reply.status in _REFUSED:
            return BulkRefusedError(
                f"The system refused the bulk: {said}",
                return_code=whole.operation_code,
                exchange=exchange,
            )
        # A ticket may have been meant.
        return ProtocolError(
            f"The answer to the bulk is not understood: {said}",
            exchange=exchange,
            may_have_acted=reply.status < 400,
        )


class RestUniformBulk:
    """Speaks bulk of pack over a transport."""

    def __init__(self, bulk: RestBulk) -> None:
        self.submit = bulk.submit_uniform
        self.fetch = bulk.fetch


def _read(reply: HttpReply, exchange: Exchange, *, changes: bool) -> _Whole:
    try:
        return _decode(reply.body) if reply.body else _Whole()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if reply.status in BUSY_STATUSES or reply.status in _REFUSED:
            return _Whole()  # Of a gateway, perhaps; the status says all.
        raise ProtocolError(
            f"HTTP {reply.status}, and the body is no answer of this interface: {error}.",
            exchange=exchange,
            may_have_acted=changes,
        ) from error


def _pack(call: PackCall, *, with_transition: bool) -> dict[str, str]:
    scan = call.scan
    members = {
        "productCodeScheme": SCHEMES[scan.scheme],
        "productCode": scan.product_code,
        "serialNumber": scan.serial_number,
    }
    # What was typed in is told from what was scanned by what it lacks.
    typed = with_transition and call.manual
    if scan.batch_id and not typed:
        members["batchId"] = scan.batch_id
    if scan.expiry and not typed:
        members["expiryDate"] = scan.expiry
    if with_transition and call.operation is not Operation.VERIFY:
        members["transitionType"] = _state(call.operation).name
    return members


def _state(operation: Operation) -> State:
    state = operation.target_state
    if state is None or state not in STATE_LITERALS:
        raise NotOfferedError(f"The REST interface offers no {operation.name.lower()}.")
    return state


def _literal(operation: Operation) -> str:
    return STATE_LITERALS[_state(operation)]


def _result(call: PackCall, answer: PackAnswer, exchange: Exchange) -> Result:
    # An unknown first character is judged as a refusal, and so is a contradiction.
    status = _STATUS.get(answer.operation_code[:1], 409)
    try:
        return make_result(call, answer, exchange, http_status=status)
    except ProtocolError:
        return make_result(call, answer, exchange, http_status=409)


def _own_address(location: str, url: str) -> str:
    """Return where the result is, at the place that was asked: tokens go nowhere else."""
    ours, theirs = urlsplit(url), urlsplit(urljoin(url, location))
    return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))


def _wait_s(eta: str | None, reply: HttpReply) -> float | None:
    """Return the seconds until the time that the system tells, by its own clock if it shows it."""
    asked = retry_after_s(reply.headers)
    if asked is not None:
        return asked
    try:
        at = msgspec.convert(eta, datetime) if eta else None
    except msgspec.ValidationError:
        return None
    if at is None or at.tzinfo is None:
        return None
    wait_s = max(0.0, (at - (_date(reply) or datetime.now(UTC))).total_seconds())
    # A time that far off is of another clock than the Date: of a system whose clock was moved.
    return wait_s if wait_s <= _ETA_S_MAX else None


def _date(reply: HttpReply) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only while bulks are polled.

    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo is not None else None
