"""Mixed bulks of the SOAP dialect: G195 hands in, G196 fetches, G101 lists what is open.

Any operations on any packs. Element names of typed undos and the number of G101 are inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lxml import etree

from emvs.states import Operation
from pharmacy_client.bulk import (
    BulkItem,
    NotReady,
)
from pharmacy_client.errors import (
    BulkRefusedError,
    NotOfferedError,
    ProtocolError,
)
from pharmacy_client.exchange import Exchange, Transport
from pharmacy_client.profile import Profile
from pharmacy_client.results import PackCall, Result
from pharmacy_client.soap import make_result
from pharmacy_client.soap_call import SoapAnswer, SoapCaller
from pharmacy_client.soap_envelope import (
    product_and_pack,
    text,
)
from pharmacy_client.soap_reply import MessageReader, PackReply, read_pack

# Operation: number of its messages; the last digit is 0 for a scan, 1 for its undo, 2 for typed
# data, 3 for the undo of those. Destroy and stolen cannot be undone since version 4.
_NUMBERS: Final = {
    Operation.VERIFY: 11,
    Operation.SUPPLY: 12,
    Operation.DESTROY: 13,
    Operation.EXPORT: 14,
    Operation.SAMPLE: 15,
    Operation.FREE_SAMPLE: 16,
    Operation.LOCK: 17,
    Operation.STOLEN: 18,
}
_NO_UNDO: Final = (Operation.UNDO_DESTROY, Operation.UNDO_STOLEN)
_NO_TYPED: Final = (Operation.FREE_SAMPLE, Operation.UNDO_FREE_SAMPLE)
_BRANCHES: Final = ("Item", "ItemUndo", "ItemMan", "ItemManUndo")
_NOT_READY: Final = "FE_TX_02"
SUCCESS: Final = "SUCCESS"


class SoapBulk:
    """Speaks mixed bulk over a transport."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._caller = SoapCaller(profile, transport)

    async def submit(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Hand in. See BulkSpeaker."""
        content = "".join(_item(item, self._profile) for item in items)
        return await hand_in(
            self._caller,
            "G195SubmitBulkTransaction",
            f"<t:TrxList>{content}</t:TrxList>",
            service="mixed",
            submission_id=submission_id,
        )

    async def fetch(self, ticket: str, items: Sequence[BulkItem]) -> list[Result] | NotReady:
        """Fetch. See BulkSpeaker. A bulk that is lost looks like a slow one in this interface."""
        action = "G196RequestBulkTransactionResult"
        answer = await fetched(self._caller, action, ticket, service="mixed")
        if answer is None:
            return NotReady(None)
        if answer.bare_code != SUCCESS:
            raise answer.refusal(BulkRefusedError)
        return self._results(answer.reader, answer.body, items, answer.exchange)

    async def find(self, submission_id: str) -> str | None:
        """Look among the bulks that nobody has fetched. See BulkSpeaker."""
        try:
            answer = await self._caller.ask("G101RequestBulkIds", "", service="bulk", is_bulk=True)
        except ProtocolError as error:
            # The number of this message is inferred: a system may not know it.
            raise NotOfferedError(
                "The system does not list the bulks that it has taken.", exchange=error.exchange
            ) from error
        if answer.bare_code != SUCCESS:
            raise answer.refusal(BulkRefusedError)
        types = answer.reader.types
        for entry in answer.body.iterfind(f".//{types}Transaction"):
            if entry.findtext(f"{types}ClientTrxId") == submission_id:
                return entry.findtext(f"{types}NMVSTrxId")
        return None

    def _results(
        self,
        reader: MessageReader,
        body: etree._Element,
        items: Sequence[BulkItem],
        exchange: Exchange,
    ) -> list[Result]:
        """Return the results by the items' own ids. Raises ProtocolError if one is missing."""
        types = reader.types
        replies: dict[str, PackReply] = {}
        for item in body.iterfind(f"{types}TrxList/{types}TrxItem"):
            item_id = item.findtext(f"{types}Transaction/{types}ClientTrxId")
            pack_code = item.find(f"{types}Pack/{types}ReturnCode")
            if item_id is not None and pack_code is not None:
                replies[item_id.strip()] = read_pack(reader, item, pack_code, exchange)
        missing = [item.item_id for item in items if item.item_id not in replies]
        if missing:
            raise reader.error(f"{len(missing)} of {len(items)} items have no result")
        return [
            make_result(item.call, replies[item.item_id], item.item_id, in_bulk=True)
            for item in items
        ]


def _item(item: BulkItem, profile: Profile) -> str:
    """Return the element of an item. Raises NotOfferedError or ScanRefusedError."""
    call = item.call
    is_typed = _is_typed(call)
    branch, request_type = _request_type(call.operation, is_typed=is_typed)
    reference = call.reference
    told = f"<t:RefClientTrxId>{text(reference)}</t:RefClientTrxId>" if reference else ""
    return (
        f'<t:TrxItem><t:{branch} t:reqType="{request_type}">'
        f"{product_and_pack(call.scan, with_batch=not is_typed)}"
        f"<t:Transaction><t:ClientTrxId>{text(item.item_id)}</t:ClientTrxId>"
        f"<t:Language>{text(profile.language)}</t:Language>{told}</t:Transaction>"
        f"</t:{branch}></t:TrxItem>"
    )


def _is_typed(call: PackCall) -> bool:
    # Where there is no item for typed data, the one for scans does if the data are complete.
    has_batch = bool(call.scan.batch_id and call.scan.expiry)
    return call.manual and not (call.operation in _NO_TYPED and has_batch)


def _request_type(operation: Operation, *, is_typed: bool) -> tuple[str, str]:
    base = Operation(operation - 10) if operation.is_undo else operation
    number = _NUMBERS.get(base)
    if number is None or operation in _NO_UNDO or (is_typed and operation in _NO_TYPED):
        what = operation.name.lower().replace("_", " ")
        way = " of typed data" if is_typed else ""
        raise NotOfferedError(f"The mixed bulk of the SOAP interface offers no {what}{way}.")
    variant = int(operation.is_undo) + 2 * int(is_typed)
    return _BRANCHES[variant], f"G{number}{variant}"


async def hand_in(
    caller: SoapCaller, action: str, content: str, *, service: str, submission_id: str
) -> str:
    """Hand a bulk in and return its ticket. Raises the errors of BulkWay.submit."""
    answer = await caller.ask(
        action,
        f"<t:Body>{content}</t:Body>",
        service=service,
        transaction_id=submission_id,
        changes=True,
        is_bulk=True,
    )
    if answer.bare_code != SUCCESS:
        raise answer.refusal(BulkRefusedError)
    ticket = answer.reader.transaction_id()
    if ticket is None:
        raise answer.reader.error("there is no NMVSTrxId")
    return ticket


async def fetched(
    caller: SoapCaller, action: str, ticket: str, *, service: str
) -> SoapAnswer | None:
    """Return the answer about the results of a bulk; None if they are not ready."""
    body = f"<t:Body><t:RefNMVSTrxId>{text(ticket)}</t:RefNMVSTrxId></t:Body>"
    answer = await caller.ask(action, body, service=service, is_bulk=True)
    return None if answer.bare_code == _NOT_READY else answer
