"""Replies as bytes, put together from text: prefixes and order as deployed clients look for them.

`soap` is the envelope, `ns1` the types, `ns2` the outermost element; attributes are qualified too.
PHP clients look attributes up as `ns1:sn`, Python clients use the literal prefixes as keys, so
these are a part of the interface. What the request schema bounds to letters, digits and hyphens
goes out as it came in; everything else is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import Final, Protocol

from emvs.expiry import last_day
from emvs.states import State
from nmvs.requests import Answer
from nmvs.soap.catalogue import VERSIONS, Endpoint, Version
from nmvs.soap.codes import PREFIX, choose_return_code
from nmvs.soap.messages import Frame, PackCall, PingCall, Refusal

_OPENING: Final = {
    version.number: (
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
        f' xmlns:ns2="{version.elements_namespace}" xmlns:ns1="{version.types_namespace}">'
        "<soap:Header/><soap:Body>"
    )
    for version in VERSIONS.values()
}
_CLOSING: Final = "</soap:Body></soap:Envelope>"

REASONS: Final = {
    State.SUPPLIED: "SUPPLIED",  # There is no DISPENSED.
    State.DESTROYED: "DESTROYED",
    State.LOCKED: "LOCKED",
    State.EXPORTED: "EXPORTED",
    State.SAMPLE: "SAMPLE",
    State.STOLEN: "STOLEN",
    State.FREE_SAMPLE: "FREESAMPLE",
    State.CHECKED_OUT: "CHECKED_OUT",
    State.RECALLED: "RECALLED",
    State.EXPIRED: "EXPIRED",
    State.WITHDRAWN: "WITHDRAWN",
}

_needs_escape: Final = re.compile("[&<>\"'\t\r\n]").search
_ESCAPES: Final = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#39;",
        "\t": "&#9;",
        "\r": "&#13;",
        "\n": "&#10;",
    }
)


def escape(text: str) -> str:
    """Return `text` for an attribute in any quotes, or for an element."""
    return text.translate(_ESCAPES) if _needs_escape(text) else text


def render_answer(
    call: PackCall, answer: Answer, verify_codes: Mapping[State, str], notifications: str = ""
) -> bytes:
    """Return the reply to a request about one pack. `notifications`: XML that belongs behind the
    header's transaction."""
    endpoint = call.endpoint
    return_code = choose_return_code(endpoint, answer, verify_codes)
    pack = _pack(call, answer) if return_code.shows_pack else ""
    alert = ""
    if answer.alert is not None and endpoint.version.has_alert_ids:
        alert = f' ns1:alertId="{answer.alert.alert_id}"'
    return render_reply(
        endpoint,
        call.frame,
        answer.transaction_id,
        answer.at_ms,
        content=f'{pack}<ns1:ReturnCode ns1:code="{return_code.code}"'
        f' ns1:desc="{return_code.description}"{alert}/>',
        notifications=notifications,
    )


def render_reply(
    endpoint: Endpoint,
    frame: Frame,
    transaction_id: str,
    at_ms: int,
    *,
    content: str,
    notifications: str,
    req_type: str = "",
) -> bytes:
    """Return a reply whose Body has this content: XML, as are the notifications. `req_type` is
    that of the bulk whose result it is."""
    name, body = endpoint.response_name, endpoint.body_name
    client_login_id, user_id, sub_user_id, client_transaction_id, language = frame
    sub_user = (
        "" if sub_user_id is None else f"<ns1:SubUserId>{escape(sub_user_id)}</ns1:SubUserId>"
    )
    asked = req_type and f"<ns1:ReqType>{req_type}</ns1:ReqType>"
    return (
        f"{_OPENING[endpoint.version.number]}<ns2:{name}><ns1:Header><ns1:Auth>"
        f"<ns1:ClientLoginId>{client_login_id}</ns1:ClientLoginId>"
        f"<ns1:UserId>{user_id}</ns1:UserId>{sub_user}</ns1:Auth><ns1:Transaction>"
        f"<ns1:Language>{language}</ns1:Language>"
        f"<ns1:ClientTrxId>{client_transaction_id}</ns1:ClientTrxId>"
        f"<ns1:NMVSTrxId>{transaction_id}</ns1:NMVSTrxId>"
        f"<ns1:Timestamp>{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z</ns1:Timestamp>{asked}"
        f"</ns1:Transaction>{notifications}</ns1:Header><ns1:{body}>{content}</ns1:{body}></ns2:{name}>"
        f"{_CLOSING}"
    ).encode()


def render_around(
    endpoint: Endpoint,
    frame: Frame,
    transaction_id: str,
    at_ms: int,
    *,
    notifications: str,
    req_type: str = "",
) -> tuple[bytes, bytes]:
    """Return what stands before and behind the content of a reply's Body."""
    gap = "\0"  # No XML has it.
    whole = render_reply(
        endpoint,
        frame,
        transaction_id,
        at_ms,
        content=gap,
        notifications=notifications,
        req_type=req_type,
    )
    head, _, tail = whole.partition(gap.encode())
    return head, tail


