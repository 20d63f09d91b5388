"""The SOAP dialect: a pack call to a request, the reply to a result. No connection enters.

Messages of the interface of the SOAP-built national systems, versions 4 and 5, which differ in
their namespaces only. The meaning of return codes is in soap_codes.py, reading is in soap_reply.py.
"""

from __future__ import annotations

import time
from html import escape
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from emvs.states import Operation
from pharmacy_client import soap_codes
from pharmacy_client.advice import advise
from pharmacy_client.errors import (
    LoginRefusedError,
    NotOfferedError,
    ProtocolError,
    ScanRefusedError,
)
from pharmacy_client.exchange import HttpRequest, Transport, record_exchange
from pharmacy_client.profile import Profile
from pharmacy_client.results import PackCall, Pong, Result
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

_SERVICE_PATH: Final = {
    "4.0": "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV40",
    "5.0": "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50",
}
_ENVELOPE: Final = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:w="urn:wsdltypes.nmvs.eu:v{version}" xmlns:t="urn:types.nmvs.eu:v{version}">'
    "<s:Header/><s:Body><w:{message}Request>{content}</w:{message}Request></s:Body></s:Envelope>"
)
_CONTENT: Final = (
    "<t:Header><t:Auth><t:ClientLoginId>{client_login_id}</t:ClientLoginId>"
    "<t:UserId>{user_id}</t:UserId><t:Password>{password}</t:Password>{sub_user}</t:Auth>"
    '<t:UserSoftware t:name="{name}" t:supplier="{supplier}" t:version="{software_version}"/>'
    "<t:Transaction><t:ClientTrxId>{transaction_id}</t:ClientTrxId>"
    "<t:Language>{language}</t:Language></t:Transaction></t:Header>"
    '<t:Body><t:Product><t:ProductCode t:scheme="{scheme}">{product_code}</t:ProductCode>{batch}'
    '</t:Product><t:Pack t:sn="{serial}"/>{reference}</t:Body>'
)


class SoapDialect:
    """Speaks SOAP over a transport."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._transport = transport

    async def perform(self, call: PackCall) -> Result:
        """Return what the national system answers."""
        transaction_id = uuid4().hex  # 32 characters, the most that the interface takes.
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
        word = uuid4().hex
        request = _request(
            self._profile,
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
    request = _request(
        profile,
        message=message,
        action=action,
        content=_pack_content(call, profile, transaction_id, with_batch=not is_typed),
        changes_state=call.operation is not Operation.VERIFY,
    )
    return message, request


def make_result(call: PackCall, reply: PackReply, transaction_id: str) -> Result:
    """Return what a reply says. Raises LoginRefusedError if it is about the login."""
    code = reply.return_code
    if soap_codes.is_login_refusal(code):
        raise LoginRefusedError(
            f"The system refused the login: {code}, {reply.text}",
            return_code=code,
            exchange=reply.exchange,
        )
    state = state_of(reply)
    category = soap_codes.judge(code, call.operation, state)
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


def _pack_content(
    call: PackCall, profile: Profile, transaction_id: str, *, with_batch: bool
) -> str:
    scan = call.scan
    batch = ""
    if with_batch and (scan.batch_id or scan.expiry):
        # A part that the pack lacks is left out: the system has to say what is wrong with it.
        batch_id = f"<t:Id>{_text(scan.batch_id)}</t:Id>" if scan.batch_id else ""
        expiry = f"<t:ExpDate>{_text(scan.expiry)}</t:ExpDate>" if scan.expiry else ""
        batch = f"<t:Batch>{batch_id}{expiry}</t:Batch>"
    sub_user = profile.sub_user_id
    reference = call.reference
    return _CONTENT.format(
        client_login_id=_text(profile.client_login_id or ""),
        user_id=_text(profile.user_id or ""),
        password=_text(profile.password or ""),
        sub_user=f"<t:SubUserId>{_text(sub_user)}</t:SubUserId>" if sub_user else "",
        name=_text(profile.software_name),
        supplier=_text(profile.software_supplier),
        software_version=_text(profile.software_version),
        transaction_id=transaction_id,
        language=_text(profile.language),
        scheme=scan.scheme.value,
        product_code=_text(scan.product_code),
        batch=batch,
        serial=_text(scan.serial_number),
        reference=f"<t:RefClientTrxId>{_text(reference)}</t:RefClientTrxId>" if reference else "",
    )


def _request(
    profile: Profile, *, message: str, action: str, content: str, changes_state: bool = False
) -> HttpRequest:
    body = _ENVELOPE.format(version=profile.soap_version, message=message, content=content)
    return HttpRequest(
        method="POST",
        url=_service_url(profile),
        headers={
            "Content-Type": f'application/soap+xml; charset=utf-8; action="urn:{action}"',
            "Accept": "application/soap+xml, text/xml",
            "User-Agent": profile.user_agent,
        },
        body=body.encode(),
        changes_state=changes_state,
        secrets=(_text(profile.password or "").encode(),),
    )


def _service_url(profile: Profile) -> str:
    """Return the address of the single-pack service; a profile may give all of it or its host."""
    if urlsplit(profile.url).path.strip("/"):
        return profile.url
    return profile.url.rstrip("/") + _SERVICE_PATH[profile.soap_version]


def _text(value: str) -> str:
    """Return text for an element or a double-quoted attribute.

    XML cannot hold control characters at all, not even escaped (XML 1.0, section 2.2).
    """
    if not all(character >= " " and character not in "\ufffe\uffff" for character in value):
        raise ScanRefusedError(
            f"{value!r} holds a character that this interface cannot transport.",
            "Scan the pack again.",
        )
    return escape(value)
