"""The REST dialect: a pack call to a request and the answer to a result. No connection enters.

Paths, members and literals as public clients of the REST-built national systems use them. The
meaning of operation codes is in rest_codes.py.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec

from emvs.scan import Scan
from emvs.scheme import Scheme
from emvs.states import Operation, State
from pharmacy_client import rest_codes
from pharmacy_client.advice import advise
from pharmacy_client.errors import (
    LoginRefusedError,
    NotOfferedError,
    ProtocolError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import (
    Exchange,
    HttpReply,
    HttpRequest,
    Transport,
    retry_after_s,
)
from pharmacy_client.profile import Profile
from pharmacy_client.results import PackCall, Pong, Result
from pharmacy_client.tokens import BUSY_STATUSES, TokenSource

SCHEMES: Final = {Scheme.GTIN: "gs1", Scheme.PPN: "ifa"}
STATE_LITERALS: Final = {
    State.ACTIVE: "Active",
    State.SUPPLIED: "Supplied",
    State.DESTROYED: "Destroyed",
    State.LOCKED: "Locked",
    State.EXPORTED: "Exported",
    State.SAMPLE: "Sample",
    State.STOLEN: "Stolen",
    State.FREE_SAMPLE: "FreeSample",
}


class PackAnswer(msgspec.Struct, rename="camel"):
    """The flat object of all outcomes; members that are not here are ignored."""

    operation_code: str
    state: str | None = None
    information: str | None = None
    warning: str | None = None
    alert_id: str | None = None
    alert_code: str | None = None
    ams_link: str | None = None
    product_name: str | None = None
    is_intermarket: bool | None = None
    can_reactivate_until: str | None = None
    batch_recall_reason: str | None = None
    product_withdrawal_reason: str | None = None


_decode: Final = msgspec.json.Decoder(PackAnswer).decode


class RestDialect:
    """Speaks REST over a transport."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._transport = transport
        self._tokens = TokenSource(profile, transport)

    @property
    def tokens(self) -> TokenSource:
        """What the bulks of this dialect share."""
        return self._tokens

    async def perform(self, call: PackCall) -> Result:
        """Return what the national system answers."""
        reply, exchange = await self._tokens.send(
            lambda token: build_request(call, self._profile, token)
        )
        return read_result(call, reply, exchange)

    async def ping(self) -> Pong:
        """Fetch a token: the interface has no ping, and this shows connection and login."""
        tokens = TokenSource(self._profile, self._transport)
        url = self._profile.token_url or ""
        started_s = time.monotonic()
        await tokens.token()
        elapsed_ms = (time.monotonic() - started_s) * 1000
        return Pong("rest", url, "The token service accepted the login.", elapsed_ms)


def build_request(call: PackCall, profile: Profile, token: str) -> HttpRequest:
    """Return the request for a call. Raises NotOfferedError if the interface has none for it."""
    headers = standing_headers(profile, token, manual=call.manual)
    body = None
    if call.operation is not Operation.VERIFY:
        headers["Content-Type"] = "application/json"
        literal = STATE_LITERALS.get(call.operation.target_state or State.CHECKED_OUT)
        if literal is None:
            raise NotOfferedError("The REST interface offers no check-out to its users.")
        body = b'{"state":"%b"}' % literal.encode()
    return HttpRequest(
        method="GET" if body is None else "PATCH",
        url=profile.url.rstrip("/") + _resource(call.scan),
        headers=headers,
        body=body,
        changes_state=body is not None,
        secrets=(token.encode(),),
    )


def standing_headers(profile: Profile, token: str, *, manual: bool) -> dict[str, str]:
    """Return the headers of every request. `manual` says that the data were typed in."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Accept-Language": profile.locale,
        "User-Agent": profile.user_agent,
        "emvs-data-entry-mode": "manual" if manual else "non-manual",
    }
    if profile.api_version is not None:
        headers["emvs-api-version"] = profile.api_version
    return headers


def read_result(call: PackCall, reply: HttpReply, exchange: Exchange) -> Result:
    """Return what an answer says.

    Raises LoginRefusedError, SystemUnreachableError and ProtocolError for what is none.
    """
    if reply.status == 401:
        raise LoginRefusedError("The system refused a fresh token.", exchange=exchange)
    answer = _read_answer(call, reply, exchange)
    return make_result(
        call,
        answer,
        exchange,
        http_status=reply.status,
        wait_s=retry_after_s(reply.headers),
    )


def make_result(
    call: PackCall,
    answer: PackAnswer,
    exchange: Exchange,
    *,
    http_status: int,
    wait_s: float | None = None,
) -> Result:
    """Return what the object of an answer says. Raises ProtocolError if it contradicts itself."""
    judgement = rest_codes.judge(
        answer.operation_code,
        call.operation,
        http_status=http_status,
        state_text=answer.state,
        warned=answer.warning is not None,
    )
    if judgement is None:
        raise ProtocolError(
            f"The answer contradicts itself: HTTP {http_status}, operation code"
            f" {answer.operation_code!r}, state {answer.state!r}.",
            exchange=exchange,
            may_have_acted=call.operation is not Operation.VERIFY,
        )
    alert_code = answer.alert_code
    return Result(
        operation=call.operation,
        category=judgement.category,
        return_code=answer.operation_code,
        text=answer.warning or answer.information or "",
        scan=call.scan,
        advice=advise(
            call.operation,
            judgement.category,
            state=judgement.state,
            alert=bool(answer.alert_id),
            here=judgement.here,
        ),
        exchange=exchange,
        state=judgement.state,
        state_text=answer.state or None,
        reasons=tuple(filter(None, (answer.batch_recall_reason, answer.product_withdrawal_reason))),
        alert_id=answer.alert_id or None,
        alert_code=alert_code.removeprefix("#") if alert_code else None,
        alert_link=answer.ams_link or None,
        intermarket=bool(answer.is_intermarket),
        product_name=answer.product_name or None,
        undo_until=_read_time(answer.can_reactivate_until),
        retry_after_s=wait_s,
    )


def _read_answer(call: PackCall, reply: HttpReply, exchange: Exchange) -> PackAnswer:
    try:
        return _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        changes = call.operation is not Operation.VERIFY
        if reply.status in BUSY_STATUSES:
            raise SystemUnreachableError(
                f"The system is not available: HTTP {reply.status} without an answer.",
                exchange=exchange,
                # A gateway (502, 504) may have passed the request on; 429 and 503 refuse it.
                may_have_acted=changes and reply.status in (502, 504),
                retry_after_s=retry_after_s(reply.headers),
            ) from error
        raise ProtocolError(
            f"HTTP {reply.status}, and the body is no answer of this interface: {error}.",
            exchange=exchange,
            may_have_acted=changes,
        ) from error


def _read_time(text: str | None) -> datetime | None:
    """Return a time of the answer; None for anything else: it is no reason to lose the answer."""
    try:
        return msgspec.convert(text, datetime) if text else None
    except msgspec.ValidationError:
        return None


def _resource(scan: Scan) -> str:
    """Return path and query. Every part is encoded completely: a serial may hold `/`, `+`, `&`."""
    path = "/".join(
        (
            "",
            "product",
            SCHEMES[scan.scheme],
            _encode_segment(scan.product_code),
            "pack",
            _encode_segment(scan.serial_number),
        )
    )
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (("batch", scan.batch_id), ("expiry", scan.expiry))
        if value  # Absent rather than empty.
    )
    return f"{path}?{query}" if query else path


def _encode_segment(value: str) -> str:
    # `.` and `..` would be path steps to whatever stands between (RFC 3986, section 5.2.4).
    return value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")
