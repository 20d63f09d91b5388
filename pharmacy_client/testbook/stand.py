"""What only the owner of a test system can do: move its clock, load, recall, register.

The addresses are those of `endpoints.json`: the hub's, its management port's and the market's. What
is not in there cannot be done, and `lacks` says so in words. A system of somebody else has none.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from emvs.obp_messages import (
    PacksMessage,
    PostalOrganisation,
    ProductMessage,
    RecallMessage,
    WithdrawalMessage,
)
from emvs.state_messages import StateUpdateMessage
from emvs.transaction_ids import Actor, IdentifierType, make_transaction_id, reference_length
from pharmacy_client.endpoints import read_file
from pharmacy_client.errors import ProfileError, SystemUnreachableError

_HTTP_S: Final = 30.0
_DISTRIBUTION_S_MAX: Final = 60.0
_POLL_S: Final = 0.03
_NUMBER_MAX: Final = 10**6
"""Messages of one run, at most."""
_DISTRIBUTOR_ID: Final = "TBPD1"
_SHOWN_MAX: Final = 300
_NOT_OFFERED: Final = frozenset({404, 405, 501})

Message = ProductMessage | PacksMessage | RecallMessage | WithdrawalMessage | StateUpdateMessage

COMPANY: Final = PostalOrganisation(
    id="TESTBOOK",
    name="Test Book Pharma",
    street="Example Street 1",
    street2="",
    city="Sampletown",
    postCode="1010",
    country="GR",
)


class StandError(SystemUnreachableError):
    """The stand around the system does not do what the steps need."""

    title = "Stand"


class NotOfferedByStandError(StandError):
    """The stand is older or another one: it has no such call."""


class _Hub(msgspec.Struct):
    url: str | None = None
    management: str | None = None


class _Market(msgspec.Struct):
    management: str | None = None


class HubLogin(msgspec.Struct):
    """Who sends messages to the hub."""

    organisation_id: str
    client_id: str
    token: str
    actor: Actor = Actor.MANUFACTURER


class _Participant(msgspec.Struct):
    kind: str
    hub: HubLogin | None = None


class _Pack(msgspec.Struct):
    scan: str
    market: str | None = None


class StandAddresses(msgspec.Struct):
    """The members of `endpoints.json` that are read here."""

    hub: _Hub = msgspec.field(default_factory=_Hub)
    markets: dict[str, _Market] = msgspec.field(default_factory=dict)
    participants: list[_Participant] = msgspec.field(default_factory=list)
    packs: list[_Pack] = msgspec.field(default_factory=list)


def read_addresses(path: Path) -> StandAddresses:
    """Return what an `endpoints.json` tells of the stand. Raises ProfileError."""
    try:
        return msgspec.json.decode(read_file(path), type=StandAddresses)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is not the endpoints file of `emvs up`: {error}") from error


class Stand:
    """A stand around one market. To be used as `async with`."""

    def __init__(self, addresses: StandAddresses, market: str) -> None:
        self._addresses = addresses
        self.market = market
        self.management = addresses.markets.get(market, _Market()).management
        self._manufacturer = next(
            (who.hub for who in addresses.participants if who.kind == "obp" and who.hub), None
        )
        others = [code for code in addresses.markets if code != market]
        self.other_market = others[0] if others else None
        self._number = secrets.randbelow(10**4) * _NUMBER_MAX
        self._hub_now: datetime | None = None
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Stand:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HTTP_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    @property
    def lacks_loading(self) -> str | None:
        """Why packs can't be loaded; None if they can."""
        if self._addresses.hub.url is None or self._manufacturer is None:
            return "needs a hub and a manufacturer's login there"
        return None if self.management else "needs the market's management address"

    @property
    def lacks_management(self) -> str | None:
        """Why the national organisation's side can't be played."""
        return None if self.management else "needs the market's management address"

    @property
    def lacks_other_market(self) -> str | None:
        """Why there is no pack of another market."""
        return None if self.other_market else "needs another market at the same hub"

    @property
    def lacks_distributor(self) -> str | None:
        """Why no parallel distributor can be played."""
        return None if self._addresses.hub.management else "needs the hub's management address"

    async def advance_clocks(self, seconds: int) -> None:
        """Move the clock of every system of the stand."""
        addresses = [self._addresses.hub.management]
        addresses += [market.management for market in self._addresses.markets.values()]
        for address in filter(None, addresses):
            await self._call("POST", f"{address}/clock", {"advance_s": seconds})

    async def hub_now(self) -> datetime:
        """Return the stand's time."""
        address = self._addresses.hub.management or self.management
        answer = await self._call("GET", f"{address}/clock")
        return datetime.fromisoformat(str(answer["now"]))

    async def register(self, kind: str, location: str) -> dict[str, str]:
        """Register a participant at a location of its own; return its login to REST."""
        login = {"client_id": location.lower(), "client_secret": secrets.token_urlsafe(18)}
        registration = {
            "kind": kind,
            "name": f"Test book, {kind}",
            "location": location,
            "rest": login,
        }
        await self._call("POST", f"{self.management}/participants", registration)
        return login

    async def list_non_fmd(self, product_code: str) -> None:
        """List a product as not subject to verification."""
        await self._call("POST", f"{self.management}/non-fmd", {"product_code": product_code})

    async def unlist_non_fmd(self, product_code: str) -> None:
        """Take it from the list again."""
        await self._call("DELETE", f"{self.management}/non-fmd?product_code={product_code}")

    async def distributor(self) -> HubLogin:
        """Register a parallel distributor at the hub; return its login."""
        registration = {
            "organisationId": _DISTRIBUTOR_ID,
            "name": "Test book, distributor",
            "kind": "parallel_distributor",
            "clientId": "001",
        }
        answer = await self._call(
            "POST", f"{self._addresses.hub.management}/organisations", registration
        )
        return HubLogin(_DISTRIBUTOR_ID, "001", str(answer["token"]), Actor.PARALLEL_DISTRIBUTOR)

    async def send(
        self, message_type: str, message: Message, login: HubLogin | None = None
    ) -> None:
        """Send a message to the hub, and return once every market has it. Raises StandError."""
        sender = login or self._manufacturer
        assert sender is not None, "asked for first: lacks_loading"
        if self._hub_now is None:
            self._hub_now = await self.hub_now()
        self._number += 1
        message.transactionId = make_transaction_id(
            message_type,
            IdentifierType.REQUEST,
            sender.actor,
            organisation_id=sender.organisation_id,
            client_id=sender.client_id,
            now=self._hub_now,
            number=self._number % 10 ** reference_length(message_type),
        )
        base = f"{self._addresses.hub.url}/obp/v1"
        await self._call("POST", f"{base}/{message_type}", message, token=sender.token)
        status_url = f"{base}/requests/{message.transactionId}"
        try:
            async with asyncio.timeout(_DISTRIBUTION_S_MAX):
                while True:
                    if await self._is_distributed(status_url, sender.token):
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise StandError(
                f"{message_type} did not reach every market within {_DISTRIBUTION_S_MAX:g} s."
            ) from error

    async def _is_distributed(self, url: str, token: str) -> bool:
        status = await self._call("GET", url, token=token)
        if status["status"] in ("STIV", "STDF"):
            raise StandError(f"The hub did not take a message: {str(status)[:_SHOWN_MAX]}")
        return bool(status["status"] == "STDS")

    async def _call(
        self, method: str, url: str, message: object = None, *, token: str | None = None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if message is not None else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = None if message is None else msgspec.json.encode(message)
        try:
            async with self._http.request(method, url, data=body, headers=headers) as response:
                content = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError) as error:
            raise StandError(f"No answer from {url}: {error or type(error).__name__}.") from error
        if status in _NOT_OFFERED:
            raise NotOfferedByStandError(f"the stand answers {method} {url} with {status}")
        if not 200 <= status < 300:
            shown = content[:_SHOWN_MAX].decode(errors="replace")
            raise StandError(f"{method} {url} was answered with {status}: {shown}")
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StandError(f"{method} {url} was not answered in JSON.") from error
