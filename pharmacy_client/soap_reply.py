"""Reading replies of the SOAP-built national systems: bytes to facts, or a ProtocolError.

Elements and attributes are found by namespace, whatever prefix they have. A reply comes from the
network: no entity is resolved, no DOCTYPE accepted. What the facts mean is decided elsewhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from emvs.states import INACTIVE_BY_BATCH_OR_PRODUCT, State
from pharmacy_client.errors import LoginRefusedError, ProtocolError, SystemUnreachableError
from pharmacy_client.exchange import Exchange, HttpReply, retry_after_s
from pharmacy_client.tokens import BUSY_STATUSES

_SAID_BYTES_MAX: Final = 200
_SOAP: Final = "{http://www.w3.org/2003/05/soap-envelope}"
_MESSAGES: Final = "urn:wsdltypes.nmvs.eu:v"
_TYPES: Final = "urn:types.nmvs.eu:v"
_REASONS_MAX: Final = 20  # Of the published schema.
_NOTIFICATIONS_MAX: Final = 100
_TEXT_LENGTH_MAX: Final = 1000

_PACK_REASONS: Final = {state.name.replace("_", ""): state for state in State} | {
    "CHECKED_OUT": State.CHECKED_OUT
}


class PackReply(NamedTuple):
    """What a reply to a single-pack message says, in its own words."""

    return_code: str
    text: str
    exchange: Exchange
    state_text: str | None = None
    reasons: tuple[str, ...] = ()
    alert_id: str | None = None
    intermarket: bool = False
    transaction_id: str | None = None
    notifications: tuple[str, ...] = ()


def state_of(reply: PackReply) -> State | None:
    """Return the effective state: the product's goes before the batch's before the pack's."""
    if reply.state_text == "ACTIVE":
        return State.ACTIVE
    if reply.state_text != "INACTIVE":
        return None
    states = [_PACK_REASONS[reason] for reason in reply.reasons if reason in _PACK_REASONS]
    for state in INACTIVE_BY_BATCH_OR_PRODUCT:
        if state in states:
            return state
    return next((state for state in states if state is not State.ACTIVE), None)


def read_pack_reply(
    reply: HttpReply,
    exchange: Exchange,
    *,
    message: str,
    transaction_id: str,
    may_have_acted: bool,
) -> PackReply:
    """Return what the reply to `message` says.

    Raises ProtocolError for anything that is no such reply, among them one to another call;
    LoginRefusedError and SystemUnreachableError where the HTTP status says so instead.
    """
    reader = MessageReader(reply, exchange, may_have_acted=may_have_acted)
    body = reader.read(f"{message}Response", transaction_id)
    code = body.find(f"{reader.types}ReturnCode")
    if code is None or not reader.attribute(code, "code"):
        raise reader.error("there is no ReturnCode")
    return read_pack(reader, body, code, exchange)


def read_pack(
    reader: MessageReader,
    holder: etree._Element,
    code: etree._Element,
    exchange: Exchange,
    *,
    pack: etree._Element | None = None,
) -> PackReply:
    """Return what `holder`, the body of a reply or an item of one, says about its pack.

    `pack` says which of several packs.
    """
    types = reader.types
    pack = holder.find(f"{types}Pack") if pack is None else pack
    flag = holder.findtext(f"{types}Product/{types}IntermarketFlag")
    reasons = [] if pack is None else pack.findall(f"{types}Reason")[:_REASONS_MAX]
    own_id = holder.findtext(f"{types}Transaction/{types}NMVSTrxId")
    return PackReply(
        return_code=reader.attribute(code, "code") or "",
        text=reader.attribute(code, "desc") or "",
        exchange=exchange,
        state_text=None if pack is None else reader.attribute(pack, "state"),
        reasons=tuple(reason.text.strip() for reason in reasons if reason.text),
        alert_id=reader.attribute(code, "alertId"),
        intermarket=flag is not None and flag.strip() in ("true", "1"),
        transaction_id=own_id or reader.transaction_id(),
        notifications=reader.notifications(),
    )


def read_ping_reply(reply: HttpReply, exchange: Exchange, *, word: str) -> None:
    """Check that the reply to a ping returns its word. Raises ProtocolError."""
    reader = MessageReader(reply, exchange, may_have_acted=False)
    output = reader.content("SinglePackPingResponse").findtext(f"{reader.types}Output")
    if output is None or output.strip() != word:
        raise reader.error("the ping did not return what was sent")


