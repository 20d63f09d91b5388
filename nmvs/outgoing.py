"""Changes of multi-market packs on their way to the hub: made, kept, sent, forgotten.

A change is written by the statement that changes its pack (`sql/record.sql`), so neither can be
without the other. It is deleted when the hub has stored it, so the hub may get it twice, and every
market takes it once (`nmvs.synchronisation`). Which of two changes holds is not decided here.

Delegated Regulation (EU) 2016/161, Art. 35(2): the hub is told at once, except of what the
manufacturer does.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson

from emvs.errors import HubTimeoutError, HubUnreachableError
from emvs.infra.logs import get_logger
from emvs.interconnect import StateChange
from emvs.limits import CHANGES_PER_MESSAGE_MAX
from emvs.roles import Role
from emvs.states import State
from emvs.synchronisation import version_of_state
from nmvs.catalogue import Batch
from nmvs.hub_gateway import HubGateway
from nmvs.ledger import Ledger, PackChange
from nmvs.participants import number_at_home
from nmvs.recovery import Recovery
from nmvs.requests import PackRequest
from nmvs.store import Store

_RETRY_S_FIRST: Final = 0.1
_RETRY_S_MAX: Final = 5.0

_log = get_logger(__name__)


def outgoing_change(
    request: PackRequest, batch: Batch, change: PackChange, transaction_id: str, own_market: str
) -> str | None:
    """Return the change as JSON, None if the manufacturer made it."""
    participant = request.participant
    if participant.role is Role.OBP or participant.is_central:
        return None
    message = StateChange(
        transactionId=transaction_id,
        productCode=request.product_code,
        productVersion=batch.product_version,
        serialNumber=request.serial_number,
        version=version_of_state(change.version_to),
        operation=request.operation.name,
        state=State(change.state).name,
        setAt=change.set_at_s,
        market=participant.market,
        location=number_at_home(participant, own_market),
        role=participant.role.value,
    )
    return orjson.dumps(message).decode()


class ChangeSender:
    """Tells the hub, in order, until it has heard."""

    def __init__(
        self, store: Store, ledger: Ledger, gateway: HubGateway, *, delay_s: float
    ) -> None:
        self._store = store
        self._written = ledger.outgoing_written
        self._gateway = gateway
        self._delay_s = delay_s
        self.sent_count = 0
        self._written.set()  # The last process may have left some.

    async def run(self) -> None:
        """Send whatever is written, until cancelled."""
        wait_s = _RETRY_S_FIRST
        while True:
            await self._written.wait()
            self._written.clear()
            await asyncio.sleep(self._delay_s)
            try:
                while await self._send_some():
                    wait_s = _RETRY_S_FIRST
            except (HubUnreachableError, HubTimeoutError, *Recovery.TROUBLE) as error:
                _log.warning(
                    "changes wait",
                    action="changes_not_sent",
                    error=str(error) or repr(error),
                    wait_s=wait_s,
                )
                self._written.set()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_S_MAX)

    async def _send_some(self) -> bool:
        rows = await self._store.outgoing_changes(CHANGES_PER_MESSAGE_MAX)
        if not rows:
            return False
        keys, transaction_ids, changes = zip(*rows, strict=True)
        await self._gateway.tell_changes(f'{{"changes":[{",".join(changes)}]}}'.encode())
        await self._store.forget_outgoing_changes(keys, transaction_ids)
        self.sent_count += len(rows)
        return True
