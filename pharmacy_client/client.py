"""The pharmacy's client: one class over both dialects. No wire format and no file enters.

Nothing is repeated here after an answer or a lost one: a supply sent twice may raise an alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from emvs.markets import Dialect
from emvs.scan import Scan, ScanError, parse_scan
from emvs.states import PACK_STATES, Operation, State
from pharmacy_client.bulk import BULK_ITEMS_MAX, BulkItem, BulkSpeaker, BulkWay, NotReady
from pharmacy_client.errors import BulkRefusedError, NotOfferedError, ScanRefusedError
from pharmacy_client.exchange import Transport
from pharmacy_client.polling import FIRST_POLL_S, LONGEST_POLL_S, Waits
from pharmacy_client.profile import Profile
from pharmacy_client.rest import RestDialect
from pharmacy_client.rest_bulk import RestBulk, RestUniformBulk
from pharmacy_client.results import PackCall, Pong, Result
from pharmacy_client.soap import SoapDialect
from pharmacy_client.soap_bulk import SoapBulk
from pharmacy_client.soap_envelope import new_transaction_id
from pharmacy_client.soap_uniform_bulk import SoapUniformBulk

_SPEAKERS: dict[Dialect, type[RestDialect] | type[SoapDialect]] = {
    Dialect.REST: RestDialect,
    Dialect.SOAP: SoapDialect,
}


class PharmacyClient:
    """Asks one national system about packs, as one participant.

    To be used as `async with PharmacyClient(profile) as client`; any number of calls may run at
    the same time. A scan is text as a scanner sends it, or an `emvs.scan.Scan`; `manual` says that
    it was typed in by hand. All calls raise the errors of `pharmacy_client.errors`; whatever the
    system says about a pack is a `Result`.
    """

    def __init__(self, profile: Profile, *, transport: Transport | None = None) -> None:
        """Make a client. Connections are opened on entering its context."""
        self.profile = profile
        self._transport = transport
        self._speaker: RestDialect | SoapDialect | None = None

    async def __aenter__(self) -> Self:
        """Get ready. Raises ProfileError if certificates cannot be loaded."""
        if self._transport is None:
            # Loading the HTTP library takes 0.3 s, which `pharmacy --help` need not wait for.
            from pharmacy_client.transport import AiohttpTransport  # noqa: PLC0415

            self._transport = AiohttpTransport(self.profile)
        self._speaker = _SPEAKERS[self.profile.dialect](self.profile, self._transport)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._speaker = None
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    async def verify(self, scan: Scan | str, *, manual: bool = False) -> Result:
        """Return whether the pack may be handed out. Changes nothing."""
        return await self._perform(Operation.VERIFY, scan, manual=manual)

    async def supply(self, scan: Scan | str, *, manual: bool = False) -> Result:
        """Mark the pack as supplied to a patient."""
        return await self._perform(Operation.SUPPLY, scan, manual=manual)

    async def decommission(self, scan: Scan | str, state: State, *, manual: bool = False) -> Result:
        """Give the pack another inactive state: destroyed, locked, exported, stolen, a sample."""
        return await self._perform(decommissioning(state), scan, manual=manual)

    async def undo(
        self,
        scan: Scan | str,
        state: State = State.SUPPLIED,
        *,
        reference: str | None = None,
        manual: bool = False,
    ) -> Result:
        """Make the pack active again, from `state`.

        `reference` is the `client_transaction_id` of the result to be undone; systems that know
        it (SOAP) refuse a wrong one, the others ignore it.
        """
        return await self._perform(undo_of(state), scan, manual=manual, reference=reference)

    async def ping(self) -> Pong:
        """Find out whether the system can be reached: the SOAP ping, or a token by REST."""
        return await self._ready().ping()

    async def perform(self, call: PackCall) -> Result:
        """Return what the system says to a call. The other methods make one and come here."""
        return await self._ready().perform(call)

    async def bulk(
        self,
        calls: Sequence[PackCall],
        *,
        items_max: int = BULK_ITEMS_MAX,
        first_poll_s: float = FIRST_POLL_S,
    ) -> AsyncIterator[Result]:
        """Yield what came of each call, in their order, as the system works through them.

        Calls may be any on any packs; at most `items_max` go in one bulk, one bulk after the
        other. Calls that ask the same go as a plain bulk (SOAP: of one batch only), others, or
        what that refuses, as a mixed bulk or recovery. An error ends it: what was yielded is
        done, and of the rest the error's `may_have_acted` tells.
        """
        for start in range(0, len(calls), items_max):
            items = [
                BulkItem(call, call.transaction_id or new_transaction_id())
                for call in calls[start : start + items_max]
            ]
            way, ticket = await self._hand_in(items)
            waits = Waits(first_poll_s, max(first_poll_s, LONGEST_POLL_S))
            while True:
                found = await way.fetch(ticket, items)
                if not isinstance(found, NotReady):
                    break
                await asyncio.sleep(waits.next_s(found.wait_s))
            for result in found:
                yield result

    async def _hand_in(self, items: Sequence[BulkItem]) -> tuple[BulkWay, str]:
        plain, mixed = self._plain_bulk(), self.bulk_speaker
        try:
            return plain, await plain.submit(items, new_transaction_id())
        except (NotOfferedError, BulkRefusedError):  # Nothing was taken.
            return mixed, await mixed.submit(items, new_transaction_id())

    def _plain_bulk(self) -> BulkWay:
        bulk = self.bulk_speaker
        if isinstance(bulk, RestBulk):
            return RestUniformBulk(bulk)
        assert self._transport is not None
        return SoapUniformBulk(self.profile, self._transport)

    @property
    def bulk_speaker(self) -> BulkSpeaker:
        """The dialect's bulks, for those who keep tickets themselves."""
        speaker = self._ready()
        transport = self._transport
        assert transport is not None
        if isinstance(speaker, RestDialect):
            return RestBulk(self.profile, speaker.tokens)
        return SoapBulk(self.profile, transport)

    async def _perform(
        self,
        operation: Operation,
        scan: Scan | str,
        *,
        manual: bool,
        reference: str | None = None,
    ) -> Result:
        return await self.perform(
            PackCall(operation, read_scan(scan), manual=manual, reference=reference)
        )

    def _ready(self) -> RestDialect | SoapDialect:
        if self._speaker is None:
            raise RuntimeError("use the client as `async with PharmacyClient(profile) as client`")
        return self._speaker


