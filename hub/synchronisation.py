"""Changes that a national system tells of: into the lines of the packs' other markets.

The hub passes on and decides nothing (which change holds: `emvs.synchronisation`). Serial numbers
are in the outbox only until the last market has them (Delegated Regulation (EU) 2016/161, Art. 33).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from emvs.errors import BadRequestError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.interconnect import ChangesMessage, ChangesReceipt, StateChange
from emvs.limits import CHANGES_PER_MESSAGE_MAX
from emvs.markets import MARKETS
from hub.outbox import Outbox
from hub.store import deliveries, delivery_lines
from hub.store.catalogue import product_facts
from hub.store.connections import Pool, transaction
from hub.store.deliveries import NewDelivery

_SHARE_OF_OUTBOX: Final = 0.5
"""The other half of each line stays free for manufacturers (our choice)."""
_CODE_LENGTH_MAX: Final = 40

_log = get_logger(__name__)


class Synchronisation:
    """Stores changes for the markets that have to know of them."""

    def __init__(self, *, pool: Pool, clock: Clock, outbox: Outbox) -> None:
        self._pool = pool
        self._clock = clock
        self._outbox = outbox

    async def accept(self, message: ChangesMessage, system: str) -> ChangesReceipt:
        """Store changes that `system` sends; once this returns they will arrive.

        Raises BadRequestError, and OverloadedError if a market's line is too long already.
        """
        changes = message.changes
        if len(changes) > CHANGES_PER_MESSAGE_MAX:
            raise BadRequestError(f"at most {CHANGES_PER_MESSAGE_MAX} changes in a message")
        by_system: dict[str, list[StateChange]] = {}
        known: dict[tuple[str, int], Sequence[str]] = {}
        for change in changes:
            version = (change.productCode, change.productVersion)
            if version not in known:
                known[version] = await self._systems_of(*version)
                if system not in known[version]:
                    _log.warning(
                        "changes not passed on",
                        action="changes_without_market",
                        system=system,
                        product_code=change.productCode[:_CODE_LENGTH_MAX],
                        product_version=change.productVersion,
                    )
            if system in known[version]:
                for other in known[version]:
                    if other != system and other in self._outbox.bells:
                        by_system.setdefault(other, []).append(change)
        self._outbox.refuse_if_full(by_system, share=_SHARE_OF_OUTBOX)
        if by_system:
            await self._store(by_system)
        return ChangesReceipt(len(changes))

    async def _systems_of(self, product_code: str, version: int) -> Sequence[str]:
        """Return the national systems that store packs of a product's version."""
        if not 0 < len(product_code) <= _CODE_LENGTH_MAX or "\0" in product_code:
            return ()
        product = await product_facts(self._pool, product_code)
        markets = product.markets_by_version.get(version, ()) if product else ()
        return tuple(dict.fromkeys(MARKETS[market].system for market in markets))

    async def _store(self, by_system: dict[str, list[StateChange]]) -> None:
        """Put changes into lines; in one that is not served they gather in few deliveries."""
        added: list[str] = []
        async with transaction(self._pool) as connection:
            for system in sorted(by_system):  # Always in one order: rows are locked.
                changes = by_system[system]
                last = await delivery_lines.lock_last_changes(connection, system)
                if last is not None:
                    before = msgspec.json.decode(last[1], type=ChangesMessage).changes
                    if len(before) + len(changes) <= CHANGES_PER_MESSAGE_MAX:
                        await delivery_lines.put_body(connection, last[0], _body(before + changes))
                        continue
                new = NewDelivery(system, [system], "changes", _body(changes))
                now_ms = self._clock.now_ms()
                await deliveries.insert_deliveries(connection, None, [new], now_ms)
                added.append(system)
        self._outbox.added(added)


def _body(changes: list[StateChange]) -> bytes:
    return msgspec.json.encode(ChangesMessage(changes))
