"""What the hub tells about requests, put together from the store. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emvs.errors import BadRequestError, NotFoundError
from emvs.obp_messages import RequestList, RequestStatus, RequestSummary, StatusEntry
from hub.hub_ids import acknowledgement_of, hub_transaction_id, request_number
from hub.market_entries import market_entries
from hub.organisations import Client
from hub.paging import Page, read_limit, read_order
from hub.store import deliveries, quality, requests
from hub.store.connections import Pool, Queryable, snapshot
from hub.store.requests import RequestRow
from hub.times import utc

_ACCEPTED: Final = "Accepted"
_TRANSACTION_ID_LENGTH: Final = 34
_NO_SUCH_REQUEST: Final = "there is no request with this transaction id"


async def request_status(pool: Pool, transaction_id: str, client: Client) -> RequestStatus:
    """Return all that is known of a request, named by the sender's id or one of the hub's.

    Raises NotFoundError if the client's organisation has no such request.
    """
    async with snapshot(pool) as connection:
        row = await own_request(connection, transaction_id, client)
        remarks = await requests.remarks_on(connection, row.number)
        steps = await requests.steps_of(connection, row.number)
        rows = await deliveries.deliveries_of(connection, row.number)
        report = await quality.report_of(connection, row.number)
    acknowledgement = acknowledgement_of(
        row.message_type, row.transaction_id, row.received_at_ms, row.number
    )
    ours = (acknowledgement.acknowledgementId, acknowledgement.hubTransactionId)
    return RequestStatus(
        messageType=row.message_type,
        transactionId=row.transaction_id,
        acknowledgementId=ours[0],
        hubTransactionId=ours[1],
        receivedAt=utc(row.received_at_ms),
        status=steps[-1][0] if steps else _ACCEPTED,
        productCode=row.product_code,
        productVersion=row.product_version,
        batchId=row.batch_id,
        serialCount=row.serial_count,
        history=[StatusEntry(status, utc(at_ms)) for status, at_ms in steps],
        defects=remarks.defects,
        defectCount=remarks.defect_count,
        defectsTruncated=remarks.defect_count > len(remarks.defects),
        warnings=remarks.warnings,
        markets=market_entries(rows, remarks.defects, with_serials=True),
        serialQuality=report,
    )


async def own_request(database: Queryable, transaction_id: str, client: Client) -> RequestRow:
    """Return the request with the sender's transaction id or one of the hub's.

    Raises NotFoundError if the client's organisation has no such request.
    """
    if len(transaction_id) != _TRANSACTION_ID_LENGTH or not transaction_id.isalnum():
        raise NotFoundError(_NO_SUCH_REQUEST)
    number = request_number(transaction_id)
    row = await requests.find_request(database, transaction_id=transaction_id, number=number)
    if row is None or row.organisation_id != client.organisation_id:
        raise NotFoundError(_NO_SUCH_REQUEST)
    ours = acknowledgement_of(row.message_type, row.transaction_id, row.received_at_ms, row.number)
    known = (row.transaction_id, ours.acknowledgementId, ours.hubTransactionId)
    if transaction_id not in known:
        raise NotFoundError(_NO_SUCH_REQUEST)
    return row


async def request_list(pool: Pool, client: Client, query: Mapping[str, str]) -> RequestList:
    """Return the page of the organisation's requests that a query string asks for.

    `after` is a hub transaction id, or empty for the first page. Raises BadRequestError.
    """
    after = query.get("after", "")
    number = request_number(after) if after else 0
    if number is None:
        raise BadRequestError("after is a hubTransactionId, as `next` gives it")
    page = Page(number, read_limit(query), read_order(query))
    rows = await requests.list_requests(pool, client.organisation_id, page)
    summaries = [_summary(row, last_step) for row, last_step in rows]
    full = len(summaries) == page.limit
    return RequestList(summaries, summaries[-1].hubTransactionId if full else None)


def _summary(row: RequestRow, last_step: str | None) -> RequestSummary:
    return RequestSummary(
        messageType=row.message_type,
        transactionId=row.transaction_id,
        hubTransactionId=hub_transaction_id(row.message_type, row.received_at_ms, row.number),
        receivedAt=utc(row.received_at_ms),
        status=last_step or _ACCEPTED,
        productCode=row.product_code,
        batchId=row.batch_id,
        serialCount=row.serial_count,
    )
