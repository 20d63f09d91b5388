"""What a till answers about an operation that it has kept for later."""

from __future__ import annotations

from pharmacy_client.exchange import NO_EXCHANGE
from pharmacy_client.queue_entries import Entry, Standing
from pharmacy_client.results import Advice, Category, Colour, Result


def queued_result(entry: Entry, why: str, waiting_count: int) -> Result:
    """Return the result that tells of an operation that was kept for later."""
    doubtful = entry.standing is Standing.DOUBTFUL
    sentence = (
        "It may have been done already; that is looked at before anything is repeated."
        if doubtful
        else "It is kept and will be sent when the system is there."
    )
    return Result(
        operation=entry.call.operation,
        category=Category.QUEUED,
        return_code="",
        text=why,
        scan=entry.call.scan,
        advice=Advice(
            Colour.AMBER,
            f"Not answered: {sentence} {waiting_count} wait. Follow your rules for outages.",
        ),
        exchange=NO_EXCHANGE,
        client_transaction_id=entry.item_id,
        queue_number=entry.number,
    )
