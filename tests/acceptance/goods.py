"""A product of its own for each test, so that tests share running systems and nothing else."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from tests.acceptance.several_markets import Markets
from tests.integration.clients import RestTill, SoapTill, WireAnswer
from tests.integration.hub.stand import packs, product
from tests.integration.running import RunningSystem, gtin

_numbers = itertools.count(1)


def master_data(code: str, *markets: str) -> dict[str, Any]:
    """Return master data; Austria wants a national number."""
    message = product(*markets, code=code)
    for part in message["markets"]:
        if part["market"] == "AT":
            part["nationalCode"] = "1234567"
    return message


@dataclass
class Participant:
    """One location with its two logins."""

    rest: RestTill
    soap: SoapTill


class Goods:
    """A product, and what a test does with packs of it."""

    def __init__(self, markets: Markets, *, batch: str = "LOT1", expiry: str = "301231") -> None:
        self.markets = markets
        self.code = gtin(700_000_000 + next(_numbers))
        self.batch = batch
        self.expiry = expiry

    async def place(self, *markets: str) -> dict[str, Any]:
        """Send a version of the product; return how that ended."""
        obp = self.markets.obp
        return await obp.ended(await obp.send("PMDR", **master_data(self.code, *markets)))

    async def load(self, *serials: str, kind: str = "PPDC", **members: Any) -> dict[str, Any]:
        """Send packs; return how that ended."""
        obp = self.markets.obp
        message = {"productCode": self.code, "batchId": self.batch, "expiry": self.expiry}
        return await obp.ended(await obp.send(kind, **packs(list(serials), **message | members)))

    async def recall(self, *markets: str, **members: str) -> dict[str, Any]:
        """Recall the batch; return how that ended."""
        obp = self.markets.obp
        message: dict[str, Any] = {"productCode": self.code, "batchId": self.batch}
        message |= {"reason": "glass in the tablets", "markets": list(markets)} | members
        return await obp.ended(await obp.send("RCBR", **message))

    async def withdraw(self, *markets: str) -> dict[str, Any]:
        """Withdraw the product; return how that ended."""
        obp = self.markets.obp
        message = {"productCode": self.code, "reason": "safety", "markets": list(markets)}
        return await obp.ended(await obp.send("WDPR", **message))

    async def rest(
        self,
        market: str,
        serial: str,
        state: str | None = None,
        *,
        by: Participant | None = None,
        **other: str,
    ) -> WireAnswer:
        """Verify a pack or set its state, in the REST dialect."""
        till = by.rest if by else self.markets.tills[market]
        return await till.ask(**self.identity(serial) | other, state=state)

    async def soap(
        self,
        market: str,
        name: str,
        serial: str,
        *,
        by: Participant | None = None,
        **other: str,
    ) -> WireAnswer:
        """Ask by the number of an operation, in the SOAP dialect."""
        till = by.soap if by else self.markets.soap_tills[market]
        return await till.ask(**self.identity(serial) | other, name=name)

    def identity(self, serial: str) -> dict[str, Any]:
        """Return what is printed on a pack."""
        return {
            "code": self.code,
            "serial": serial,
            "batch": self.batch,
            "expiry": self.expiry,
        }

    async def trail(self, market: str, serial: str) -> list[dict[str, Any]]:
        """Return the entries of a pack's audit trail."""
        answer = await self.markets.running[market].ask_management(
            "/trail", product_code=self.code, serial=serial
        )
        entries: list[dict[str, Any]] = answer["entries"]
        return entries


async def stocked(
    markets: Markets, *serials: str, in_markets: tuple[str, ...], **members: str
) -> Goods:
    """Return a product of some markets with packs."""
    goods = Goods(markets, **members)
    assert (await goods.place(*in_markets))["status"] == "STDS"
    loaded = await goods.load(*serials)
    assert loaded["status"] == "STDS", loaded
    return goods


async def participant(running: RunningSystem, kind: str, number: int) -> Participant:
    """Register one more location at a market, and log it in."""
    registration = await running.register(kind, number)
    made = Participant(
        RestTill(running.http, running.service, registration),
        SoapTill(running.http, running.service, registration),
    )
    await made.rest.log_in()
    return made