def decommissioning(state: State) -> Operation:
    """Return the operation that gives a pack this state. Raises NotOfferedError."""
    if state not in PACK_STATES or state is State.ACTIVE:
        raise NotOfferedError(f"A pack cannot be decommissioned to {state.name}.")
    return Operation(state.value)


def undo_of(state: State) -> Operation:
    """Return the operation that makes a pack of this state active. Raises NotOfferedError."""
    if state not in PACK_STATES or state is State.ACTIVE:
        raise NotOfferedError(f"{state.name} cannot be undone.")
    return Operation(state.value + 10)


def read_scan(scan: Scan | str) -> Scan:
    """Return the scan if it may be sent, even if it is invalid. Raises ScanRefusedError.

    A client that suppresses bad data hides falsified packs; only what is certainly not the code
    of one pack is kept back.
    """
    if isinstance(scan, str):
        try:
            scan = parse_scan(scan)
        except ScanError as error:
            raise ScanRefusedError(error.problem, error.advice) from error
    values = (scan.product_code, scan.serial_number, scan.batch_id or "", scan.expiry or "")
    if not "".join(values).isprintable():
        # Also half characters, which a terminal makes of bytes that are not UTF-8.
        raise ScanRefusedError(
            "The scan holds control characters inside its data.",
            "Check the settings of the scanner and scan again.",
        )
    return scan
