"""Plain bulks of the SOAP dialect: one operation on packs of one batch; G188 fetches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emvs.states import Operation
from pharmacy_client.bulk import BulkItem, NotReady, is_uniform
from pharmacy_client.errors import BulkRefusedError, NotOfferedError
from pharmacy_client.exchange import Transport
from pharmacy_client.profile import Profile
from pharmacy_client.results import Category, PackCall, Result
from pharmacy_client.soap import make_result
from pharmacy_client.soap_bulk import SUCCESS, fetched, hand_in
from pharmacy_client.soap_call import SoapAnswer, SoapCaller
from pharmacy_client.soap_codes import category_of, is_login_refusal
from pharmacy_client.soap_envelope import product, text
from pharmacy_client.soap_reply import read_pack

# Destroy and stolen cannot be undone since version 4.
_ACTIONS: Final = {
    Operation.VERIFY: "G115BulkVerify",
    Operation.SUPPLY: "G125BulkDispense",
    Operation.UNDO_SUPPLY: "G127BulkUndoDispense",
    Operation.DESTROY: "G135BulkDestroy",
    Operation.EXPORT: "G145BulkExport",
    Operation.UNDO_EXPORT: "G147BulkUndoExport",
    Operation.SAMPLE: "G155BulkSample",
    Operation.UNDO_SAMPLE: "G157BulkUndoSample",
    Operation.FREE_SAMPLE: "G165BulkFreeSample",
    Operation.UNDO_FREE_SAMPLE: "G167BulkUndoFreeSample",
    Operation.LOCK: "G175BulkLocks",
    Operation.UNDO_LOCK: "G177BulkUndoLock",
    Operation.STOLEN: "G185BulkStolen",
}


class SoapUniformBulk:
    """Speaks plain bulk over a transport."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._caller = SoapCaller(profile, transport)

    async def submit(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Hand in. See BulkWay."""
        call = items[0].call
        action = _ACTIONS.get(call.operation)
        if action is None or not _is_one_batch(items):
            raise NotOfferedError(
                "A bulk of the SOAP interface has one operation on scanned packs of one batch,"
                " each once."
            )
        packs = "".join(f'<t:Pack t:sn="{text(item.call.scan.serial_number)}"/>' for item in items)
        reference = call.reference
        told = f"<t:RefClientTrxId>{text(reference)}</t:RefClientTrxId>" if reference else ""
        batch = product(call.scan, with_batch=True)
        return await hand_in(
            self._caller,
            action,
            f"{batch}<t:Packs>{packs}</t:Packs>{told}",
            service="bulk",
            submission_id=submission_id,
        )

    async def fetch(self, ticket: str, items: Sequence[BulkItem]) -> list[Result] | NotReady:
        """Fetch. See BulkWay. What is wrong with product or batch is said once, for all packs."""
        answer = await fetched(self._caller, "G188RequestBulkPackResult", ticket, service="bulk")
        if answer is None:
            return NotReady(None)
        types = answer.reader.types
        if answer.bare_code == SUCCESS or answer.body.find(f"{types}Packs") is not None:
            return _results(answer, items)
        if is_login_refusal(answer.code) or category_of(answer.code) is Category.UNAVAILABLE:
            raise answer.refusal(BulkRefusedError)
        whole = answer.body.find(f"{types}ReturnCode")
        assert whole is not None
        reply = read_pack(answer.reader, answer.body, whole, answer.exchange)
        return [make_result(item.call, reply, item.item_id, in_bulk=True) for item in items]


def _results(answer: SoapAnswer, items: Sequence[BulkItem]) -> list[Result]:
    """Return the results by serial number. Raises ProtocolError if one is missing."""
    reader, types = answer.reader, answer.reader.types
    replies = {}
    for pack in answer.body.iterfind(f"{types}Packs/{types}Pack"):
        code = pack.find(f"{types}ReturnCode")
        if code is not None:
            reply = read_pack(reader, answer.body, code, answer.exchange, pack=pack)
            replies[reader.attribute(pack, "sn")] = reply
    missing = [item for item in items if item.call.scan.serial_number not in replies]
    if missing:
        raise reader.error(f"{len(missing)} of {len(items)} packs have no result")
    return [
        make_result(item.call, replies[item.call.scan.serial_number], item.item_id, in_bulk=True)
        for item in items
    ]


def _is_one_batch(items: Sequence[BulkItem]) -> bool:
    def shared(call: PackCall) -> tuple[object, ...]:
        scan = call.scan
        return (scan.scheme, scan.product_code, scan.batch_id, scan.expiry, call.reference)

    first = items[0].call
    return (
        is_uniform(items)
        and bool(first.scan.batch_id and first.scan.expiry and not first.manual)
        and all(shared(item.call) == shared(first) for item in items)
    )
