"""Repackaging links between rules and store: facts gathered, links stored, late notices sent.

Runs inside the loader's transaction (`hub.loading`).
"""

from __future__ import annotations

from emvs.obp_messages import LinkMessage
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.link_rules import BatchKey, LinkFacts, batch_keys, judge_link, links_of
from hub.recall_notices import notify_of_earlier_events
from hub.store import catalogue
from hub.store import links as store
from hub.store.connections import Connection
from hub.store.requests import RequestRow


async def judge_link_request(
    connection: Connection, message: LinkMessage, sender: Sender
) -> Judgement:
    """Return what the rules say about a link that was sent."""
    keys = batch_keys(message)
    products: dict[str, ProductFacts] = {}
    for product_code in {key.product_code for key in keys}:
        product = await catalogue.product_facts(connection, product_code)
        if product is not None:
            products[product_code] = product
    batches: dict[BatchKey, BatchFacts] = {}
    for key in set(keys):
        batch = await catalogue.batch_facts(connection, *key)
        if batch is not None:
            batches[key] = batch
    facts = LinkFacts(
        products,
        batches,
        await store.checked_out(connection, sender.organisation_id, list(batches)),
        await store.existing_links(connection, sender.organisation_id, list(batches)),
    )
    return judge_link(message, facts, sender)


async def store_links(
    connection: Connection, row: RequestRow, message: LinkMessage, now_ms: int
) -> None:
    """Store the links of a valid message; tell what has happened to their sources before."""
    new = await store.insert_links(
        connection,
        row.organisation_id,
        links_of(message),
        request_number=row.number,
        at_ms=now_ms,
    )
    await notify_of_earlier_events(connection, row, new, now_ms)