def render_time(at_ms: int) -> str:
    """Return an instant, given in milliseconds since 1970, in UTC."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(at_s: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at_s))


class Asked(Protocol):
    """What was asked about a pack."""

    @property
    def scheme(self) -> str:
        """Of the product code."""

    @property
    def product_code(self) -> str:
        """As it was sent."""

    @property
    def batch_id(self) -> str | None:
        """None if it was typed in by hand."""

    @property
    def expiry(self) -> str | None:
        """YYMMDD."""


def _pack(call: PackCall, answer: Answer) -> str:
    """Product and pack as asked, with what is stored about them."""
    state, reasons = render_state(answer)
    pack = f'<ns1:Pack ns1:sn="{escape(call.serial_number)}" ns1:state="{state}"'
    pack += f">{reasons}</ns1:Pack>" if reasons else "/>"
    return f"{render_product(call, answer, call.endpoint.version)}{pack}"


def render_product(asked: Asked, answer: Answer | None, version: Version) -> str:
    """Return the product as asked, with what is stored about it and `version` can tell."""
    nhrn, flag = "", "false"
    if answer is not None:
        product = answer.product
        national_code = product.national_code if product is not None else None
        if national_code and version.can_tell_number(national_code):
            nhrn = f"<ns1:NHRN>{escape(national_code)}</ns1:NHRN>"
        flag = "true" if answer.intermarket else "false"
    return (
        f'<ns1:Product><ns1:ProductCode ns1:scheme="{asked.scheme}">{asked.product_code}'
        f"</ns1:ProductCode><ns1:IntermarketFlag>{flag}</ns1:IntermarketFlag>{nhrn}"
        f"{_batch(asked, answer)}</ns1:Product>"
    )


def _batch(asked: Asked, answer: Answer | None) -> str:
    batch = answer.batch if answer is not None else None
    stored = batch.facts if batch is not None else None
    batch_id = asked.batch_id or (stored.batch_id if stored is not None else None)
    if batch_id is None:
        return ""
    expiry = f"<ns1:ExpDate>{asked.expiry}</ns1:ExpDate>" if asked.expiry else ""
    known = f"<ns1:ExpDateNMVS>{_date(stored.expiry)}</ns1:ExpDateNMVS>" if stored else ""
    return f"<ns1:Batch><ns1:Id>{escape(batch_id)}</ns1:Id>{expiry}{known}</ns1:Batch>"


@lru_cache(maxsize=4096)
def _date(expiry: str) -> str:
    return last_day(expiry).isoformat()


def render_state(answer: Answer) -> tuple[str, str]:
    """Return the state and its reasons, the pack's own before those of batch and product."""
    own, effective = answer.state, answer.effective
    if effective is None:
        return "UNKNOWN", ""
    if effective is State.ACTIVE:
        return "ACTIVE", ""
    reasons = f"<ns1:Reason>{REASONS[effective]}</ns1:Reason>"
    if own is not None and own is not effective and own is not State.ACTIVE:
        reasons = f"<ns1:Reason>{REASONS[own]}</ns1:Reason>{reasons}"
    return "INACTIVE", reasons


def render_ping(call: PingCall) -> bytes:
    """Return the reply to a ping: what it sent."""
    name = call.endpoint.response_name
    return (
        f"{_OPENING[call.endpoint.version.number]}<ns2:{name}><ns1:Output>{escape(call.text)}"
        f"</ns1:Output></ns2:{name}>{_CLOSING}"
    ).encode()


def render_return_code(code: str, description: str) -> str:
    """Return a ReturnCode element; `code` without the common prefix."""
    return f'<ns1:ReturnCode ns1:code="{PREFIX}{code}" ns1:desc="{escape(description)}"/>'


def render_refusal(refusal: Refusal, transaction_id: str, at_ms: int) -> bytes:
    """Return the reply to a message that is no request.

    Where the operation is known the reply has its usual shape without product and pack. Otherwise
    it is a SOAP Fault with the return code as its detail, under HTTP 200 like all others (our
    choice: nothing public tells of faults).
    """
    return_code = render_return_code(refusal.code, refusal.description)
    if refusal.endpoint is not None:
        return render_reply(
            refusal.endpoint,
            refusal.frame,
            transaction_id,
            at_ms,
            content=return_code,
            notifications=refusal.notifications,
        )
    return _fault(refusal.version, refusal, return_code)


def _fault(version: Version, refusal: Refusal, return_code: str) -> bytes:
    side = "Sender" if refusal.sender_at_fault else "Receiver"
    return (
        f"{_OPENING[version.number]}<soap:Fault><soap:Code><soap:Value>soap:{side}</soap:Value>"
        f'</soap:Code><soap:Reason><soap:Text xml:lang="en">{PREFIX}{refusal.code}: '
        f"{escape(refusal.description)}</soap:Text></soap:Reason><soap:Detail>{return_code}"
        f"</soap:Detail></soap:Fault>{_CLOSING}"
    ).encode()
