"""The SOAP dialect: a pack call to a request, the reply to a result. No connection enters.

Messages of the interface of the SOAP-built national systems, versions 4 and 5, which differ in
their namespaces only. The meaning of return codes is in soap_codes.py, reading is in soap_reply.py.
"""

from __future__ import annotations

import time
from typing import Final

from emvs.states import Operation
from pharmacy_client import soap_codes
from pharmacy_client.advice import advise
from pharmacy_client.errors import LoginRefusedError, NotOfferedError, ProtocolError
from pharmacy_client.exchange import HttpRequest, Transport, record_exchange
from pharmacy_client.profile import Profile
from pharmacy_client.results import Category, PackCall, Pong, Result
from pharmacy_client.soap_envelope import (
    header,
    new_transaction_id,
    product_and_pack,
    soap_request,
    text,
)
from pharmacy_client.soap_reply import PackReply, read_pack_reply, read_ping_reply, state_of

# Operation: message for a scanned pack, message for one typed in by hand; `-` if there is none.
# The numbers of the undo messages of destroy and stolen ended with version 2.
_TABLE: Final = """
VERIFY           G110Verify         G112Verify
SUPPLY           G120Dispense       G122DispenseManualEntry
UNDO_SUPPLY      G121UndoDispense   G123UndoDispenseManualEntry
DESTROY          G130Destroy        -
EXPORT           G140Export         -
UNDO_EXPORT      G141UndoExport     -
SAMPLE           G150Sample         -
UNDO_SAMPLE      G151UndoSample     -
FREE_SAMPLE      G160FreeSample     -
UNDO_FREE_SAMPLE G161UndoFreeSample -
LOCK             G170Lock           -
UNDO_LOCK        G171UndoLock       -
STOLEN           G180Stolen         G182StolenManualEntry
"""
_ACTIONS: Final = {
    Operation[line.split()[0]]: tuple(line.split()[1:]) for line in _TABLE.strip().splitlines()
}
_MESSAGE_LENGTH: Final = 4  # G120Dispense is the action of message G120.


class SoapDialect:
    """Speaks SOAP over a transport."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._transport = transport

    async def perform(self, call: PackCall) -> Result:
        """Return what the national system answers."""
        transaction_id = call.transaction_id or new_transaction_id()
        message, request = build_request(call, self._profile, transaction_id)
        reply = await self._transport.send(request)
        exchange = record_exchange(request, reply)
        answer = read_pack_reply(
            reply,
            exchange,
            message=message,
            transaction_id=transaction_id,
            may_have_acted=request.changes_state,
        )
        return make_result(call, answer, transaction_id)

    async def ping(self) -> Pong:
        """Send the service's own ping. It does not look at the login."""
        word = new_transaction_id()
        request = soap_request(
            self._profile,
            service="single",
            message="SinglePackPing",
            action="PingSinglePack",
            content=f"<t:Input>{word}</t:Input>",
        )
        started_s = time.monotonic()
        reply = await self._transport.send(request)
        elapsed_ms = (time.monotonic() - started_s) * 1000
        read_ping_reply(reply, record_exchange(request, reply), word=word)
        return Pong("soap", request.url, "The service answered its ping.", elapsed_ms)


def build_request(call: PackCall, profile: Profile, transaction_id: str) -> tuple[str, HttpRequest]:
    """Return the name of the message for a call, and the request.

    Raises NotOfferedError if the interface has none, ScanRefusedError if XML cannot hold the data.
    """
    scanned, typed = _ACTIONS.get(call.operation, ("-", "-"))
    has_batch = bool(call.scan.batch_id and call.scan.expiry)
    # Where there is no message for typed data, the one for scans does if the data are complete.
    is_typed = call.manual and (typed != "-" or not has_batch)
    action = typed if is_typed else scanned
    if action == "-":
        what = call.operation.name.lower().replace("_", " ")
        way = " with only product code and serial number typed in" if scanned != "-" else ""
        raise NotOfferedError(f"The SOAP interface offers no {what}{way}.")
    message = action[:_MESSAGE_LENGTH]
    pack = product_and_pack(call.scan, with_batch=not is_typed)
    reference = call.reference
    if reference:
        pack += f"<t:RefClientTrxId>{text(reference)}</t:RefClientTrxId>"
    request = soap_request(
        profile,
        service="single",
        message=message,
        action=action,
        content=f"{header(profile, transaction_id)}<t:Body>{pack}</t:Body>",
        changes_state=call.operation is not Operation.VERIFY,
    )
    return message, request


def make_result(
    call: PackCall, reply: PackReply, transaction_id: str, *, in_bulk: bool = False
) -> Result:
    """Return what a reply says. Raises LoginRefusedError if it is about the login.

    In a bulk no item's code is about the login, or contradicts the state: it is what it is.
    """
    code = reply.return_code
    if soap_codes.is_login_refusal(code) and not in_bulk:
        raise LoginRefusedError(
            f"The system refused the login: {code}, {reply.text}",
            return_code=code,
            exchange=reply.exchange,
        )
    state = state_of(reply)
    category = soap_codes.judge(code, call.operation, state)
    if category is None and in_bulk:
        category = Category.REFUSED
    if category is None:
        raise ProtocolError(
            f"The answer contradicts itself: {code} with state {reply.state_text!r} and reasons"
            f" {', '.join(reply.reasons) or 'none'}.",
            exchange=reply.exchange,
            may_have_acted=call.operation is not Operation.VERIFY,
        )
    return Result(
        operation=call.operation,
        category=category,
        return_code=code,
        text=reply.text,
        scan=call.scan,
        advice=advise(call.operation, category, state=state, alert=reply.alert_id is not None),
        exchange=reply.exchange,
        state=state,
        state_text=reply.state_text,
        reasons=reply.reasons,
        alert_id=reply.alert_id,
        alert_code=(
            None
            if reply.alert_id is None
            else soap_codes.alert_code_of(code, call.operation, state)
        ),
        intermarket=reply.intermarket,
        transaction_id=reply.transaction_id,
        client_transaction_id=transaction_id,
        notifications=reply.notifications,
    )