class MessageReader:
    """One reply being read; `types` is the namespace of its inner elements, in braces."""

    def __init__(self, reply: HttpReply, exchange: Exchange, *, may_have_acted: bool) -> None:
        self._reply = reply
        self._exchange = exchange
        self._may_have_acted = may_have_acted
        self._content: etree._Element | None = None
        self.types = ""

    def read(self, name: str, transaction_id: str) -> etree._Element:
        """Return the Body of the message, which has to be of this name and answer this transaction.

        Raises the errors of `read_pack_reply`.
        """
        self._content = content = self.content(name)
        # A reply that was meant for somebody else must never decide about this pack.
        echoed = content.findtext(
            f"{self.types}Header/{self.types}Transaction/{self.types}ClientTrxId"
        )
        if echoed is not None and echoed.strip() != transaction_id:
            raise self.error("the reply belongs to another transaction")
        body = content.find(f"{self.types}Body")
        if body is None:
            raise self.error("there is no ReturnCode")
        return body

    def return_code(self) -> tuple[str, str]:
        """Return the code of the whole and its text. Raises ProtocolError if there is none."""
        found = (
            None
            if self._content is None
            else self._content.find(f"{self.types}Body/{self.types}ReturnCode")
        )
        code = None if found is None else self.attribute(found, "code")
        if found is None or code is None:
            raise self.error("there is no ReturnCode")
        return code, self.attribute(found, "desc") or ""

    def transaction_id(self) -> str | None:
        """Return the national system's id of the transaction, if it tells one."""
        if self._content is None:
            return None
        return self._content.findtext(
            f"{self.types}Header/{self.types}Transaction/{self.types}NMVSTrxId"
        )

    def notifications(self) -> tuple[str, ...]:
        """Return the notes in the header, each its code and its words."""
        if self._content is None:
            return ()
        notes = self._content.findall(f"{self.types}Header/{self.types}Notification")
        names = ("notificationCode", "notificationDesc")
        return tuple(
            " ".join(filter(None, (self.attribute(note, name) for name in names)))
            for note in notes[:_NOTIFICATIONS_MAX]
        )

    def content(self, name: str) -> etree._Element:
        """Return the outermost element of the message, which has to be of this name."""
        try:
            root = etree.fromstring(self._reply.body, _new_parser())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise self._not_xml(error) from error
        if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
            raise self.error("it has a DOCTYPE")
        body = root.find(f"{_SOAP}Body") if root.tag == f"{_SOAP}Envelope" else None
        if body is None or len(body) == 0:
            raise self._not_xml(None)
        tag = etree.QName(body[0])
        if tag.localname == "Fault":
            reason = " ".join("".join(body[0].itertext()).split())[:_TEXT_LENGTH_MAX]
            raise self.error(f"it is a SOAP fault: {reason}")
        namespace = tag.namespace or ""
        if tag.localname != name or not namespace.startswith(_MESSAGES):
            raise self.error(f"it holds {tag.text}, not {name}")
        self.types = f"{{{_TYPES}{namespace.removeprefix(_MESSAGES)}}}"
        return body[0]

    def attribute(self, element: etree._Element, name: str) -> str | None:
        """Return an attribute; None if absent or empty. They are qualified in this interface."""
        value = element.get(self.types + name) or element.get(name)
        return value.strip() or None if value is not None else None

    def error(self, why: str) -> ProtocolError:
        """Return the error that says why this is no reply."""
        return ProtocolError(
            f"HTTP {self._reply.status}, and the body is no reply of this interface: {why}.",
            exchange=self._exchange,
            may_have_acted=self._may_have_acted,
        )

    def _not_xml(
        self, error: Exception | None
    ) -> ProtocolError | LoginRefusedError | SystemUnreachableError:
        """Return the error for a body that is no envelope: the HTTP status may tell more."""
        status = self._reply.status
        if status == 403:
            # What users see without a valid client certificate, says the Dutch organisation.
            return LoginRefusedError(
                "The system refused the connection with HTTP 403: is the client certificate"
                f" missing or expired?{_said(self._reply)}",
                exchange=self._exchange,
            )
        if status in BUSY_STATUSES:
            return SystemUnreachableError(
                f"The system is not available: HTTP {status} without an answer.",
                exchange=self._exchange,
                # A gateway (502, 504) may have passed the request on; 429 and 503 refuse it.
                may_have_acted=self._may_have_acted and status in (502, 504),
                retry_after_s=retry_after_s(self._reply.headers),
            )
        return self.error("it is not a SOAP 1.2 envelope" if error is None else str(error))


def _new_parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _said(reply: HttpReply) -> str:
    """Return what a refusal in plain text says, as one line that is safe to show."""
    if not reply.headers.get("content-type", "").startswith("text/plain"):
        return ""
    text = " ".join(reply.body[:_SAID_BYTES_MAX].decode("utf-8", "replace").split())
    shown = "".join(letter for letter in text if letter.isprintable())
    return f" It says: {shown}" if shown else ""
